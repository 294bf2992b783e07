import numpy as np
import pytest

from pytracking_et.errors import BoxError, ParameterError
from pytracking_et.live.session import LOST_AFTER, Session, probe_centers

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


def run_with_gap(redetect):
    """The block vanishes for a while and comes back far away."""
    session = Session(LocalTracker(), redetect=redetect)
    session.add(two_blocks(10, None), (10, 30, 20, 16))
    for index in range(3):
        session.update(two_blocks(10 + 2 * index, None))
    for _ in range(LOST_AFTER + 2):
        session.update(two_blocks(None, None))
    assert session.marks[0].score < 0.2
    for _ in range(10):
        session.update(two_blocks(280, None))
    return session.marks[0]


class LocalTracker(ColourTracker):
    """Looks only around where the target was, as a Siamese tracker does."""

    def update(self, image):
        if self.center is None:
            self.center = self.box[:2] + self.box[2:] / 2
        result = super().update(image)
        self.center = self.box[:2] + self.box[2:] / 2
        return result


def test_redetection_finds_a_target_that_comes_back_elsewhere():
    mark = run_with_gap(redetect=True)
    assert mark.score > 0.9
    np.testing.assert_allclose(mark.box, [280, 30, 20, 16])


def test_redetection_is_off_by_default():
    assert not Session(ColourTracker()).redetect
    assert run_with_gap(redetect=False).score < 0.2


def test_redetection_does_not_touch_a_target_that_is_seen():
    plain, watched = Session(LocalTracker()), Session(LocalTracker(), redetect=True)
    for session in (plain, watched):
        session.add(two_blocks(10, None), (10, 30, 20, 16))
        for index in range(20):
            session.update(two_blocks(10 + index, None))
    np.testing.assert_array_equal(plain.marks[0].box, watched.marks[0].box)


def test_probes_cover_the_frame_nearest_first():
    centers = probe_centers((240, 320, 3), np.array([20.0, 20, 30, 30]))
    assert np.hypot(*(centers[0] - [35, 35])) < np.hypot(*(centers[-1] - [35, 35]))
    for x in range(0, 320, 20):
        for y in range(0, 240, 20):
            nearest = min(np.abs(center - [x, y]).max() for center in centers)
            assert nearest <= 0.5 * 4 * 30


def test_redetection_needs_a_tracker_that_can_be_moved():
    class Fixed:
        def init(self, image, box): ...

        def update(self, image): ...

    with pytest.raises(ParameterError, match="move_to.*Fixed has not"):
        Session(Fixed(), redetect=True)
