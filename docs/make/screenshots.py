"""Take the pictures of the live part again, with the rendered clip and the real tracker.

    python docs/make/screenshots.py --output docs/images
    python docs/make/screenshots.py --output /tmp/pictures --only window web_phone

window.png (the OpenCV window on a virtual screen, boxes drawn with the mouse), visdom.png (a
network camera, `--debug 3`), web_video.png and web_phone.png (`ettrack serve`). Needs Chromium,
Xvfb and xdotool, the packages playwright and pillow, and opencv-python (not the headless build) for
the window. Nothing else should run meanwhile: the frame rates on the pictures are this machine's.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageGrab
from screenshot_tools import (
    PATIENCE,
    Stage,
    browser,
    drag,
    ettrack,
    free_port,
    network_camera,
    process,
    screen,
    wait_until,
    xdotool,
)

from pytracking_et.live.displays import START as START_SIDE

STILL = 120  # frames: the network camera stands still that long, for the first box to fit
ROOMY, FILLED = 740, 664  # height for a picture in full width; so much of it is filled
SEEN = 90  # frames tracked before a picture is taken
START = 30  # frame of the window's picture in which the boxes are drawn
PANELS = ("Block List", "Help", "Tracking", "Status", "Score Map", "Search Region", "Max Score")


def distractor(index: int, frames: int) -> list[float]:
    """Box of the clip's second balloon; see `live.clip`."""
    t = index / (frames - 1)
    x, y = 640 * (1.15 * t - 0.08), 118 + 22 * np.sin(9 * t)
    return [x - 18, y - 25, 36, 46]


def closest(stage: Stage, picture: np.ndarray) -> int:
    """Number of the clip's frame that looks most like an RGB picture of any size."""
    size = (160, 90)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    gaps = [
        float(np.abs(cv2.resize(f.image, size, interpolation=cv2.INTER_AREA) - small).mean())
        for f in stage.frames
    ]
    return int(np.argmin(gaps))


def grab(window: str) -> Image.Image:
    """What the window shows."""
    words = xdotool("getwindowgeometry", "--shell", window)
    place = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", words)}
    left, top = place["X"], place["Y"]
    area = (left, top, left + place["WIDTH"], top + place["HEIGHT"])
    return ImageGrab.grab(xdisplay=os.environ["DISPLAY"]).convert("RGB").crop(area)


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
        index = closest(stage, np.asarray(grab(window)))  # a busy window drops keys
        zoom = START_SIDE / stage.frames[index].image.shape[1]
        for box in (stage.frames[index].box, np.array(distractor(index, len(stage.frames)))):
            drag(window, (box * zoom).tolist())
        xdotool("key", "space")
        time.sleep(1.2)
        xdotool("key", "space")
        time.sleep(1.0)
        picture = grab(window)
        xdotool("key", "q")
        app.wait(PATIENCE)
    stage.save("window", picture)


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


def take_visdom(stage: Stage) -> None:
    """`ettrack webcam --debug 3 --visdom-start` on a network camera."""
    port = free_port()
    box = [f"{value:.1f}" for value in stage.frames[0].box]
    with ExitStack() as stack:
        address = stack.enter_context(network_camera(stage.film(STILL)))
        words = ["--source", address, "--box", *box, "--window", "false", "--debug", "3"]
        words += ["--visdom-start", "--visdom_port", str(port)]
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


def rows(page: Any) -> int:
    found = re.match(r"\d+", page.inner_text("#rows"))
    return int(found[0]) if found else 0


def track_demo(stage: Stage, page: Any, address: str, name: str) -> None:
    """The demo clip, tracked past its middle."""
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    page.click("#demo")
    page.wait_for_selector("#track:not([disabled])")
    page.click("#track")
    wait_until(lambda: rows(page) > SEEN, "frames")
    shot(stage, page, name)


def take_web_video(stage: Stage) -> None:
    """A video, in the light theme."""
    with served(stage) as address, browser(stage, width=1280, height=ROOMY) as page:
        track_demo(stage, page, address, "web_video")


def take_web_phone(stage: Stage) -> None:
    """A video on a phone's width, in the dark theme."""
    options = {"device_scale_factor": 2, "has_touch": True, "color_scheme": "dark"}
    with served(stage) as address, browser(stage, width=375, height=812, **options) as page:
        track_demo(stage, page, address, "web_phone")


TAKES = {
    "window": take_window,
    "visdom": take_visdom,
    "web_video": take_web_video,
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
