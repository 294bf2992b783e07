"""URLs for real: a web server with a file, ffmpeg and an MJPEG server as cameras that send live."""

import shutil
import subprocess
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from pytracking_et.errors import SourceError
from pytracking_et.live.controls import Controls
from pytracking_et.live.player import Player
from pytracking_et.live.reader import Reader
from pytracking_et.live.recording import Recording
from pytracking_et.live.session import Session
from pytracking_et.live.sources import open_source

from .fakes import RED, ColourTracker, free_port, picture, serving, write_video

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


@pytest.fixture
def camera():
    """Sends 60 frames at 30 a second, then ends the connection; yields its URL."""

    class Handler(Quiet):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for index in range(60):
                image = cv2.cvtColor(picture(index % 40, (240, 320)), cv2.COLOR_RGB2BGR)
                data = cv2.imencode(".jpg", image)[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                try:
                    self.wfile.write(head.encode() + data + b"\r\n")
                except OSError:
                    return
                time.sleep(1 / 30)

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}/stream.mjpg"


def test_frames_are_rgb_and_live(camera):
    source = open_source(camera)
    assert source.live and source.name == "stream"
    with Reader(source) as reader:
        frame = reader.read()
    assert frame.image.shape == (240, 320, 3)
    reds = np.abs(frame.image.astype(int) - RED).max(axis=2) < 60
    assert reds.sum() > 200


def test_a_camera_that_is_switched_off_is_told_and_results_are_kept(camera, tmp_path):
    recording = Recording(tmp_path, "stream")
    with Reader(open_source(camera)) as reader:
        player = Player(
            reader,
            Session(ColourTracker()),
            Controls(),
            boxes=[np.array([10.0, 30, 20, 16])],
            recording=recording,
        )
        with pytest.raises(SourceError, match="stopped delivering frames"):
            player.run()
    recording.save()
    assert len((tmp_path / "video_stream_1.txt").read_text().splitlines()) >= 5
