import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pytracking_et.errors import ResultsError
from pytracking_et.live.draw import Mark
from pytracking_et.live.recording import Recording


def record(folder):
    recording = Recording(folder, "street")
    for frame in range(3):
        box = np.array([10.75 + frame, -0.5, 20.0, 30.25])
        recording.add(frame, Mark(1, box, 0.5 + frame / 10), 0.01)
    recording.add(2, Mark(2, np.array([1.0, 2, 3, 4]), 1.0), 0.01)
    return recording


def test_files_byte_for_byte(tmp_path):
    written = record(tmp_path / "a" / "b").save()
    folder = tmp_path / "a" / "b"
    assert (folder / "video_street_1.txt").read_bytes() == (
        b"10\t0\t20\t30\n11\t0\t20\t30\n12\t0\t20\t30\n"
    )
    assert (folder / "video_street_2.txt").read_bytes() == b"1\t2\t3\t4\n"
    assert (folder / "video_street_1_object_presence_scores.txt").read_bytes() == (
        b"0.500000\n0.600000\n0.700000\n"
    )
    assert (folder / "video_street.csv").read_bytes() == (
        b"frame,id,x,y,w,h,score\n"
        b"0,1,10.7500,-0.5000,20.0000,30.2500,0.500000\n"
        b"1,1,11.7500,-0.5000,20.0000,30.2500,0.600000\n"
        b"2,1,12.7500,-0.5000,20.0000,30.2500,0.700000\n"
        b"2,2,1.0000,2.0000,3.0000,4.0000,1.000000\n"
    )
    assert sorted(written) == sorted(folder.iterdir())


def test_targets_of_an_earlier_run_of_the_video_go(tmp_path):
    record(tmp_path).save()
    for name in ("video_street_2_1.txt", "video_streets_2.txt", "video_street_2.png"):
        (tmp_path / name).touch()  # of other videos, and no box files
    again = Recording(tmp_path, "street")
    again.add(0, Mark(1, np.array([1.0, 2, 3, 4]), 1.0), 0.01)
    written = again.save()
    left = {path.name for path in tmp_path.iterdir()} - {path.name for path in written}
    assert left == {"video_street_2_1.txt", "video_streets_2.txt", "video_street_2.png"}


def test_nothing_tracked_nothing_written(tmp_path):
    assert Recording(tmp_path / "none", "street").save() == []
    assert not (tmp_path / "none").exists()


def test_folder_in_the_way(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultsError, match="cannot write results"):
        record(tmp_path / "file").save()


ROWS = ["frame,id,x,y,w,h,score", "0,1,1.0000,2.0000,3.0000,4.0000,0.500000"]


def row(recording, frame):
    recording.add(frame, Mark(1, np.array([1.0, 2, 3, 4]), 0.5), 0.01)


def test_boxes_are_on_disk_as_they_come(tmp_path):
    program = f"""
import os, signal, sys
from pathlib import Path
from tests.live.test_recording import Recording, row
recording = Recording(Path({str(tmp_path)!r}), "webcam")
for frame in range(5):
    row(recording, frame)
os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
"""
    command = [sys.executable, "-c", program]
    for name in ("video_webcam.unfinished.csv", "video_webcam.unfinished-2.csv"):
        assert subprocess.run(command, cwd=Path(__file__).parents[2]).returncode != 0
        lines = (tmp_path / name).read_text().splitlines()
        assert len(lines) == 6
        assert lines[:2] == ROWS
    # A later run that ends well removes its own file, not those.
    recording = Recording(tmp_path, "webcam")
    row(recording, 0)
    assert (tmp_path / "video_webcam.unfinished-3.csv").read_text().splitlines() == ROWS
    recording.save()
    left = sorted(path.name for path in tmp_path.glob("*.csv"))
    assert left == ["video_webcam.csv", "video_webcam.unfinished-2.csv",
                    "video_webcam.unfinished.csv"]  # fmt: skip


def test_a_full_disk_is_said_once_and_the_boxes_stay_in_memory(tmp_path, capsys):
    recording = Recording(tmp_path, "webcam")
    row(recording, 0)
    stream = recording._journal._stream

    class Full:
        fileno, close = stream.fileno, stream.close

        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    recording._journal._stream = Full()
    row(recording, 1)
    row(recording, 2)
    assert capsys.readouterr().err.count("No space left") == 1
    recording.save()
    assert len((tmp_path / "video_webcam_1.txt").read_text().splitlines()) == 3


def test_what_cannot_be_saved_is_named_where_it_is(tmp_path, capsys):
    recording = Recording(tmp_path, "webcam")
    row(recording, 0)
    (tmp_path / "video_webcam_1.txt").mkdir()  # in the way
    with pytest.raises(ResultsError):
        recording.save()
    journal = tmp_path / "video_webcam.unfinished.csv"
    assert capsys.readouterr().err == f"the boxes are in {journal}\n"
