import numpy as np
import pytest

from ltr_et.tracking_validation import table
from ltr_et.tracking_validation.clips import Start
from ltr_et.tracking_validation.measure import Run

from .trackers import clip


@pytest.fixture
def make(tmp_path):
    """Runs from (part, clip, source, kind, frame, seed) -> AUC."""

    def runs(values, lost=()):
        found = []
        for (part, name, source, kind, frame, seed), auc in values.items():
            one = clip(tmp_path, name, 10, part, source)
            found.append(Run(one, Start(kind, frame, 10, seed), auc, name in lost))
        return found

    return runs


def sequences(aucs, kind="whole", seed=0):
    return {("shared", f"s{i}", None, kind, 0, seed): auc for i, auc in enumerate(aucs)}


def test_every_start_counts_alike_and_every_column(make):
    values = sequences([60, 80]) | {
        ("shared", "s0", None, "restarted", 0, 0): 10,
        ("shared", "s1", None, "restarted", 0, 0): 70,
        ("shared", "s1", None, "restarted", 50, 0): 70,
    }
    found = table.summary(make(values, lost=("s0",)))
    assert found["shared whole"].mean == 70
    assert found["shared restarted"].mean == 50
    assert found["mean"].mean == 60
    assert (found["shared restarted"].lost, found["shared restarted"].starts) == (1, 3)


def test_every_source_of_tracks_counts_once(make):
    values = {("tracks", f"mot/{i}", "mot_dense", "whole", 0, 0): 40 for i in range(9)}
    values["tracks", "davis/a", "davis", "whole", 0, 0] = 80
    runs = make({(p, n.replace("/", "-"), *rest): v for (p, n, *rest), v in values.items()})
    assert table.summary(runs)["tracks whole"].mean == 60
    assert table.sources(runs) == {"davis": 80, "mot_dense": 40}


def test_tracks_of_one_source_stand_for_themselves(make):
    """A gain that is seen in one source alone is as uncertain as its tracks say."""
    before, after = (
        make({("tracks", f"t{i}", "mot", "whole", 0, 0): auc for i, auc in enumerate(aucs)})
        for aucs in ([50, 60, 70, 80], [51, 62, 69, 81])
    )
    figure = table.summary(before)["tracks whole"]
    assert (figure.mean, figure.high - figure.low > 15) == (65, True)
    gain, error = table.difference(after, before)
    assert (gain, error) == (pytest.approx(0.75), pytest.approx(0.55, rel=0.1))
    assert "| +0.8 +- 0.5 |" in table.markdown({"base": before, "other": after})


def test_of_one_sequence_there_is_no_interval_and_no_verdict(make):
    before, after = make(sequences([50])), make(sequences([60]))
    text = table.markdown({"base": before, "other": after})
    assert "| base | 50.0 | 50.0 |  |" in text
    assert "| other | 60.0 | 60.0 | +10.0 (of one sequence) |" in text
    assert table.record(after)["figures"]["mean"] == [60, None, None, 0, 1]


def test_interval_is_that_of_sequences(make):
    figure = table.summary(make(sequences([50, 60, 70, 80] * 4)))["shared whole"]
    # Standard error of the mean 65 of 16: 11.2 / 4 = 2.8.
    assert figure.low == pytest.approx(65 - 1.96 * 2.8, abs=0.5)
    assert figure.high == pytest.approx(65 + 1.96 * 2.8, abs=0.5)
    equal = table.summary(make(sequences([70] * 5)))["shared whole"]
    assert equal.low == pytest.approx(70)
    assert equal.high == pytest.approx(70)


@pytest.mark.parametrize(
    ("gains", "mean", "verdict"),
    [([2, 2, 2, 2], 2, " better"), ([30, -9, 1, 0], 5.5, ""), ([-2, -1, -2, -1], -1.5, " worse")],
)
def test_verdict_needs_more_than_one_lucky_sequence(make, gains, mean, verdict):
    before = [50, 90, 60, 70]
    base = make(sequences(before))
    after = make(sequences([a + b for a, b in zip(before, gains, strict=True)]))
    gain, error = table.difference(after, base)
    assert gain == pytest.approx(mean)
    assert error == pytest.approx(np.std(gains) / 2, rel=0.1)
    text = table.markdown({"base": base, "other": after})
    assert f"| {gain:+.1f} +- {error:.1f}{verdict} |" in text
    assert "| base | 67.5 [" in text


def test_moved_first_boxes_have_their_own_row(make):
    runs = make(sequences([50, 70]) | sequences([40, 60], seed=1))
    text = table.markdown({"w": runs})
    assert "| w | 60.0 [" in text
    assert "| w, first boxes moved | 50.0 [" in text
    assert table.record(runs)["moved"]["mean"][0] == 50
    assert table.record(runs)["whole"] == {"s0": 50, "s1": 70}


def test_difference_counts_what_both_have(make):
    base = make(sequences([50, 70]))
    runs = make(sequences([51, 71]) | sequences([0, 0], seed=1))
    assert table.difference(runs, base) == (pytest.approx(1), pytest.approx(0))
