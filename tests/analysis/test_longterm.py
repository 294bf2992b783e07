"""Precision, recall and F by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.analysis.longterm import score_longterm
from pytracking_et.analysis.metrics import Annotation
from pytracking_et.errors import ResultsError

BOX = [10.0, 10.0, 10.0, 10.0]
HALF = [10.0, 10.0, 10.0, 5.0]
NAN = [np.nan] * 4


def test_by_hand():
    annotation = Annotation.build({"a": [BOX, BOX, NAN, BOX]}, "lasot", "ettrack", {"a": [1] * 4})
    got = score_longterm({"a": [BOX, HALF, BOX, BOX]}, {"a": [1.0, 0.9, 0.2, 0.8]}, annotation)
    at = {round(t, 3): i for i, t in enumerate(got.thresholds)}
    low, high = at[0.2], at[1.0]
    # All reported: 1 + 0.5 + 0 (absent) + 1 over 4; recall over the three visible frames.
    assert got.precision[low] == pytest.approx(2.5 / 4)
    assert got.recall[low] == pytest.approx(2.5 / 3)
    assert (got.precision[high], got.recall[high]) == pytest.approx((1.0, 1 / 3))
    best = 2 * (2.5 / 3) ** 2 / (2.5 / 3 * 2)  # the absent frame is not reported at 0.8
    assert got.f[got.index] == pytest.approx(best)


@pytest.mark.parametrize(
    ("presence", "message"), [({}, "no presence scores"), ({"a": [1.0]}, "1 presence scores, 2")]
)
def test_presence_that_does_not_fit(presence, message):
    annotation = Annotation.build({"a": [BOX] * 2})
    with pytest.raises(ResultsError, match=message):
        score_longterm({"a": [BOX] * 2}, presence, annotation)


def test_runs_are_averaged_at_each_threshold():
    annotation = Annotation.build({"a": [BOX, BOX]})
    first, second = {"a": [BOX, BOX]}, {"a": [BOX, HALF]}
    scores = {"a": [1.0, 0.5]}
    got = score_longterm([first, second], [scores, scores], annotation)
    low = 0  # everything reported: 1 and 0.75
    assert (got.precision[low], got.recall[low]) == pytest.approx((0.875, 0.875))
    alone = score_longterm(second, scores, annotation)
    twice = score_longterm([second, second], [scores, scores], annotation)
    assert twice.f[twice.index] == pytest.approx(alone.f[alone.index])
