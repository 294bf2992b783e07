import math

import pytest
import torch

from ltr_et import losses
from ltr_et.losses import grid, make_labels, side_distances

MAP = torch.Size([1, 2, 2])


def maps(*rows):
    return torch.tensor(rows, dtype=torch.float32).view(len(rows), 2, 2)


@pytest.mark.parametrize(
    ("logits", "labels", "expected"),
    [
        ([0, 0, 0, 0], [1, 0, 0, 0], math.log(2)),
        ([0, 0, 0, 0], [0, 0, 0, 0], 0.5 * math.log(2)),
        ([30, -30, -30, -30], [1, 0, 0, 0], 0.0),
        # One wrong negative of three is a third of the negative half.
        ([30, 30, -30, -30], [1, 0, 0, 0], 0.5 * 30 / 3),
    ],
    ids=["undecided", "no positive: half", "right", "one wrong"],
)
def test_balanced_bce(logits, labels, expected):
    value = losses.balanced_bce(maps(logits), maps(labels))
    assert value.tolist() == pytest.approx([expected], abs=1e-5)


def test_balanced_bce_weights_cells_within_their_half():
    logits, labels = maps([30, 30, -30, -30]), maps([1, 0, 0, 0])
    value = losses.balanced_bce(logits, labels, maps([1, 3, 1, 1]))
    assert value.item() == pytest.approx(0.5 * 3 * 30 / 5, abs=1e-4)


def box_maps(*boxes):
    return torch.tensor(boxes, dtype=torch.float32)[:, :, None, None].expand(-1, -1, 2, 2)


@pytest.mark.parametrize(
    ("first", "second", "shared", "union"),
    [
        ((5, 5, 5, 5), (5, 5, 5, 5), 100, 100),
        ((5, 5, 5, 5), (0, 5, 5, 5), 50, 100),
        # The truth lies wholly to the right of the cell: its left distance is negative.
        ((2, 2, 2, 2), (-4, 2, 8, 2), 0, 32),
    ],
)
def test_iou_of_distances(first, second, shared, union):
    got = losses.iou_of_distances(box_maps(first), box_maps(second))
    assert [got[0][0, 0, 0].item(), got[1][0, 0, 0].item()] == [shared, union]


def test_iou_loss_counts_only_weighted_cells():
    predicted, target = box_maps((5, 5, 5, 5), (5, 5, 5, 5)), box_maps((0, 5, 5, 5), (5, 5, 5, 5))
    value = losses.iou_loss(predicted, target, torch.ones(2, 2, 2))
    assert value.tolist() == pytest.approx([math.log(101 / 51), 0.0], abs=1e-5)
    assert losses.iou_loss(predicted, target, torch.zeros(2, 2, 2)).tolist() == [0.0, 0.0]


def test_distill_scores_grows_with_the_distance():
    logits = torch.linspace(-3, 3, 4).view(MAP)
    teacher = torch.sigmoid(logits)
    near, far = (losses.distill_scores(logits + d, teacher).item() for d in (0.5, 2.0))
    assert 0 < near < far


def test_distill_boxes_ignores_cells_where_the_teacher_is_wrong():
    teacher, student = box_maps((5, 5, 5, 5)), box_maps((4, 4, 4, 4))
    scores = torch.ones(1, 2, 2)
    right = losses.distill_boxes(student, teacher, scores, teacher)
    wrong = losses.distill_boxes(student, teacher, scores, box_maps((40, 40, 40, 40)))
    assert right.item() == pytest.approx(math.log(101 / 65), abs=1e-5)
    assert wrong.item() == 0


def test_hint_is_relative_to_the_teachers_spread():
    teacher = torch.randn(2, 3, 4)
    assert losses.hint(teacher, teacher).tolist() == [0.0, 0.0]
    small = losses.hint(teacher * 1.1, teacher)
    torch.testing.assert_close(losses.hint(teacher * 110, teacher * 100), small)


@pytest.mark.parametrize("loss", ["bce", "iou", "scores", "boxes", "hint"])
def test_the_mean_over_halves_is_the_mean_over_the_whole(loss):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 3, 3, generator=generator)
    labels = (torch.rand(4, 3, 3, generator=generator) > 0.7).float()
    first, second = (10 * torch.rand(4, 4, 3, 3, generator=generator) for _ in range(2))
    call = {
        "bce": lambda i: losses.balanced_bce(logits[i], labels[i]),
        "iou": lambda i: losses.iou_loss(first[i], second[i], labels[i]),
        "scores": lambda i: losses.distill_scores(logits[i], labels[i] * 0.8 + 0.1),
        "boxes": lambda i: losses.distill_boxes(first[i], second[i], labels[i], second[i]),
        "hint": lambda i: losses.hint(first[i], second[i]),
    }[loss]
    halves = torch.stack([call(slice(0, 2)).mean(), call(slice(2, 4)).mean()]).mean()
    torch.testing.assert_close(call(slice(0, 4)).mean(), halves)


@pytest.mark.parametrize(
    ("logits", "labels", "ignored", "expected"),
    [
        ([0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], math.log(4)),
        ([0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], math.log(2)),
        ([20, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], 0.0),
        # A look-alike two above the target.
        ([3, 5, -30, -30], [1, 0, 0, 0], [0, 0, 0, 0], math.log(1 + math.exp(2))),
        # A positive cell counts although it is ignored elsewhere.
        ([0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], math.log(4)),
        ([5, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], 0.0),
    ],
    ids=["undecided", "rest of the target", "right", "outshone", "positive", "absent"],
)
def test_ranking(logits, labels, ignored, expected):
    value = losses.ranking(maps(logits), maps(labels), maps(ignored).bool())
    assert value.tolist() == pytest.approx([expected], abs=1e-5)


def test_believed_samples_take_the_teachers_boxes_as_they_are():
    teacher, truth = box_maps((5, 5, 5, 5), (5, 5, 5, 5)), box_maps((50, 1, 1, 1), (50, 1, 1, 1))
    own = box_maps((0, 5, 5, 5), (0, 5, 5, 5))
    value = losses.distill_boxes(
        own, teacher, torch.ones(2, 2, 2), truth, believed=torch.tensor([True, False])
    )
    assert value.tolist() == pytest.approx([math.log(101 / 51), 0.0], abs=1e-5)


@pytest.mark.parametrize("p", [0.0, 1.0, 0.3])
def test_a_copy_of_the_teacher_has_no_distillation_loss(p):
    scores = torch.full((1, 2, 2), p)
    assert losses.distill_scores(torch.logit(scores, 1e-7), scores).item() == pytest.approx(
        0, abs=1e-5
    )


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
