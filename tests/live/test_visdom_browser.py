"""Visdom for real: a local server without the internet, a run, and a browser that steers it."""

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from pytracking_et.live.visdom_panels import Visdom
from pytracking_et.live.visdom_server import LocalServer

from .fakes import eventually, free_port

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 150
pytestmark = pytest.mark.slow


def wait_until(condition, what):
    return eventually(condition, PATIENCE, what)


@pytest.fixture
def run(tmp_path):
    """A run of 800 frames that starts its own Visdom server; yields (process, address)."""
    pytest.importorskip("visdom")
    port = free_port()
    options = {"frames": 800, "size": (240, 960), "boxes": [[10, 30, 20, 16]], "window": False}
    options |= {"debug": 2, "visdom_port": port, "visdom_start": True}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.live.app", str(tmp_path), "0.05", json.dumps(options)],
        cwd=ROOT,
        stderr=(tmp_path / "log").open("wb"),
    )
    try:
        wait_until(
            lambda: (
                b"Visdom: http" in (tmp_path / "log").read_bytes() or process.poll() is not None
            ),
            "server",
        )
        assert process.poll() is None, (tmp_path / "log").read_text()
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(20)


@pytest.fixture
def page():
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium here")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1280, "height": 800})
        browser.close()


class Panels:
    def __init__(self, page):
        self.page = page
        self.errors = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def titles(self):
        return {text.split("\n")[-1] for text in self.page.locator(".bar").all_inner_texts()}

    def panel(self, title):
        bar = self.page.locator(".bar", has_text=re.compile(rf"{title}$"))
        return self.page.locator(".react-grid-item").filter(has=bar)

    def image(self, title):
        return self.panel(title).locator("img").first

    def status(self):
        text = self.panel("Status").inner_text()
        return dict(re.findall(r"(\w[\w ]*?)\t([^\n]+)", text.replace("\xa0", "")))

    def press(self, key):
        self.page.keyboard.press(key)

    def click(self, title, x, y):
        """Move first: the page takes the place of a click from the last movement."""
        box = self.image(title).bounding_box()
        self.page.mouse.move(box["x"] + x, box["y"] + y)
        time.sleep(1.0)
        self.page.mouse.click(box["x"] + x, box["y"] + y)


def test_panels_change_and_steer_the_run(run, page, tmp_path):
    process, address = run
    page.goto(address)
    panels = Panels(page)
    wanted = {"Block List", "Help", "Tracking", "Status", "Score Map", "Search Region"}
    wait_until(lambda: wanted <= panels.titles(), f"panels {wanted}")
    assert "Max Score" not in panels.titles()  # level 3, and this is --debug 2

    first = panels.image("Tracking").get_attribute("src")
    wait_until(lambda: panels.image("Tracking").get_attribute("src") != first, "a new picture")
    for title in ("Score Map", "Search Region"):
        assert panels.image(title).get_attribute("src").startswith("data:image/")

    panels.image("Tracking").click()  # focus, as Help says
    time.sleep(1.0)
    panels.press(" ")
    wait_until(lambda: panels.status().get("State") == "paused", "pause")
    time.sleep(1.0)
    frame = int(panels.status()["Frame"])
    panels.press("ArrowRight")
    wait_until(lambda: int(panels.status()["Frame"]) == frame + 1, "one step")

    panels.click("Tracking", 200, 60)
    wait_until(lambda: panels.status().get("State") == "drawing", "the first corner")
    panels.click("Tracking", 240, 100)
    wait_until(lambda: panels.status().get("Targets") == "2", "the second target")

    panels.panel("Block List").locator("input[type=checkbox]").nth(2).click()
    wait_until(lambda: "Max Score" in panels.titles(), "the panel that was ticked")

    panels.image("Tracking").click()  # the checkbox may have taken the focus; if not, a corner
    time.sleep(1.0)
    panels.press("Escape")
    time.sleep(1.0)
    wait_until(lambda: panels.status().get("State") == "paused", "a fresh start")
    panels.click("Tracking", 300, 90)
    wait_until(lambda: panels.status().get("State") == "drawing", "a corner")
    panels.press("Escape")
    wait_until(lambda: panels.status().get("State") == "paused", "its end")
    panels.press("q")
    assert process.wait(PATIENCE) == 0, (tmp_path / "log").read_text()
    assert panels.errors == []
    table = tmp_path / "res" / "et_tracker" / "et_tracker" / "video_street.csv"
    rows = np.loadtxt(table, delimiter=",", skiprows=1)
    assert set(rows[:, 1]) == {1, 2}
    second = rows[rows[:, 1] == 2][0]
    # 960 pixels are shown as 480: twice the distance between the clicks.
    np.testing.assert_allclose(second[2:6], [400, 120, 80, 80], atol=6)


def panel_there(port, title):
    data = json.dumps({"win": title, "eid": "main"}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/win_exists", data=data)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read() == b"true"


def test_a_server_killed_while_paused_is_noticed_and_filled_when_it_is_back(capsys):
    pytest.importorskip("visdom")
    port = free_port()
    titles = ("Tracking", "Status", "block_list")
    with LocalServer(port) as first:
        visdom = Visdom(1, None, {"port": port, "started": True})
        picture = np.full((60, 80, 3), 90, np.uint8)
        visdom.register((picture,), "Tracking", 1, "Tracking")
        visdom.register({"State": "paused"}, "info_dict", 1, "Status")
        wait_until(lambda: all(panel_there(port, title) for title in titles), "panels")
        first._process.kill()
        # Paused: from now on nothing is registered.
        wait_until(lambda: "has stopped answering" in capsys.readouterr().err, "a notice")
    with LocalServer(port), visdom:
        wait_until(lambda: all(panel_there(port, title) for title in titles), "panels again")
        assert re.fullmatch("notice: Visdom answers at .*\n", capsys.readouterr().err)
