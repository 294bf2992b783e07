import numpy as np
import pytest

from pytracking_et.errors import BoxError, ParameterError
from pytracking_et.live.session import Session

from .fakes import BLUE, RED, ColourTracker, picture


def two_blocks(red_x, blue_x):
    image = np.full((96, 320, 3), 90, np.uint8)
    if red_x is not None:
        image[30:46, red_x : red_x + 20] = RED
    if blue_x is not None:
        image[60:76, blue_x : blue_x + 20] = BLUE
    return image


def test_targets_do_not_disturb_each_other():
    session = Session(ColourTracker())
    first = session.add(two_blocks(10, 200), (10, 30, 20, 16))
    second = session.add(two_blocks(10, 200), (200, 60, 20, 16))
    assert (first.id, second.id) == (1, 2)
    marks = session.update(two_blocks(16, 190))
    assert [mark.id for mark in marks] == [1, 2]
    np.testing.assert_allclose(marks[0].box, [16, 30, 20, 16])
    np.testing.assert_allclose(marks[1].box, [190, 60, 20, 16])
    assert session.prototype.box is None


def test_more_targets_than_pytrackings_nine():
    session = Session(ColourTracker())
    for _ in range(12):
        session.add(picture(), (10, 30, 20, 16))
    assert [mark.id for mark in session.update(picture(1))] == list(range(1, 13))


def test_numbers_are_never_used_again():
    session = Session(ColourTracker())
    session.add(picture(), (10, 30, 20, 16))
    session.reset()
    assert session.update(picture()) == []
    assert session.add(picture(), (10, 30, 20, 16)).id == 2
    session.remove(2)
    session.remove(77)
    assert session.marks == []


@pytest.mark.parametrize("box", [(10, 30, 0, 16), (500, 30, 5, 5), (np.nan, 1, 2, 3)])
def test_a_bad_box_leaves_the_others_alone(box):
    session = Session(ColourTracker())
    session.add(picture(), (10, 30, 20, 16))
    with pytest.raises(BoxError):
        session.add(picture(), box)
    assert [mark.id for mark in session.update(picture(1))] == [1]


class Searching(ColourTracker):
    redetect = False


@pytest.mark.parametrize("wanted", [True, False])
def test_redetection_is_the_trackers_and_is_told_to_all(wanted):
    session = Session(Searching(), redetect=not wanted)
    before = session.add(picture(), (10, 30, 20, 16))
    saved = session.copy()
    session.redetect = wanted
    after = session.add(picture(), (10, 30, 20, 16))
    session.restore([*saved, before, after])
    assert [target.tracker.redetect for target in session.targets] == [wanted] * 3


def test_a_tracker_that_searches_by_itself_is_left_as_it_is():
    tracker = Searching()
    tracker.redetect = True
    assert Session(tracker).add(picture(), (10, 30, 20, 16)).tracker.redetect


@pytest.mark.parametrize(("tracker", "searches"), [(Searching, True), (ColourTracker, False)])
def test_redetection_where_the_tracker_can(tracker, searches):
    assert Session(tracker(), redetect=None).redetect == searches


def test_redetection_needs_a_tracker_that_can_search():
    with pytest.raises(ParameterError, match="attribute redetect.*ColourTracker has not"):
        Session(ColourTracker(), redetect=True)
