from __future__ import annotations

import copy
import time

import numpy as np
import pytest

from pytracking_et.errors import ParameterError
from pytracking_et.live import visdom_panels as module
from pytracking_et.live.visdom_panels import BLOCK_LIST, ECHO_SECONDS, Once, Visdom

from .fakes import eventually

IMAGE = np.full((60, 80, 3), 90, np.uint8)
pytest.importorskip("visdom")


class FakeServer:
    """Stands for the server and its client; can be taken down and put up again."""

    def __init__(self):
        self.up, self.use_socket, self.has_plotly = True, True, False
        self.sent, self.handlers = [], {}

    def client(self, server, port):
        return self

    def register_event_handler(self, handler, window):
        self.handlers[window] = handler

    def take(self, data, win, opts):
        if not self.up:
            raise ConnectionError("gone")
        self.sent.append((win, data))

    image = text = properties = take

    def win_exists(self, win):
        return win in self.titles() if self.up else None

    def titles(self):
        return {win for win, _ in self.sent}


@pytest.fixture
def server(monkeypatch):
    fake = FakeServer()
    monkeypatch.setattr(module, "answers", lambda server, port: fake.up)
    monkeypatch.setattr(module, "_client", fake.client)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)
    return fake


@pytest.fixture
def notices(capsys):
    """Function that gives the lines of stderr so far."""
    lines = []

    def found():
        lines.extend(capsys.readouterr().err.splitlines())
        return lines

    return found


def fill(visdom, server):
    visdom.register(IMAGE, "image", 1, "Picture")
    visdom.register({"FPS": 3}, "info_dict", 1, "Status")
    eventually(lambda: {"Picture", "Status", BLOCK_LIST} <= server.titles())


@pytest.mark.parametrize(
    ("debug", "shown"),
    [
        (1, {"Tracking"}),
        (2, {"Tracking", "Score Map"}),
        (3, {"Tracking", "Score Map", "Max Score"}),
    ],
)
def test_levels(server, debug, shown):
    with Visdom(debug) as visdom:
        visdom.register((IMAGE, [1, 2, 3, 4]), "Tracking", 1, "Tracking")
        visdom.register(np.eye(18), "heatmap", 2, "Score Map")
        visdom.register(0.5, "lineplot", 3, "Max Score")
        eventually(lambda: shown <= server.titles())
    assert server.titles() == shown | {BLOCK_LIST}
    names = [(row["name"], row["value"]) for row in dict(server.sent)[BLOCK_LIST]]
    assert names == [("Tracking", True), ("Score Map", debug >= 2), ("Max Score", debug >= 3)]


def test_block_list_switches_panels(server):
    with Visdom(1) as visdom:
        visdom.register(np.eye(18), "heatmap", 2, "Score Map")
        eventually(lambda: BLOCK_LIST in server.handlers)
        tick = {"event_type": "PropertyUpdate", "propertyId": 0, "value": True}
        server.handlers[BLOCK_LIST](tick)
        eventually(lambda: "Score Map" in server.titles())
        server.handlers[BLOCK_LIST]({**tick, "value": False})
        count = [win for win, _ in server.sent].count("Score Map")
        visdom.register(np.eye(18), "heatmap", 2, "Score Map")
    assert [win for win, _ in server.sent].count("Score Map") == count


def test_a_slow_server_gets_the_newest_and_nobody_waits(server):
    def slow(*arguments, **options):
        time.sleep(0.05)
        server.take(*arguments, **options)

    server.image = slow
    with Visdom(1) as visdom:
        assert visdom.connected()
        started = time.monotonic()
        for value in range(200):
            visdom.register(np.full((8, 8, 3), value, np.uint8), "image", 1, "Picture")
        assert time.monotonic() - started < 5  # 200 times 0.05 s would be 10
    pictures = [data for win, data in server.sent if win == "Picture"]
    assert len(pictures) < 100
    assert pictures[-1].max() == 199


def test_no_server_is_one_notice(server, notices):
    server.up = False
    with Visdom(2, visdom_info={"port": 1}) as visdom:
        assert not visdom.connected()
        for _ in range(50):
            visdom.register(IMAGE, "image", 1, "Picture")
            time.sleep(0.01)
    (notice,) = notices()
    assert "127.0.0.1:1" in notice and "goes on" in notice


@pytest.mark.parametrize("when", ["sending", "idle", "unnoticed"])
def test_a_server_that_dies_is_filled_when_it_is_back(server, notices, when):
    """Unnoticed: it is back before anybody looks."""
    words = ["has stopped answering", "answers at"] if when != "unnoticed" else []
    with Visdom(2) as visdom:
        fill(visdom, server)
        server.up = when == "unnoticed"
        server.sent.clear()
        if when == "sending":
            visdom.register(IMAGE, "image", 1, "Picture")
        eventually(lambda: server.up or len(notices()) == 1)
        server.up = True
        eventually(lambda: {"Picture", "Status", BLOCK_LIST} <= server.titles())
    assert all(word in text for word, text in zip(words, notices(), strict=True))


def test_a_panel_that_the_user_closes_stays_closed(server):
    with Visdom(2) as visdom:
        fill(visdom, server)
        server.sent[:] = [(win, data) for win, data in server.sent if win != "Picture"]
        time.sleep(0.5)
        assert "Picture" not in server.titles()


def test_panels_come_in_the_order_of_their_names_and_the_list_last(server):
    server.up = False
    with Visdom(2) as visdom:
        for title in ("Tracking", "Status", "Help"):
            visdom.register(IMAGE, "image", 1, title)
        server.up = True
        eventually(lambda: BLOCK_LIST in server.titles())
    assert [win for win, _ in server.sent][:4] == ["Tracking", "Status", "Help", BLOCK_LIST]


def test_data_that_cannot_be_drawn_is_a_notice_and_the_rest_goes_on(server, notices):
    with Visdom(1) as visdom:
        visdom.register(np.zeros((5, 5, 5)), "heatmap", 1, "Odd")
        for _ in range(2):  # of whatever kind, and told once
            visdom.register([1, 2], "info_dict", 1, "Bad")
            time.sleep(0.1)
        visdom.register(IMAGE, "image", 1, "Picture")
        eventually(lambda: "Picture" in server.titles())
    odd, bad = notices()
    assert "'Odd'" in odd and "'Bad' is not shown: " in bad


@pytest.mark.parametrize(
    ("debug", "info"), [(0, {}), (2, {"use_visdom": False, "server": "x", "port": 1})]
)
def test_turned_off_it_does_nothing(server, debug, info):
    visdom = Visdom(debug, None, info)
    visdom.register(IMAGE, "image", 0, "Picture")
    assert not visdom.connected()
    visdom.close()
    assert server.sent == []


def test_unknown_mode_lists_the_known():
    with pytest.raises(ParameterError, match="'hologram'.*heatmap"):
        Visdom(0).register(IMAGE, "hologram")


def test_ui_handler_of_pytracking(server):
    events = []
    with Visdom(1, {"handler": events.append, "win_id": "Tracking"}):
        eventually(lambda: "Tracking" in server.handlers)
        server.handlers["Tracking"]({"event_type": "KeyPress", "key": " "})
    assert events[0]["key"] == " "


def test_a_copied_tracker_draws_on_the_same_page(server):
    with Visdom(1) as visdom:
        assert copy.deepcopy({"visdom": visdom})["visdom"] is visdom


def key(name):
    return {"event_type": "KeyPress", "key": name}


@pytest.mark.parametrize("panels", [1, 2, 5])
def test_a_key_counts_once_for_any_number_of_panels(panels, monkeypatch):
    monkeypatch.setattr(module.time, "monotonic", lambda: 5.0)
    events = []
    once = Once(events.append)
    for name in (" ", "ArrowRight", " "):
        for _ in range(panels):
            once(key(name))
    assert [event["key"] for event in events] == [" ", "ArrowRight", " "]


def test_a_key_pressed_again_counts_again():
    events = []
    once = Once(events.append)
    once(key(" "))
    time.sleep(1.5 * ECHO_SECONDS)
    once(key(" "))
    assert len(events) == 2


def test_of_a_click_the_last_message_counts():
    events = []
    once = Once(events.append)
    for place in ((0, 0), (5, 77), (200, 60)):
        once({"event_type": "Click", "image_coord": place})
    eventually(lambda: events)
    time.sleep(2 * ECHO_SECONDS)
    assert [event["image_coord"] for event in events] == [(200, 60)]


def test_other_events_pass():
    events = []
    Once(events.append)({"event_type": "Close"})
    assert events == [{"event_type": "Close"}]
