"""A real network camera: MJPEG over HTTP, and what happens when it is switched off."""

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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

from .fakes import RED, ColourTracker, picture, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def camera():
    """Sends 60 frames at 30 a second, then ends the connection; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
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

        def log_message(self, *arguments):
            pass

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
