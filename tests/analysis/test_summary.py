"""Summary tables: speed, GOT-10k, VOT, and the published trackers."""

from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.analysis import summary
from pytracking_et.analysis.comparison import annotate, compare
from pytracking_et.analysis.got10k import score_got10k
from pytracking_et.analysis.readers import read_results
from pytracking_et.errors import DatasetError


def test_best_first_with_speed(world):
    data = compare(world.trackers, world.sequences)
    speed = summary.speeds(world.trackers, data.sequences)
    frame = summary.summary_table(data, speed).frame
    assert frame["auc"].is_monotonic_decreasing
    assert frame["fps"].between(30, 55).all()
    assert speed["init_ms"].to_list() == pytest.approx([500] * 3)


def test_speed_of_merged_runs_is_pooled(world):
    apart = summary.speeds(world.trackers, [s.name for s in world.sequences])
    merged = summary.speeds(world.trackers, [s.name for s in world.sequences], merged=True)
    runs = apart.loc[["poor_default_000", "poor_default_001"], "fps"]
    # Runs of the same length: pooled frames over pooled time is the harmonic mean.
    assert merged.loc["poor_default", "fps"] == pytest.approx(2 / (1 / runs).sum())


def test_got10k_pools_runs(world):
    annotation = annotate(world.sequences)
    frame = summary.got10k_table(world.trackers, annotation).frame
    assert list(frame.index) == ["good_default", "poor_default"]
    runs = [
        {name: np.trunc(rows) for name, rows in world.predictions[key].items()}
        for key in ("poor0", "poor1")
    ]
    assert frame.loc["poor_default", "ao"] == pytest.approx(score_got10k(runs, world.truth).ao)


def test_got10k_counts_by_its_own_rule(world):
    """Boxes at the border (x = 0) count; frames marked absent do not."""
    for one in world.sequences:
        one.ground_truth_rect[3:6, 0] = 0
        one.target_visible = np.arange(len(one.frames)) % 4 > 0
    one = world.trackers[0]
    annotation = annotate(world.sequences)
    visible = {s.name: s.target_visible for s in world.sequences}
    for subpixel in (False, True):
        table = summary.got10k_table([one], annotation, subpixel)
        given = read_results(one.results_dir, subpixel=subpixel)
        expected = score_got10k(given, world.truth, visible)
        assert table.frame.loc["good_default", "ao"] == pytest.approx(expected.ao)
        assert ("sub-pixel" in table.note) is subpixel
        assert "MISSING" not in table.note


def test_got10k_without_flags_says_so(world):
    assert (
        "cover.label) MISSING"
        in summary.got10k_table(world.trackers, annotate(world.sequences)).note
    )


def test_vot_needs_long_sequences(world):
    with pytest.raises(DatasetError, match="shorter interval"):
        summary.vot_table(world.trackers, annotate(world.sequences))


def test_published_places_the_run(world):
    data = compare(world.trackers, world.sequences)
    speed = summary.speeds(world.trackers, data.sequences)
    table = summary.published_table(data, speed)
    assert len(table.frame) == 12 + 3
    assert table.frame["auc"].is_monotonic_decreasing
    assert table.frame.loc["good_default (this run)", "fps"] > 30
    assert "WACV 2023" in table.note
    # Three sequences are not OTB-100: only on request is this run drawn among the published.
    assert summary.speed_figure(data, speed) is None
    figure = summary.speed_figure(data, speed, anyway=True)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"E.T.Track", "TransT", "good_default"} <= set(texts)


@pytest.mark.parametrize("dataset", ["lasot_mine", "uav123_10fps"])
def test_no_published_figures_for_other_data_sets(world, dataset):
    for one in world.sequences:
        one.dataset = dataset
        one.target_visible = np.ones(len(one.frames), bool)
    data = compare(world.trackers, world.sequences)
    speed = summary.speeds(world.trackers, data.sequences)
    assert summary.published_table(data, speed) is None
    assert summary.speed_figure(data, speed, anyway=True) is None


def test_no_speed_no_speed_plot(world):
    data = compare(world.trackers, world.sequences)
    assert summary.speed_figure(data, summary.speeds(world.trackers, []), anyway=True) is None
