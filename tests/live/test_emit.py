import errno
import json
import os
import signal
import socket
from pathlib import Path

import pytest

from pytracking_et.commands import main
from pytracking_et.live import run as module

from .fakes import ColourTracker, write_video
from .test_stop import eventually, start

BOX = ["--box", "10", "30", "20", "16"]


@pytest.fixture
def clip(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "make_tracker", lambda options: ColourTracker())
    monkeypatch.setattr(module, "why_no_window", lambda: "no display (test)")
    monkeypatch.chdir(tmp_path)
    return str(write_video(tmp_path / "street.avi", frames=6))


def test_lines_of_json(clip, capfd, tmp_path):
    assert main(["video", clip, *BOX, *BOX, "--emit", "jsonl"]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(line["frame"], line["target"]) for line in lines] == [
        (frame, target) for frame in range(6) for target in (1, 2)
    ]
    assert lines[-1]["box"][0] == pytest.approx(20, abs=2)
    assert lines[-1]["lost"] is False and lines[-1]["candidates"] == []
    assert 0 < lines[0]["time"] <= lines[-1]["time"]
    assert [path.name for path in tmp_path.iterdir()] == ["street.avi"]  # no video unasked


def test_csv_has_a_header(clip, capfd):
    assert main(["video", clip, *BOX, "--emit", "csv"]) == 0
    header, *lines = capfd.readouterr().out.splitlines()
    assert header == "frame,time,target,x,y,w,h,score,lost,candidates"
    assert len(lines) == 6 and all(line.count(",") == header.count(",") for line in lines)


def test_datagrams(clip):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        port = listener.getsockname()[1]
        assert main(["video", clip, *BOX, "--emit", f"udp://127.0.0.1:{port}"]) == 0
        assert [json.loads(listener.recv(65536))["frame"] for _ in range(6)] == list(range(6))


def test_nobody_listening_is_no_failure(clip):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    assert main(["video", clip, *BOX, "--emit", f"udp://127.0.0.1:{port}"]) == 0


def test_a_network_that_is_down_is_told_once_and_tracking_goes_on(clip, capsys, monkeypatch):
    class Down(socket.socket):
        def send(self, *_):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", Down)
    assert main(["video", clip, *BOX, "--emit", "udp://127.0.0.1:9", "--export", "mot=a.txt"]) == 0
    assert capsys.readouterr().err.count("boxes cannot be sent (Network is unreachable)") == 1
    assert len(Path("a.txt").read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("code", "message"),
    [(errno.EPIPE, "nobody reads"), (errno.ENOSPC, f"({os.strerror(errno.ENOSPC)})")],
)
def test_standard_output_that_takes_no_more(clip, capfd, monkeypatch, code, message):
    real, parts = os.write, []

    def write(descriptor, data):
        parts.append(data)
        if len(parts) > 3:
            raise OSError(code, os.strerror(code))
        return real(descriptor, data[: len(data) // (1 if len(parts) < 3 else 2)])

    monkeypatch.setattr(os, "write", write)
    assert main(["video", clip, *BOX, "--emit", "csv", "--export", "mot=a.txt"]) == 2
    assert message in capfd.readouterr().err
    # The rest of the line that did not go out whole was tried, not left out.
    assert parts[2].endswith(parts[3])
    assert Path("a.txt").read_text()


@pytest.mark.parametrize(
    "where", ["xml", "udp://127.0.0.1", "udp://:5", "udp://h:x", "tcp://a:5", "udp://a..b:9"]
)
def test_other_places_are_refused(clip, capsys, where):
    assert main(["video", clip, *BOX, "--emit", where]) == 2
    assert f"--emit {where!r}" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems")
def test_a_power_cut_leaves_whole_lines(tmp_path):
    """At most the line under way is lost: of each frame that was recorded one was sent."""
    lines, journal = tmp_path / "boxes.jsonl", tmp_path / "fake/slow/video_clip.unfinished.csv"
    with lines.open("wb") as stream:
        run = start(tmp_path, "--emit", "jsonl", "--output", str(tmp_path / "out.avi"),
                    "--save_results", "--results", str(tmp_path), stdout=stream)  # fmt: skip
        eventually(lambda: len(lines.read_text().splitlines()) > 20, run)
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=60)
    text = lines.read_text()
    frames = [json.loads(line)["frame"] for line in text.splitlines()]
    assert text.endswith("\n") and frames == list(range(len(frames)))
    assert 0 <= len(journal.read_text().splitlines()) - 1 - len(frames) <= 1
