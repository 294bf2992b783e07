import threading
import time

import numpy as np

from pytracking_et.live.controls import Controls, Edit, Rate


def test_pause_and_step():
    controls = Controls()
    assert controls.may_advance()
    controls.step()  # a step on a running video stops it
    assert controls.paused and not controls.may_advance()
    controls.step()
    controls.step()
    assert [controls.may_advance() for _ in range(3)] == [True, True, False]
    controls.pause(False)
    assert not controls.paused and controls.may_advance()


def test_drawing_holds_the_picture_even_against_steps():
    controls = Controls(paused=True)
    controls.draw(True)
    controls.step()
    assert not controls.may_advance()
    controls.draw(False)
    assert controls.may_advance()


def test_requests_are_taken_once():
    controls = Controls()
    controls.ask(Edit("box", np.array([1.0, 2, 3, 4]), target=2))
    controls.ask(Edit("release"))
    controls.ask(Edit("undo"))
    first, *others = controls.take_edits()
    assert (first.kind, first.target, first.frame) == ("box", 2, None)
    assert [edit.kind for edit in others] == ["release", "undo"]
    assert controls.take_edits() == []
    assert not controls.ended
    controls.quit()
    assert controls.ended


def test_steps_back_and_seeking_name_a_frame():
    controls = Controls()
    controls.step(-1)  # a running video only stops
    assert controls.paused and controls.take_goal(7) is None
    controls.step(-1)
    controls.step(-1)
    assert not controls.may_advance()
    assert controls.take_goal(7) == 5 and controls.take_goal(7) is None
    controls.step(-5)
    assert controls.take_goal(2) == 0
    controls.pause(False)
    controls.seek(3)
    controls.seek(9)
    assert controls.paused and controls.take_goal(0) == 9 and controls.take_goal(0) is None


def test_wait_does_not_sleep_over_a_request_of_before():
    controls = Controls()
    controls.ask(Edit("undo"))
    begun = time.monotonic()
    controls.wait(600.0)
    started = time.monotonic()
    assert started - begun < 300
    controls.wait(0.05)
    assert time.monotonic() - started >= 0.04


def test_wait_ends_with_the_first_request():
    controls = Controls()
    threading.Timer(0.05, controls.quit).start()
    begun = time.monotonic()
    controls.wait(600.0)
    assert controls.ended and time.monotonic() - begun < 300


def test_rate():
    rate = Rate()
    assert rate.tick() == 0.0
    for _ in range(6):
        time.sleep(0.01)
        value = rate.tick()
    assert 0 < value <= 101
