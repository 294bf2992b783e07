"""The page driven in a real browser: upload, keyboard, finger, several targets, faults."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

from pytracking_et.boxes import iou
from pytracking_et.live.sources import open_source

from . import fakes
from .pages import (
    SELECT_TRACK,
    box_of,
    browser,
    download,
    drag,
    draw,
    fits,
    focus,
    go_to,
    on_screen,
    open_clip,
    open_page,
    picture,
    read_csv,
    slow_in_browser,
    track_to_end,
    wait_hint,
    wait_rows,
)
from .processes import fake_server

pytest.importorskip("playwright", reason="needs the package playwright")
pytestmark = slow_in_browser

# Seconds per frame that leave a test time to act before the 40 frames are over.
slow_server = pytest.mark.parametrize("server", [0.4], indirect=True)
CORNER = [120, 80, 20, 20]  # background that stands still


@pytest.fixture
def long_clip(tmp_path):
    return fakes.write_clip(tmp_path / "Ausflug & more.mp4", 40, hidden=range(25, 32))


@pytest.fixture
def opened(page, server, long_clip):
    """The page with the clip in it."""
    open_clip(page, server, long_clip)
    return page


def test_upload_draw_track_download(page, opened, server, long_clip):
    track_to_end(page, fakes.true_box(0))
    assert page.inner_text("#rows") == "40 frames tracked."
    rows = read_csv(page)[1]
    values = json.loads(download(page, "#json").read_text())
    video = download(page, "#video")
    with page.expect_download() as tracks:
        page.select_option("#tracks", "mot.txt")
    mot = tracks.value.path().read_text().splitlines()
    page.click("#close")
    page.wait_for_selector("#start:not([hidden])")
    assert server.files() == []
    assert sorted(rows) == list(range(40))
    assert [int(line.split(",")[0]) for line in mot] == list(range(1, 41))
    seen = [k for k in rows if not 25 <= k < 32]
    overlap = iou([box_of(rows[k]) for k in seen], [fakes.true_box(k) for k in seen])
    assert overlap.mean() > 0.75
    assert [entry["frame"] for entry in values["boxes"]] == list(range(40))
    assert values["source"]["name"] == long_clip.name
    assert video.stem == "Ausflug & more-tracked"
    assert open_source(video).length == 40


def test_hidden_target_turns_grey(page, opened):
    track_to_end(page, fakes.true_box(0))
    page.fill("#seek", "28")
    wait_hint(page, "may be hidden")
    assert float(page.inner_text("#score")) < 0.55
    assert "low" in page.get_attribute("#score", "class")
    page.fill("#seek", "10")
    wait_hint(page, "Draw a box to track again")
    assert float(page.inner_text("#score")) > 0.8


@slow_server
def test_pause_and_correct_with_the_mouse(page, opened):
    draw(page, [100, 60, 24, 24])  # background
    page.click("#track")
    wait_rows(page, 4)
    page.click("#play")
    wait_hint(page, "Paused")
    page.fill("#seek", "4")
    page.locator("#position", has_text="5 / 40").wait_for()
    draw(page, fakes.true_box(4))
    page.click("#track")
    wait_hint(page, "End of the video")
    rows = read_csv(page)[1]
    assert sorted(rows) == list(range(40))
    assert iou(box_of(rows[3]), fakes.true_box(3)) < 0.2
    assert iou(box_of(rows[20]), fakes.true_box(20)) > 0.7


@slow_server
def test_keyboard_alone(page, server, long_clip):
    open_page(page, server)
    page.keyboard.press("Tab")
    for name in ("theme", "choose", "camera", "demo"):
        page.keyboard.press("Tab")
        assert focus(page) == name
    page.set_input_files("#file", str(long_clip))
    page.wait_for_selector("#stage[data-shown=yes]")
    assert focus(page) == "stage"
    page.keyboard.press("ArrowRight")  # places a box of a quarter in the middle
    page.wait_for_selector(SELECT_TRACK)
    page.keyboard.press("Escape")
    page.wait_for_selector("#track[disabled]")
    page.keyboard.press("ArrowRight")
    box = [60, 45, 40, 30]
    for key, goal in (("ArrowLeft", 10), ("ArrowUp", 20)):
        axis = 0 if key == "ArrowLeft" else 1
        while box[axis] > goal:  # 2 pixels a press
            page.keyboard.press(key)
            box[axis] -= 2
    for key, axis in (("Shift+ArrowLeft", 2), ("Shift+ArrowUp", 3)):
        while box[axis] > 24:
            page.keyboard.press(key)
            box[axis] -= 2
    page.keyboard.press("Enter")
    wait_rows(page, 1)
    page.keyboard.press("Space")
    wait_hint(page, "Paused")
    at = int(page.inner_text("#position").split("/")[0])
    page.keyboard.press(".")
    page.locator("#position", has_text=f"{at + 1} / 40").wait_for()
    page.keyboard.press("Space")
    wait_hint(page, "End of the video")
    rows = read_csv(page)[1]
    assert box_of(rows[0]) == pytest.approx([10, 19, 24, 24])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_with_a_finger(server, long_clip, tmp_path, scheme):
    options = {"width": 375, "height": 740, "has_touch": True, "color_scheme": scheme}
    with browser(tmp_path, **options) as page:
        open_page(page, server)
        assert fits(page)
        open_clip(page, server, long_clip)
        assert fits(page)
        x, y, w, h = on_screen(page, fakes.true_box(0))
        finger = page.context.new_cdp_session(page)
        places = [(x, y), (x + w / 2, y + h / 2), (x + w, y + h)]
        for kind, points in zip(
            ("touchStart", "touchMove", "touchMove", "touchEnd"), [*places, None], strict=True
        ):
            touches = [] if points is None else [{"x": points[0], "y": points[1]}]
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        page.wait_for_selector(SELECT_TRACK)
        page.wait_for_timeout(500)  # else Chromium takes it for a double tap
        page.tap("#track")
        wait_hint(page, "End of the video")
        rows = read_csv(page)[1]
        assert iou(box_of(rows[0]), fakes.true_box(0)) > 0.8
        assert iou(box_of(rows[20]), fakes.true_box(20)) > 0.7
        assert fits(page)
        assert page.problems == []


def test_reload_brings_the_session_back(page, opened):
    track_to_end(page, fakes.true_box(0))
    page.reload()
    page.locator("#rows", has_text="40 frames tracked.").wait_for()
    page.fill("#seek", "10")
    page.locator("#position", has_text="11 / 40").wait_for()
    # Whether a page before this one saved the boxes nobody knows.
    page.click("#close")
    page.locator("#leave-text", has_text="40 frames").wait_for()


def test_a_second_tab_says_why_and_takes_over(page, opened):
    second = page.context.new_page()
    second.goto(page.url)
    second.locator("#gone", has_text="open in another tab. This page tries again").wait_for()
    third = page.context.new_page()
    third.goto(page.url)
    third.locator("#gone", has_text="open in another tab").wait_for()
    third.click("#close")  # takes nothing from the tab that has it
    third.wait_for_selector("#start:not([hidden])")
    third.close()
    page.close()
    second.wait_for_selector("#stage[data-shown=yes]")
    second.locator("#gone").wait_for(state="hidden")


def test_wrong_file_is_refused_with_words(page, server, tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("not a video " * 100)
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(6 << 20))
    open_page(page, server)
    page.set_input_files("#file", str(text))
    page.locator("#notices", has_text="not a video").wait_for()
    page.set_input_files("#file", str(large))
    page.locator("#notices", has_text="up to 5 MB").wait_for()
    assert page.is_visible("#choose")
    assert server.files() == []
    page.problems.clear()  # of the refused upload


def test_server_that_dies_leaves_the_boxes_in_the_page(folder, long_clip, tmp_path):
    with fake_server(folder, 0.1) as server, browser(tmp_path) as page:
        open_clip(page, server, long_clip)
        draw(page, fakes.true_box(0))
        page.click("#track")
        wait_rows(page, 5)
        server.stop(signal.SIGKILL)
        page.locator("#gone", has_text="does not answer").wait_for()
        rows = read_csv(page)[1]
        page.locator("#notices", has_text="The server is gone").wait_for()
    assert len(rows) > 5
    assert iou(box_of(rows[5]), fakes.true_box(5)) > 0.7


def test_two_targets_one_corrected_one_removed_and_undone(page, opened):
    track_to_end(page, fakes.true_box(0))
    go_to(page, 5)
    track_to_end(page, CORNER, "#add")
    chips = page.locator("#targets [data-target]")
    assert chips.count() == 2
    both = read_csv(page)
    assert sorted(both) == [1, 2]
    assert sorted(both[1]) == list(range(40)) and sorted(both[2]) == list(range(5, 40))

    # A correction of 2 leaves 1 alone, and is undone.
    go_to(page, 10)
    page.click('#targets [data-target="2"]')
    track_to_end(page, [100, 10, 30, 20])
    changed = read_csv(page)
    assert changed[1] == both[1]
    assert box_of(changed[2][10]) == pytest.approx([100, 10, 30, 20], abs=1)
    assert {k: changed[2][k] for k in range(5, 10)} == {k: both[2][k] for k in range(5, 10)}
    page.keyboard.press("Control+z")
    page.locator("#position", has_text="11 / 40").wait_for()
    assert read_csv(page) == both

    page.click("[aria-label='Remove target 1 and its boxes']")
    page.locator("#targets [data-target='1']").wait_for(state="detached")
    assert read_csv(page) == {2: both[2]}
    page.click("#undo")
    page.locator("#targets [data-target='1']").wait_for()
    assert read_csv(page) == both
    video = download(page, "#video")
    assert open_source(video).length == 40


def test_previous_frame_by_button_and_key(page, opened):
    track_to_end(page, fakes.true_box(0))
    page.click("#back")
    page.locator("#position", has_text="39 / 40").wait_for()
    assert focus(page) == "back"
    page.keyboard.press(",")
    page.locator("#position", has_text="38 / 40").wait_for()
    page.keyboard.press(".")
    page.locator("#position", has_text="39 / 40").wait_for()
    page.locator("#rows", has_text="40 frames tracked.").wait_for()


def test_zoom_shows_more_and_boxes_stay_in_pixels_of_the_frame(page, opened):
    x, y, w, h = on_screen(page, fakes.true_box(0))
    middle = (x + w / 2, y + h / 2)
    plain = picture(page)
    page.mouse.move(*middle)
    page.mouse.wheel(0, -250)
    page.locator("#zoom-fit").wait_for()
    zoom = float(page.get_attribute("#stage", "data-zoom"))
    assert zoom > 1.5
    page.wait_for_timeout(1000)
    assert np.abs(picture(page).astype(int) - plain).mean() > 5
    # What was under the mouse stays there: the target's middle.
    w, h = w * zoom, h * zoom
    drag(page, middle[0] - w / 2, middle[1] - h / 2, w, h)
    page.click("#track")
    wait_hint(page, "End of the video")
    page.click("#zoom-fit")
    assert not page.is_visible("#zoom-fit")
    rows = read_csv(page)[1]
    assert box_of(rows[0]) == pytest.approx(fakes.true_box(0), abs=0.6)


def test_the_stage_fills_the_window(server, long_clip, tmp_path):
    with browser(tmp_path, width=1400, height=900) as page:
        open_clip(page, server, long_clip)
        page.keyboard.press("f")
        page.wait_for_timeout(300)
        stage = page.locator("#stage").bounding_box()
        assert stage["height"] > 0.8 * 900 and not page.is_visible("#csv")
        page.keyboard.press("f")
        assert page.is_visible("#csv")
        levels = [
            int(tag[1])
            for tag in page.locator("h1:visible, h2:visible, h3:visible").evaluate_all(
                "found => found.map((each) => each.tagName)"
            )
        ]
        assert levels[0] == 1 and max(np.diff(levels)) <= 1
        assert "Downloads" in page.locator("h2:visible").all_inner_texts()


def test_boxes_are_not_lost_on_a_new_source(page, opened, server):
    track_to_end(page, fakes.true_box(0))
    page.click("#close")
    page.locator("#leave-text", has_text="40 frames").wait_for()
    page.click("#leave button[value=cancel]")
    assert page.inner_text("#rows") == "40 frames tracked."
    page.click("#close")
    rows = read_csv(page, "#leave button[value=save]")[1]
    page.wait_for_selector("#start:not([hidden])")
    assert len(rows) == 40 and server.files() == []


@slow_server
def test_the_keyboard_stays_where_it_was(page, opened):
    draw(page, fakes.true_box(0))
    page.focus("#track")
    page.keyboard.press("Enter")
    wait_rows(page, 1)
    assert focus(page) == "drop-target"
    page.keyboard.press("Enter")
    wait_hint(page, "Playing without a target")
    assert focus(page) in ("track", "stage")


def test_redetection_that_a_tracker_lacks_is_told(page, opened):
    page.click("#redetect")
    page.locator("#notices", has_text="needs a tracker with an attribute redetect").wait_for()
    page.wait_for_timeout(500)
    assert not page.is_checked("#redetect")


def test_other_machines_need_the_token_of_the_link(folder, long_clip, tmp_path):
    with fake_server(folder, 0.0, "0.0.0.0") as server, browser(tmp_path) as page:
        bare, _, token = server.address.partition("?token=")
        assert len(token) >= 20
        page.goto(bare)
        assert "open the link" in page.inner_text("body")
        page.problems.clear()
        page.goto(server.address)
        page.wait_for_selector("html[data-ready]")
        assert token not in page.url
        page.set_input_files("#file", str(long_clip))
        page.wait_for_selector("#stage[data-shown=yes]")
        track_to_end(page, fakes.true_box(0))
        assert page.problems == []
