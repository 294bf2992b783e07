import threading
import time

import numpy as np

from pytracking_et.live.controls import Controls, Rate


def test_pause_and_step():
    controls = Controls()
    assert controls.may_advance()
    controls.step()  # a step on a running video stops it
    assert controls.paused and not controls.may_advance()
    controls.step()
    controls.step()
    assert [controls.may_advance() for _ in range(3)] == [True, True, False]
    controls.toggle_pause()
    assert not controls.paused and controls.may_advance()


def test_drawing_holds_the_picture_even_against_steps():
    controls = Controls(paused=True)
    controls.freeze(True)
    controls.step()
    assert not controls.may_advance()
    controls.freeze(False)
    assert controls.may_advance()


def test_requests_are_taken_once():
    controls = Controls()
    controls.add_box(np.array([1.0, 2, 3, 4]))
    controls.reset()
    assert len(controls.take_boxes()) == 1 and controls.take_boxes() == []
    assert controls.take_reset() and not controls.take_reset()
    assert not controls.ended
    controls.quit()
    assert controls.ended


def test_wait_ends_with_the_first_request():
    controls = Controls()
    threading.Timer(0.05, controls.quit).start()
    controls.wait(600.0)
    assert controls.ended


def test_rate():
    rate = Rate(window=4)
    assert rate.tick() == 0.0
    for _ in range(6):
        time.sleep(0.01)
        value = rate.tick()
    assert 0 < value <= 101
