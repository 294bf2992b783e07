"""The metrics written frame by frame, as slow and obvious as can be."""

from __future__ import annotations

import math


def iou(a, b):
    """IoU of (x, y, w, h) by inclusive pixels."""
    left, top = max(a[0], b[0]), max(a[1], b[1])
    right = min(a[0] + a[2] - 1, b[0] + b[2] - 1)
    bottom = min(a[1] + a[3] - 1, b[1] + b[3] - 1)
    shared = max(0, right - left + 1) * max(0, bottom - top + 1)
    return min(1.0, shared / (a[2] * a[3] + b[2] * b[3] - shared))


def prepare(rows, truth):
    """Zero-size boxes repeat, first frame from the truth, short results padded, long ones cut."""
    rows = [list(row) for row in rows][: len(truth)]
    given = len(rows)
    rows += [[0.0] * 4 for _ in range(len(truth) - len(rows))]
    for i in range(1, given):
        if (rows[i][2] == 0 or rows[i][3] == 0) and not any(map(math.isnan, truth[i])):
            rows[i] = rows[i - 1]
    rows[0] = list(truth[0])
    return rows


def is_valid(box, rule, seen):
    """Whether a frame is measured."""
    needed = box[2:] if rule == "ettrack" else box
    return seen and all(value > 0 for value in needed) and not any(map(math.isnan, box))


def errors(box, truth, valid, seen, dataset, rule):
    """(IoU, centre error, normalised error) of one frame."""
    if not valid:
        if not seen and (dataset == "lasot" or rule == "lasot-toolkit"):
            return -1.0, math.inf, math.inf
        hit = dataset == "uav" or rule == "lasot-toolkit"
        return -1.0, -1.0 if hit else math.inf, -1.0
    mine = [box[i] + 0.5 * (box[i + 2] - 1) for i in (0, 1)]
    real = [truth[i] + 0.5 * (truth[i + 2] - 1) for i in (0, 1)]
    center = math.hypot(mine[0] - real[0], mine[1] - real[1])
    norm = math.hypot(*(mine[i] / truth[i + 2] - real[i] / truth[i + 2] for i in (0, 1)))
    return iou(box, truth), center, norm


def score(predictions, ground_truth, dataset, rule, visible=None):
    """auc, precision, norm_precision, op50, op75 in percent."""
    table = []
    for name, truth in ground_truth.items():
        truth = [list(map(float, row)) for row in truth]
        rows = prepare(predictions[name], truth)
        found = []
        for i, (box, real) in enumerate(zip(rows, truth, strict=True)):
            seen = visible is None or bool(visible[name][i])
            found.append(errors(box, real, is_valid(real, rule, seen), seen, dataset, rule))
        n = len(truth)
        success = [sum(e[0] > 0.05 * k for e in found) / n for k in range(21)]
        table.append(
            (
                sum(success) / 21,
                sum(e[1] <= 20 for e in found) / n,
                sum(e[2] <= 0.2 for e in found) / n,
                success[10],
                success[15],
            )
        )
    return [100 * sum(column) / len(table) for column in zip(*table, strict=True)]
