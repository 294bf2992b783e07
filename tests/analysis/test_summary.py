"""Summary tables: speed, GOT-10k, VOT, and the published trackers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pytracking_et.analysis import summary
from pytracking_et.analysis.comparison import annotate, compare
from pytracking_et.analysis.scoring import score_got10k
from pytracking_et.analysis.summary import (
    TABLES,
    caveat,
    column_of,
    fps_statistics,
    published_figures,
    result_tables,
    source,
)
from pytracking_et.analysis.trackers import find_trackers, read_results
from pytracking_et.errors import DatasetError, ParameterError, ResultsError
from pytracking_et.evaluation import Sequence, Tracker
from pytracking_et.results import files as results
from pytracking_et.results.files import Result
from pytracking_et.results.manifest import Manifest


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


def test_folders_elsewhere_of_one_name_are_no_runs_of_one_tracker(world, tmp_path):
    """One figure for both would be of neither."""
    good, poor = world.trackers[:2]
    folders = [tmp_path / place / "default" for place in "ab"]
    for one, folder in zip((good, poor), folders, strict=True):
        shutil.copytree(one.results_dir, folder)
    found = find_trackers(world.results, map(str, folders))
    frame = summary.got10k_table(found, annotate(world.sequences)).frame
    alone = summary.got10k_table([good, poor], annotate(world.sequences)).frame
    assert list(frame.index) == ["default", "default (2)"]
    assert frame["ao"].to_list() == alone["ao"].to_list()
    for trackers in (found, folders):
        merged = compare(trackers, world.sequences, merge_results=True)
        assert merged.labels == ["default", "default (2)"]


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


def test_got10k_boxes_are_cut_at_the_border_of_the_frames(world):
    for one in world.sequences:
        one.ground_truth_rect[:, 2:] = 200  # of frames of 160 x 120
    world.sequences[0].frames = [str(world.results / "not there.jpg")]
    one, annotation = world.trackers[0], annotate(world.sequences)
    boxes = read_results(one.results_dir)
    sizes = {s.name: (160, 120) for s in world.sequences[1:]}
    expected = score_got10k(boxes, world.truth, image_sizes=sizes).ao
    table = summary.got10k_table([one], annotation, sequences=world.sequences)
    assert table.frame.loc["good_default", "ao"] == pytest.approx(expected)
    assert expected != pytest.approx(score_got10k(boxes, world.truth).ao)
    assert "boxes of 1 sequences are not cut" in table.note


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
    figure = summary.speed_figure(data, speed)
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
    assert summary.speed_figure(data, speed) is None


def test_no_speed_no_speed_plot(world):
    data = compare(world.trackers, world.sequences)
    assert summary.speed_figure(data, summary.speeds(world.trackers, [])) is None


@pytest.mark.parametrize(
    ("table", "row", "expected"),
    [
        ("trackers", "E.T.Track", [59.0, 62.3, 67.8, 47]),
        ("trackers", "ECO", [46.6, 51.3, 64.3, 25]),
        ("components", "Conv", [55.3, 66.2, 52.1]),
        ("exemplars", "16 exemplars", [58.0, 66.1, 57.4]),
        ("queries", "S = 2", [46.6, 55.5, 43.7]),
        ("backbones", "MobileNetV3", [56.8, 64.5, 52.1, 56.8, 65.3, 52.7]),
        ("modules", "Swin", [55.4, 64.2, 56.9]),
    ],
)
def test_rows(table, row, expected):
    assert published_figures(table).loc[row].to_list() == expected


def test_every_table_is_whole():
    assert len(published_figures()) == 12
    for table in TABLES:
        assert published_figures(table).notna().all(axis=None)
    assert "WACV 2023" in source()


def test_unknown_table():
    with pytest.raises(ParameterError, match="'mine'.*trackers, components"):
        published_figures("mine")


@pytest.mark.parametrize(
    ("dataset", "column"),
    [
        ("otb", "OTB-100"),
        ("UAV123", "UAV-123"),
        ("nfs", "NFS"),
        ("uav123_10fps", None),
        ("x", None),
    ],
)
def test_column_of(dataset, column):
    assert column_of(dataset) == column


def test_part_of_a_data_set_is_not_comparable():
    assert caveat("UAV-123", 123) == ""
    assert "3 sequences, published figures on 123" in caveat("UAV-123", 3)


def test_the_first_frame_is_stated_apart():
    got = fps_statistics({"a": [9.0, 0.1, 0.1, 0.2], "b": [1.0, 0.1]})
    assert got["fps"] == pytest.approx(4 / 0.5)
    assert got["median_fps"] == pytest.approx(10)
    assert got["slow_fps"] == pytest.approx(1 / np.percentile([0.1, 0.1, 0.2, 0.1], 95))
    assert got["init_ms"] == pytest.approx(5000)


@pytest.mark.parametrize("times", [{}, {"a": [0.5]}])
def test_no_tracked_frames(times):
    assert np.isnan(fps_statistics(times)["fps"])


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf])
def test_times_that_are_none(bad):
    with pytest.raises(ResultsError, match="'a', row 2"):
        fps_statistics({"a": [0.1, bad]})


TRUTH = np.array([[10.0, 10, 20, 20]] * 5)


@pytest.fixture
def tracker(tmp_path):
    tracker = Tracker("t", "p", results_path=tmp_path)
    perfect = Result(TRUTH.tolist(), [9.0] + [0.1] * 4)
    half = Result([TRUTH[0].tolist()] + [[500.0, 500, 20, 20]] * 4, [1.0] + [0.05] * 4)
    results.save(Path(tracker.results_dir), "good", perfect)
    results.save(Path(tracker.results_dir), "lost", half)
    return tracker


def rows(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def sequences(dataset="otb", truth=TRUTH):
    return [Sequence(name, [""] * 5, dataset, truth) for name in ("good", "lost", "failed")]


def test_scores_fps_and_means(tracker):
    table = rows(result_tables(sequences(), tracker, ["good", "lost"]))
    # A perfect tracker has AUC 95.24 under pytracking's rule: IoU 1 is not > 1.
    assert table["good"] == ["95.24", "100.00", "100.00", "5", "10.00"]
    assert table["lost"][:2] == ["19.05", "20.00"]
    assert table["lost"][-1] == "20.00"
    assert table["mean"][0] == "57.14"
    assert table["mean"][-2:] == ["10", "13.33"]  # 8 tracked frames in 0.6 s
    assert "failed" not in table


def test_a_sequence_called_mean_has_its_row(tracker):
    results.save(Path(tracker.results_dir), "mean", Result(TRUTH.tolist(), [9.0] + [0.1] * 4))
    named = [Sequence(name, [""] * 5, "otb", TRUTH) for name in ("lost", "mean")]
    lines = result_tables(named, tracker, ["lost", "mean"]).splitlines()
    found = [line.split()[1] for line in lines if line.startswith("mean")]
    assert found == ["95.24", "57.14"]


@pytest.mark.parametrize("rows", [3, 7])
def test_rows_that_differ_from_the_annotation_are_named(tracker, rows):
    truth = np.tile(TRUTH[0], (rows, 1))
    text = f"'good' has 5 boxes for {rows} annotated frames"
    with pytest.warns(UserWarning, match=text):
        table = result_tables(sequences(truth=truth), tracker, ["good"])
    assert f"ROWS DIFFER: {text}" in table


def test_hidden_ground_truth_has_no_scores(tracker):
    text = result_tables(sequences("got10k_test", TRUTH[:1]), tracker, ["good", "lost"])
    assert rows(text)["good"] == ["5", "10.00"]
    assert "2 of 2 sequences have no figures: their ground truth is hidden" in text


def test_one_sequence_of_hidden_ground_truth_leaves_the_others_their_scores(tracker):
    """In a folder of one's own the first box alone will do for a sequence."""
    mixed = [sequences("mine")[0], sequences("mine", TRUTH[:1])[1]]
    text = result_tables(mixed, tracker, ["good", "lost"])
    table = rows(text)
    assert table["good"] == ["95.24", "100.00", "100.00", "5", "10.00"]
    assert table["lost"] == ["NaN", "NaN", "NaN", "5", "20.00"]
    assert table["mean"][:3] == ["95.24", "100.00", "100.00"]
    assert "1 of 2 sequences have no figures" in text


def test_one_table_a_data_set(tracker):
    mixed = [sequences("otb")[0], sequences("uav")[1]]
    text = result_tables(mixed, tracker, ["good", "lost"])
    assert text.count("\nmean ") == 2
    assert "t/p on otb" in text
    assert "t/p on uav" in text


def test_engine_and_precision_stand_below(tracker):
    wanted = ["good", "lost"]
    assert "engine:" not in result_tables(sequences(), tracker, wanted)
    manifest = Manifest.open(Path(tracker.results_dir), "t", "p")
    for name, fingerprint in zip(wanted, "12", strict=True):
        manifest.record(name, fingerprint, "otb", TRUTH[0], [1.0] * 5, {})
        precision = {"1": "f32", "2": "bf16"}[fingerprint]
        manifest.begin(fingerprint, {"engine": "openvino", "precision": precision})
    manifest.write()
    assert "engine: openvino f32" in result_tables(sequences(), tracker, wanted[:1])
    with pytest.warns(UserWarning, match="older settings"):
        text = result_tables(sequences(), tracker, wanted)
    assert "engine: MIXED, by sequences: openvino f32 (1), openvino bf16 (1)" in text
