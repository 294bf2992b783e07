"""A headless Chromium, and what the slow tests do on its page."""

from __future__ import annotations

import csv
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from . import fakes

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SELECT_TRACK = "#track:not([disabled])"


def browser_program() -> str | None:
    """Path of an installed Chromium or Chrome."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def browser(folder: Path, *flags: str, width: int = 1280, height: int = 860, **context):
    """A page of a fresh headless Chromium; errors on its console fail the test at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        chrome = player.chromium.launch_persistent_context(
            str(folder / "profile"),
            executable_path=browser_program(),
            headless=True,
            args=[*FLAGS, *flags],
            viewport={"width": width, "height": height},
            accept_downloads=True,
            **context,
        )
        try:
            page = chrome.pages[0]
            page.set_default_timeout(60_000)
            page.problems = []
            page.on("pageerror", lambda error: page.problems.append(str(error)))
            page.on(
                "console", lambda m: page.problems.append(m.text) if m.type == "error" else None
            )
            yield page
        finally:
            chrome.close()


slow_in_browser = [
    pytest.mark.slow,
    pytest.mark.skipif(browser_program() is None, reason="needs Chromium or Chrome"),
]


def open_page(page, server):
    page.goto(server.address)
    page.wait_for_selector("html[data-ready]")


def open_clip(page, server, clip):
    open_page(page, server)
    page.set_input_files("#file", str(clip))
    page.wait_for_selector("#stage[data-shown=yes]")
    wait_hint(page, "Draw a box")


def wait_hint(page, text):
    page.locator("#hint", has_text=text).wait_for()


def wait_rows(page, count):
    """More than `count` rows (not wait_for_function: the page's policy forbids eval)."""
    deadline = time.monotonic() + 60
    while int(page.inner_text("#rows").split()[0].replace("Nothing", "0")) <= count:
        assert time.monotonic() < deadline, page.inner_text("#rows")
        page.wait_for_timeout(50)


def on_screen(page, box) -> tuple[float, float, float, float]:
    """Box of the frame (160x120) in page coordinates."""
    stage = page.locator("#stage").bounding_box()
    scale = stage["width"] / fakes.WIDTH
    x, y, w, h = (value * scale for value in box)
    return stage["x"] + x, stage["y"] + y, w, h


def draw(page, box):
    drag(page, *on_screen(page, box))
    page.wait_for_selector(SELECT_TRACK)


def drag(page, x, y, w, h):
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + w / 2, y + h / 2)
    page.mouse.move(x + w, y + h)
    page.mouse.up()


def download(page, selector="#csv"):
    """The file, under the name that was proposed."""
    with page.expect_download() as info:
        page.click(selector)
    path = info.value.path()
    return path.rename(path.with_name(info.value.suggested_filename))


def read_csv(page, selector="#csv") -> dict[int, dict[int, dict[str, str]]]:
    """Rows of the download, by target and frame."""
    found: dict[int, dict[int, dict[str, str]]] = {}
    with download(page, selector).open(newline="") as stream:
        for row in csv.DictReader(stream):
            found.setdefault(int(row["id"]), {})[int(row["frame"])] = row
    return found


def box_of(row) -> list[float]:
    return [float(row[name]) for name in "xywh"]


def focus(page) -> str:
    return page.evaluate("document.activeElement.id")


def track_to_end(page, box, button="#track"):
    draw(page, box)
    page.click(button)
    wait_hint(page, "End of the video")


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def go_to(page, frame):
    page.fill("#seek", str(frame))
    page.locator("#position", has_text=f"{frame + 1} / 40").wait_for()


def picture(page) -> np.ndarray:
    data = page.locator("#stage").screenshot()
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
