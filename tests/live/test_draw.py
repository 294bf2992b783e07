import numpy as np
import pytest

from pytracking_et.live.draw import (
    GREY,
    LOW_SCORE,
    Mark,
    annotate,
    colour,
    draw_box,
    heatmap,
    text_unit,
)


def black(height=180, width=320):
    return np.zeros((height, width, 3), np.uint8)


def test_colours_of_many_targets_differ():
    tints = [colour(number) for number in range(1, 41)]
    assert len(set(tints)) == 40
    first = np.array(tints[:8], int)
    gaps = np.abs(first[:, None] - first[None]).sum(axis=2) + 1000 * np.eye(8, dtype=int)
    assert gaps.min() > 60


def test_a_box_has_its_targets_colour_and_leaves_the_frame_alone():
    image = black()
    picture = annotate(image, [Mark(1, np.array([40.0, 60, 100, 80]), 0.9)])
    assert not image.any()
    assert np.abs(picture[100, 40].astype(int) - colour(1)).max() < 40
    assert not picture[100, 90].any()


@pytest.mark.parametrize(
    ("score", "grey"), [(LOW_SCORE - 0.01, True), (LOW_SCORE, False), (0.0, True), (1.0, False)]
)
def test_grey_below_the_threshold(score, grey):
    picture = annotate(black(), [Mark(1, np.array([40.0, 60, 100, 80]), score)])
    side = picture[62:138, 40].astype(int)
    lit = side[side.sum(axis=1) > 250]
    assert len(lit)
    spread = np.ptp(lit, axis=1).max()
    assert (spread == 0) == grey
    if grey:
        assert np.abs(lit - GREY[0]).min() < 20
        assert len(lit) < len(side)  # a broken line


@pytest.mark.parametrize(
    "box",
    [
        (-50, -40, 100, 80),
        (310, 170, 60, 60),
        (1e9, 1e9, 5, 5),
        (-1e12, 5, 2e12, 20),
        (10, 10, 0.01, 0.01),
    ],
)
@pytest.mark.parametrize("score", [0.1, 0.9])
def test_boxes_outside_or_tiny_do_no_harm(box, score):
    picture = annotate(black(), [Mark(1, np.array(box, float), score)], "status", "hint")
    assert picture.shape == (180, 320, 3)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (20, 500), (2160, 3840)])
def test_text_fits_every_size(shape):
    picture = annotate(black(*shape), [Mark(1, np.array([0.0, 0, 5, 5]), 0.5)], "30 fps", "hint")
    assert picture.shape == (*shape, 3)
    assert 0.7 <= text_unit(shape) <= 6


def test_only_several_targets_are_numbered():
    one = annotate(black(), [Mark(2, np.array([40.0, 60, 50, 50]), 0.9)])
    two = annotate(
        black(),
        [Mark(2, np.array([40.0, 60, 50, 50]), 0.9), Mark(3, np.array([200.0, 60, 50, 50]), 0.9)],
    )
    assert (one[:60, :160] > 0).sum() < (two[:60, :160] > 0).sum()


def test_a_line_of_a_box_is_where_its_numbers_say():
    picture = black()
    draw_box(picture, np.array([10.4, 20.6, 100.0, 50.0]), (255, 0, 0), 0.7)
    rows, columns = np.nonzero(picture[..., 0] > 128)
    assert (columns.min(), columns.max()) == (10, 110)
    assert (rows.min(), rows.max()) == (21, 71)


def test_heatmap_is_bright_at_its_peak_and_upright():
    values = np.zeros((18, 18), np.float32)
    values[2, 15] = 1.0
    picture = heatmap(values, (180, 180))
    assert picture.shape == (180, 180, 3)
    bright = picture.astype(int).sum(axis=2)
    assert np.unravel_index(bright.argmax(), bright.shape)[0] in range(20, 30)
    assert picture[25, 155].tolist() != picture[100, 100].tolist()
    assert heatmap(np.full((3, 3), np.nan), (9, 9)).shape == (9, 9, 3)
