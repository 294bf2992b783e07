"""Take the pictures of the live part again, with the rendered clip and the real tracker.

    python benchmarks/screenshots.py --output docs/images
    python benchmarks/screenshots.py --output /tmp/pictures --only window web_phone

window.png (the OpenCV window on a virtual screen, boxes drawn with the mouse), visdom.png (a
network camera, `--debug 3`), web_start.png, web_video.png, web_camera.png and web_phone.png
(`ettrack serve`). Needs Chromium, Xvfb and xdotool, the packages playwright and pillow, and
opencv-python (not the headless build) for the window. Nothing else should run meanwhile: the frame
rates on the pictures are this machine's.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageGrab

from pytracking_et.live.clip import FPS, ClipFrame, render
from pytracking_et.live.writer import VideoWriter

PATIENCE = 240.0
STILL = 60  # frames: the network camera stands still that long, for the first box to fit
ROOMY, FILLED = 740, 664  # height for a picture in full width; so much of it is filled
SEEN = 90  # frames tracked before a picture is taken
START = 30  # frame of the window's picture in which the boxes are drawn
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PANELS = ("Block List", "Help", "Tracking", "Status", "Score Map", "Search Region", "Max Score")


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


# ------------------------------------------------------------------- window
def xdotool(*words: object) -> str:
    command = ["xdotool", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@contextmanager
def screen() -> Iterator[None]:
    """A virtual screen; DISPLAY is set to it for the block."""
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1024x768x24"]
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


def distractor(index: int, frames: int) -> list[float]:
    """Box of the clip's second balloon; see `live.clip`."""
    t = index / (frames - 1)
    x, y = 640 * (1.15 * t - 0.08), 118 + 22 * np.sin(9 * t)
    return [x - 18, y - 25, 36, 46]


def take_window(stage: Stage) -> None:
    """Two boxes dragged on a paused video, then a second of tracking."""
    with ExitStack() as stack:
        stack.enter_context(screen())
        command = ettrack("video", str(stage.video()), *stage.tracker)
        app = stack.enter_context(process(command))

        def opened() -> str:
            if app.poll() is not None:
                raise SystemExit("the run ended before its window opened")
            return xdotool("search", "--onlyvisible", "--name", "E.T.Track")

        window = wait_until(opened, "window").split()[-1]
        xdotool("windowfocus", window)
        time.sleep(1.0)
        for _ in range(START):
            xdotool("key", "Right")
            time.sleep(0.05)
        time.sleep(1.0)
        drag(window, stage.frames[START].box.tolist())
        drag(window, distractor(START, len(stage.frames)))
        xdotool("key", "space")
        time.sleep(1.2)
        xdotool("key", "space")
        time.sleep(1.0)
        words = xdotool("getwindowgeometry", "--shell", window)
        place = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", words)}
        left, top = place["X"], place["Y"]
        area = (left, top, left + place["WIDTH"], top + place["HEIGHT"])
        picture = ImageGrab.grab(xdisplay=os.environ["DISPLAY"]).crop(area)
        xdotool("key", "q")
        app.wait(PATIENCE)
    stage.save("window", picture)


# ------------------------------------------------------------------ browser
@contextmanager
def browser(stage: Stage, *flags: str, width: int, height: int, **options: Any) -> Iterator[Any]:
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
            args=["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *flags],
            viewport={"width": width, "height": height},
            **options,
        )
        try:
            page = chrome.pages[0]
            page.set_default_timeout(PATIENCE * 1000)
            yield page
        finally:
            chrome.close()


def shot(stage: Stage, page: Any, name: str) -> None:
    path = stage.folder / f"{name}.png"
    size = page.viewport_size
    if size["height"] == ROOMY:  # below it is nothing
        size = {**size, "height": FILLED}
    page.screenshot(path=str(path), clip={"x": 0, "y": 0, **size})
    film = page.locator("#stage:visible")
    place = film.bounding_box() if film.count() else None
    if place is None:
        stage.save(name, Image.open(path))
        return
    zoom = page.evaluate("devicePixelRatio")
    left, top = place["x"] * zoom, place["y"] * zoom
    area = [left, top, left + place["width"] * zoom, top + place["height"] * zoom]
    stage.save(name, Image.open(path), [round(value) for value in area])


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


def take_visdom(stage: Stage) -> None:
    """`ettrack webcam --debug 3 --visdom_start` on a network camera."""
    port = free_port()
    box = [f"{value:.1f}" for value in stage.frames[0].box]
    with ExitStack() as stack:
        address = stack.enter_context(network_camera(stage.film(STILL)))
        words = ["--source", address, "--optional_box", *box, "--window", "false", "--debug", "3"]
        words += ["--visdom_start", "--visdom_port", str(port)]
        command = ettrack("webcam", *words, *stage.tracker)
        app = stack.enter_context(process(command, cwd=stage.folder))
        page = stack.enter_context(browser(stage, width=1350, height=640))

        def answers() -> bool:
            if app.poll() is not None:
                raise SystemExit("the run ended before Visdom answered")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(answers, "Visdom")
        page.goto(f"http://127.0.0.1:{port}")

        def titles() -> set[str]:
            return {text.split("\n")[-1] for text in page.locator(".bar").all_inner_texts()}

        wait_until(lambda: set(PANELS) <= titles(), "all panels")
        status = page.locator(".react-grid-item").filter(
            has=page.locator(".bar", has_text=re.compile("Status$"))
        )

        def frame() -> int:
            found = re.search(r"Frame\s+(\d+)", status.inner_text())
            return int(found[1]) if found else 0

        wait_until(lambda: frame() > STILL + SEEN, "frames with motion")
        shot(stage, page, "visdom")


# ---------------------------------------------------------------- web page
@contextmanager
def served(stage: Stage) -> Iterator[str]:
    """`ettrack serve` on a free port; yields the address."""
    command = ettrack("serve", "--port", "0", *stage.tracker)
    with process(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        if found is None:
            raise SystemExit("ettrack serve did not start")
        yield found[0]


def open_page(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("html[data-ready]")


def rows(page: Any) -> int:
    found = re.match(r"\d+", page.inner_text("#rows"))
    return int(found[0]) if found else 0


def track_demo(stage: Stage, page: Any, address: str, name: str) -> None:
    """The demo clip, tracked past its middle."""
    open_page(page, address)
    page.click("#demo")
    page.wait_for_selector("#track:not([disabled])")
    page.click("#track")
    wait_until(lambda: rows(page) > SEEN, "frames")
    shot(stage, page, name)


def take_web_start(stage: Stage) -> None:
    """The page as it greets."""
    with served(stage) as address, browser(stage, width=1280, height=600) as page:
        open_page(page, address)
        page.wait_for_timeout(500)
        shot(stage, page, "web_start")


def take_web_video(stage: Stage) -> None:
    """A video, in the light theme."""
    with served(stage) as address, browser(stage, width=1280, height=ROOMY) as page:
        track_demo(stage, page, address, "web_video")


def take_web_phone(stage: Stage) -> None:
    """A video on a phone's width, in the dark theme."""
    options = {"device_scale_factor": 2, "has_touch": True, "color_scheme": "dark"}
    with served(stage) as address, browser(stage, width=375, height=812, **options) as page:
        track_demo(stage, page, address, "web_phone")


def seen_box(stage: Stage, page: Any) -> list[float]:
    """True box in the picture on the stage: of the clip's frame that looks most like it."""
    data = np.frombuffer(page.locator("#stage").screenshot(), np.uint8)
    shown = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    size = (160, 90)
    small = cv2.resize(shown, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    gaps = [
        float(np.abs(cv2.resize(f.image, size, interpolation=cv2.INTER_AREA) - small).mean())
        for f in stage.frames
    ]
    return [float(value) for value in stage.frames[int(np.argmin(gaps))].box]


def take_web_camera(stage: Stage) -> None:
    """The browser's camera (a fake device that plays the clip), box drawn with the mouse."""
    film = stage.folder / "camera.mjpeg"
    film.write_bytes(b"".join(stage.film()))
    flags = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    look = {"width": 1280, "height": ROOMY, "color_scheme": "dark"}
    with served(stage) as address, browser(stage, *flags, **look) as page:
        open_page(page, address)
        page.click("#camera")
        page.wait_for_selector("#stage[data-shown=yes]")
        page.wait_for_timeout(300)
        page.keyboard.press("Space")  # holds the picture still
        page.locator("#hint", has_text="Paused").wait_for()
        place = page.locator("#stage").bounding_box()
        scale = place["width"] / stage.frames[0].image.shape[1]
        x, y, w, h = (value * scale for value in seen_box(stage, page))
        x, y = x + place["x"], y + place["y"]
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + w / 2, y + h / 2)
        page.mouse.move(x + w, y + h)
        page.mouse.up()
        page.wait_for_selector("#track:not([disabled])")
        page.click("#track")
        wait_until(lambda: rows(page) > SEEN, "frames")
        shot(stage, page, "web_camera")


TAKES = {
    "window": take_window,
    "visdom": take_visdom,
    "web_start": take_web_start,
    "web_video": take_web_video,
    "web_camera": take_web_camera,
    "web_phone": take_web_phone,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--only", nargs="+", choices=list(TAKES), default=list(TAKES))
    parser.add_argument("--checkpoint")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--threads")
    args = parser.parse_args()
    words = ["--engine", args.engine]
    for name in ("checkpoint", "threads"):
        if getattr(args, name):
            words += [f"--{name}", getattr(args, name)]
    args.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), args.output, words)
        for name in args.only:
            TAKES[name](stage)


if __name__ == "__main__":
    main()
