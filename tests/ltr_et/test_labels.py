import pytest
import torch

from ltr_et.losses import grid, make_labels, side_distances


def test_grid_is_the_tracking_loops():
    # docs/method.md, section 6.2: (i - floor(S / 2)) * 16 + S_x // 2.
    for size, pixels in ((16, 256), (18, 288)):
        expected = [(i - size // 2) * 16 + pixels // 2 for i in range(size)]
        assert grid(size).tolist() == expected


def test_distances_give_the_box_back():
    boxes = torch.tensor([[100.0, 80.0, 50.0, 30.0]])
    left, top, right, bottom = side_distances(boxes, 16)[0]
    column, row = grid(16)[None, :], grid(16)[:, None]
    for value, expected in (
        (column - left, 100), (row - top, 80), (column + right, 150), (row + bottom, 110)
    ):  # fmt: skip
        torch.testing.assert_close(value, torch.full((16, 16), float(expected)))


@pytest.mark.parametrize(("radius", "count"), [(1, 5), (2, 13)])
def test_positives_are_a_diamond_round_the_targets_cell(radius, count):
    # Centre (144, 112): one cell right of and one above the middle cell (8, 8).
    labels = make_labels(torch.tensor([[124.0, 92.0, 40.0, 40.0]]), 16, radius=radius)
    assert labels.score.sum() == count
    assert labels.score[0, 7, 9] == 1
    assert labels.score[0, 7 + radius, 9] == 1
    assert labels.score[0, 7 + radius, 9 + 1] == 0


def test_inside_holds_cells_strictly_within_the_box():
    labels = make_labels(torch.tensor([[120.0, 120.0, 40.0, 20.0]]), 16)
    rows, columns = labels.inside[0].nonzero().unbind(1)
    assert set(rows.tolist()) == {8}
    assert set(columns.tolist()) == {8, 9}


def test_absent_target_has_neither_positives_nor_box():
    boxes = torch.tensor([[100.0, 100.0, 60.0, 60.0]] * 2)
    labels = make_labels(boxes, 16, positive=torch.tensor([True, False]))
    assert labels.score.sum((1, 2)).tolist() == [5, 0]
    assert labels.inside.any((1, 2)).tolist() == [True, False]


def test_distractors_without_the_target_and_without_padding():
    boxes = torch.tensor([[100.0, 100.0, 60.0, 60.0]])
    distractors = torch.tensor([[[140.0, 100.0, 60.0, 60.0], [0.0, 0.0, 0.0, 0.0]]])
    labels = make_labels(boxes, 16, distractors=distractors)
    x = grid(16)[labels.on_distractor[0].nonzero()[:, 1]]
    assert ((x >= 160) & (x < 200)).all()
    assert len(x) > 0
    assert (labels.on_distractor * labels.score).sum() == 0
