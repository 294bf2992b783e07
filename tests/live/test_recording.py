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


def test_nothing_tracked_nothing_written(tmp_path):
    assert Recording(tmp_path / "none", "street").save() == []
    assert not (tmp_path / "none").exists()


def test_folder_in_the_way(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultsError, match="cannot write results"):
        record(tmp_path / "file").save()
