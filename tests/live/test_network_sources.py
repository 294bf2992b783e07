"""URLs for real: a web server with a file, and ffmpeg as a camera that sends live."""

import shutil
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from pytracking_et.live.reader import Reader
from pytracking_et.live.sources import open_source

from .fakes import RED, free_port, serving, write_video

pytestmark = pytest.mark.slow


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def website(tmp_path):
    """Serves `tmp_path`; yields its address."""
    handler = partial(Quiet, directory=str(tmp_path))
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port:
        yield f"http://127.0.0.1:{port}"


def test_a_video_file_on_a_web_server_loses_no_frame(website, tmp_path):
    write_video(tmp_path / "street.mp4", frames=25)
    source = open_source(f"{website}/street.mp4?token=1")
    assert (source.name, source.live) == ("street", False)
    with Reader(source) as reader:
        frames = list(reader)
    assert [frame.index for frame in frames] == list(range(25))
    assert np.abs(frames[0].image[38, 20].astype(int) - RED).max() < 60


# How ffmpeg sends, and under which address we listen to it.
SENDERS = {
    "udp": (["-f", "mpegts", "udp://127.0.0.1:{port}"], "udp://127.0.0.1:{port}"),
    "rtsp": (
        ["-f", "rtsp", "-rtsp_transport", "tcp", "rtsp://127.0.0.1:{port}/camera"],
        "rtsp://127.0.0.1:{port}/camera",
    ),
}


@pytest.mark.parametrize("kind", SENDERS)
def test_a_live_stream(tmp_path, monkeypatch, kind):
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("the sender is the ffmpeg program, which is not installed")
    port = free_port()
    if kind == "rtsp":
        # No RTSP server here: the receiver waits for the sender to announce itself.
        monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_flags;listen|listen_timeout;30")
    arguments, address = SENDERS[kind]
    clip = write_video(tmp_path / "street.mp4", frames=60, size=(240, 320))
    command = [program, "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", str(clip)]
    command += ["-c:v", "mpeg4", "-g", "5", "-q:v", "3"]
    command += [word.format(port=port) for word in arguments]
    # A sender that comes before the receiver is turned away: it tries again.
    script = 'while true; do "$@"; sleep 0.2; done'
    sender = subprocess.Popen(["sh", "-c", script, "sh", *command], start_new_session=True)
    try:
        source = open_source(address.format(port=port))
        assert (source.name, source.live) == ("stream", True)
        with Reader(source, patience=60) as reader:
            frames = [reader.read() for _ in range(20)]
    finally:
        subprocess.run(["kill", "--", f"-{sender.pid}"], check=True)
        sender.wait(10)
    numbers = [frame.index for frame in frames]
    assert numbers == sorted(set(numbers))
    assert frames[-1].image.shape == (240, 320, 3)
    red = [(frame.image.astype(int) - RED).__abs__().max(axis=2).min() for frame in frames]
    assert np.median(red) < 70
