"""The browser's camera, which plays a film here: tracked frames and boxes belong together."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from pytracking_et.boxes import iou
from pytracking_et.live.sources import open_source

from . import fakes
from .pages import (
    browser,
    download,
    draw,
    on_screen,
    open_page,
    picture,
    slow_in_browser,
    wait_hint,
    wait_rows,
)

pytest.importorskip("playwright", reason="needs the package playwright")
pytestmark = slow_in_browser

CAMERA_SCALE = 4


@pytest.fixture
def camera_clip(tmp_path):
    """A film for Chromium's fake camera: the target goes there and back, 640x480."""
    path = tmp_path / "camera.mjpeg"
    order = [*range(40), *range(39, -1, -1)]
    with path.open("wb") as stream:
        for index in order:
            image = fakes.frame(index).repeat(CAMERA_SCALE, 0).repeat(CAMERA_SCALE, 1)
            stream.write(fakes.jpeg(image))
    return path


def find_target(image) -> tuple[list[float], float]:
    """Box of the target by its looks in a picture of any size, and how sure that is."""
    small = cv2.resize(image, (fakes.WIDTH, fakes.HEIGHT), interpolation=cv2.INTER_AREA)
    x, y, w, h = fakes.true_box(0)
    template = fakes.frame(0)[y : y + h, x : x + w]
    scores = cv2.matchTemplate(small, template, cv2.TM_CCOEFF_NORMED)
    _, best, _, (left, top) = cv2.minMaxLoc(scores)
    return [float(left), float(top), float(w), float(h)], best


# Every second picture is encoded so slowly that the next one overtakes it.
OVERTAKING = """
const encode = HTMLCanvasElement.prototype.toBlob;
let count = 0;
HTMLCanvasElement.prototype.toBlob = function (done, ...how) {
  const wait = count++ % 2 ? 0 : 150;
  encode.call(this, (blob) => setTimeout(() => done(blob), wait), ...how);
};
"""


@pytest.mark.parametrize("script", ["", OVERTAKING], ids=["as it is", "overtaking"])
def test_camera_is_tracked_with_matching_frames(server, camera_clip, tmp_path, script):
    flags = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_clip}",
    )
    with browser(tmp_path, *flags) as page:
        page.add_init_script(script)
        open_page(page, server)
        page.click("#camera")
        page.wait_for_selector("#stage[data-shown=yes]")
        page.wait_for_timeout(500)
        page.keyboard.press("Space")  # hold the picture still
        wait_hint(page, "Paused")
        page.wait_for_timeout(200)
        box, sure = find_target(picture(page))
        assert sure > 0.8
        draw(page, box)
        page.keyboard.press("Enter")
        wait_rows(page, 5)
        page.mouse.click(*on_screen(page, [3, 3, 0, 0])[:2])  # draws nothing, and stops nothing
        wait_rows(page, 40)
        page.keyboard.press("Space")
        wait_hint(page, "Paused")
        page.wait_for_timeout(1000)  # frames on their way are still tracked
        values = json.loads(download(page, "#json").read_text())
        video = open_source(download(page, "#video"))
        truth = [find_target(read.image)[0] for read in video]
        page.click("#close")
        page.wait_for_selector("#start:not([hidden])")
        assert server.files() == []
        assert page.problems == []
    assert values["source"]["width"] == 640
    boxes = [np.divide(entry["box"], CAMERA_SCALE) for entry in values["boxes"]]
    assert len(truth) == len(boxes) > 40
    travelled = np.ptp([entry[0] for entry in truth])
    assert travelled > 20  # the film moved, so that a wrong pairing would show
    assert iou(boxes, truth).mean() > 0.8


def test_no_camera_is_told(page, server):
    open_page(page, server)
    page.click("#camera")
    page.locator("#notices", has_text="camera").wait_for()
    page.wait_for_selector("#start:not([hidden])")
    assert server.files() == []
