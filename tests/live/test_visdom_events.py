import threading
import time

import pytest

from pytracking_et.live import visdom_events as module
from pytracking_et.live.visdom_events import ECHO_SECONDS, Once


class Handler:
    def __init__(self):
        self.events, self.came = [], threading.Event()

    def __call__(self, event):
        self.events.append(event)
        self.came.set()


def key(name):
    return {"event_type": "KeyPress", "key": name}


@pytest.mark.parametrize("panels", [1, 2, 5])
def test_a_key_counts_once_for_any_number_of_panels(panels, monkeypatch):
    monkeypatch.setattr(module.time, "monotonic", lambda: 5.0)
    handler = Handler()
    once = Once(handler)
    for name in (" ", "ArrowRight", " "):
        for _ in range(panels):
            once(key(name))
    assert [event["key"] for event in handler.events] == [" ", "ArrowRight", " "]


def test_a_key_pressed_again_counts_again():
    handler = Handler()
    once = Once(handler)
    once(key(" "))
    time.sleep(1.5 * ECHO_SECONDS)
    once(key(" "))
    assert len(handler.events) == 2


def test_of_a_click_the_last_message_counts():
    handler = Handler()
    once = Once(handler)
    for place in ((0, 0), (5, 77), (200, 60)):
        once({"event_type": "Click", "image_coord": place})
    assert handler.came.wait(20)
    time.sleep(2 * ECHO_SECONDS)
    assert [event["image_coord"] for event in handler.events] == [(200, 60)]


def test_other_events_pass():
    handler = Handler()
    Once(handler)({"event_type": "Close"})
    assert handler.events == [{"event_type": "Close"}]
