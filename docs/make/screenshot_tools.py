"""What screenshots.py works with: clip, screen, mouse, browser, a camera on the network."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pytracking_et.live.clip import FPS, ClipFrame, render
from pytracking_et.videos import VideoWriter

PATIENCE = 240.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass
class Stage:
    """What all pictures share: the clip, where to put them, arguments of the tracker."""

    folder: Path
    output: Path
    tracker: list[str]
    frames: list[ClipFrame] = field(default_factory=lambda: list(render(150)))

    def film(self, still: int = 0) -> list[bytes]:
        """A camera's JPEGs: `still` of the first frame, then there and back; to be repeated."""
        pictures = [jpeg(frame.image) for frame in self.frames]
        return [pictures[0]] * still + pictures + pictures[-2:0:-1]

    def video(self) -> Path:
        """The clip as a file."""
        path = self.folder / "balloons.mp4"
        with VideoWriter(path, FPS) as writer:
            for frame in self.frames:
                writer.write(frame.image)
        return path

    def save(self, name: str, picture: Image.Image, area: Sequence[int] = ()) -> None:
        """Write the picture with 256 colours: a fifth of the bytes, and hardly to be seen.

        MAXCOVERAGE: a median cut has no colours left for small bright things, as the balloons.
        """
        small = picture.convert("RGB").quantize(
            256, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE
        )
        if area:  # left, top, right, bottom of the film; soft shadows around it stay as they are
            whole = picture.convert("RGB")
            whole.paste(small.convert("RGB").crop(tuple(area)), tuple(area[:2]))
            small = whole
        small.save(self.output / f"{name}.png", optimize=True)
        print(f"{self.output / name}.png  {picture.width}x{picture.height}", flush=True)


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise SystemExit(f"not within {PATIENCE:g} s: {what}")


@contextmanager
def process(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen]:
    """A program that is stopped (Ctrl-C, then killed) at the end of the block."""
    started = subprocess.Popen(command, **options)
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGINT)
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def ettrack(*words: str) -> list[str]:
    code = "import sys; from pytracking_et.commands import main; sys.exit(main())"
    return [sys.executable, "-c", code, *words]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def jpeg(image: np.ndarray, quality: int = 92) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def xdotool(*words: object) -> str:
    command = ["xdotool", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@contextmanager
def screen() -> Iterator[None]:
    """A virtual screen; DISPLAY is set to it for the block."""
    reader, writer = os.pipe()
    # -noreset: it would start afresh, and turn programs away meanwhile, when the last one has left.
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1024x768x24", "-noreset"]
    before = os.environ.get("DISPLAY")
    with process(command, pass_fds=[writer], stderr=subprocess.DEVNULL):
        os.close(writer)
        with os.fdopen(reader) as stream:
            os.environ["DISPLAY"] = f":{stream.readline().strip()}"
        try:
            yield
        finally:
            os.environ.pop("DISPLAY")
            if before is not None:
                os.environ["DISPLAY"] = before


def drag(window: str, box: Sequence[float]) -> None:
    x, y, w, h = (round(float(value)) for value in box)
    places = [(x, y), (x + w // 2, y + h // 2), (x + w, y + h)]
    for step, place in enumerate(places):
        xdotool("mousemove", "--window", window, *place)
        time.sleep(0.3)
        if step == 0:
            xdotool("mousedown", 1)
            time.sleep(0.3)
    xdotool("mouseup", 1)
    time.sleep(0.5)


@contextmanager
def browser(stage: Stage, width: int, height: int, **options: Any) -> Iterator[Any]:
    """A page of a fresh headless Chromium."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is installed")
    profile = tempfile.mkdtemp(dir=stage.folder)
    with sync_playwright() as driver:
        chrome = driver.chromium.launch_persistent_context(
            profile,
            executable_path=program,
            args=["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"],
            viewport={"width": width, "height": height},
            **options,
        )
        try:
            page = chrome.pages[0]
            page.set_default_timeout(PATIENCE * 1000)
            yield page
        finally:
            chrome.close()


@contextmanager
def network_camera(pictures: list[bytes]) -> Iterator[str]:
    """A camera that sends MJPEG over HTTP, 30 frames a second; yields its address."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - name of the base class
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            start, index = time.monotonic(), 0
            while not ended.is_set():
                data = pictures[index % len(pictures)]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                try:
                    self.wfile.write(head.encode() + data + b"\r\n")
                except OSError:
                    return
                index += 1
                time.sleep(max(0.0, start + index / FPS - time.monotonic()))

        def log_message(self, *words: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/camera"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
