"""score() against golden figures, a frame-by-frame reference, and edge cases."""

from __future__ import annotations

import json
import tarfile

import numpy as np
import pytest

from pytracking_et.analysis import read_ground_truth, read_results, score
from pytracking_et.analysis.scoring import score_got10k
from pytracking_et.errors import DatasetError, ParameterError, ResultsError

from . import reference

NAMES = ("auc", "precision", "norm_precision", "op50", "op75")
GOLDEN = [
    ("OTB100", "ATOM"),
    ("OTB100", "ECO"),
    ("OTB100", "KCF"),
    ("UAV123", "AutoTrack"),
]


@pytest.mark.parametrize("rule", ["pytracking", "ettrack"])
@pytest.mark.parametrize(("dataset", "tracker"), GOLDEN)
def test_golden(shared, tmp_path, dataset, tracker, rule):
    results = shared / "results"
    folder = results / "raw" / dataset / tracker
    packed = folder.with_name(f"{tracker}.tar.gz")
    if packed.exists():
        with tarfile.open(packed) as archive:
            archive.extractall(tmp_path, filter="data")
        folder = tmp_path / tracker
    truth = read_ground_truth(results / "gt" / dataset)
    got = score(read_results(folder, truth), truth, dataset=dataset, rule=rule)
    expected = json.loads((results / "golden.json").read_text())[dataset][tracker][rule]
    for name in ("auc", "precision", "norm_precision"):
        assert getattr(got, name) == pytest.approx(expected[name], abs=0.0002), name
    assert len(got.per_sequence) == expected["sequences"]


def random_set(seed, integers, short):
    """Sequences with every kind of trouble: absent frames, zero boxes, short and long results."""
    rng = np.random.default_rng(seed)
    truth, predictions, visible = {}, {}, {}
    for i in range(12):
        n = int(rng.integers(1, 40))
        start = rng.uniform(20, 80, 2)
        path = start + np.cumsum(rng.normal(0, 4, (n, 2)), axis=0)
        boxes = np.hstack([path, rng.uniform(8, 40, (n, 2))])
        guess = boxes + rng.normal(0, 4, (n, 4)) * rng.choice([0, 1, 3], (n, 1))
        guess[:, 2:] = np.abs(guess[:, 2:])
        guess[1:][rng.random(n - 1) < 0.1, 2 + int(rng.integers(2))] = 0
        boxes[rng.random(n) < 0.15] = np.nan
        boxes[rng.random(n) < 0.1] = 0
        boxes[rng.random(n) < 0.1, 0] = 0
        if integers:
            boxes, guess = np.round(boxes), np.floor(guess)
        rows = n + int(rng.integers(-3 if short else 0, 4)) if i % 2 else n
        guess = np.vstack([guess, np.ones((3, 4))])[: max(rows, 1)]
        truth[f"s{i}"], predictions[f"s{i}"] = boxes, guess
        visible[f"s{i}"] = rng.random(n) < 0.8
    return predictions, truth, visible


@pytest.mark.parametrize("integers", [True, False])
@pytest.mark.parametrize("flags", [True, False])
@pytest.mark.parametrize("rule", ["pytracking", "ettrack", "lasot-toolkit"])
@pytest.mark.parametrize("dataset", ["otb", "uav", "lasot", "nfs"])
@pytest.mark.filterwarnings("ignore:lasot is scored without visibility", "ignore:sequence '")
def test_equals_the_slow_reference(dataset, rule, flags, integers):
    for seed in range(3):
        predictions, truth, visible = random_set(seed, integers, short=dataset != "lasot")
        visible = visible if flags else None
        got = score(predictions, truth, dataset, rule, visible)
        expected = reference.score(predictions, truth, dataset, rule, visible)
        assert [getattr(got, name) for name in NAMES] == pytest.approx(expected, abs=1e-9)


BOX = [10.0, 20.0, 30.0, 40.0]
NAN = [np.nan] * 4
FAR = [1000.0, 1000.0, 30.0, 40.0]
ZERO = [0.0] * 4
HUGE = [1.0, 1.0, 1e200, 1e200]


@pytest.mark.parametrize(
    ("predicted", "truth", "dataset", "auc", "precision", "norm_precision"),
    [
        pytest.param([BOX], [BOX], "otb", 95.238, 100, 100, id="single frame"),
        pytest.param([FAR], [BOX], "otb", 95.238, 100, 100, id="first frame is replaced"),
        pytest.param([BOX] * 2, [BOX, FAR], "otb", 47.619, 50, 50, id="one miss"),
        pytest.param([BOX] * 2, [NAN, NAN], "otb", 0, 0, 100, id="all absent"),
        pytest.param([BOX] * 2, [NAN, NAN], "uav", 0, 100, 100, id="all absent, UAV habit"),
        pytest.param([BOX], [BOX, BOX], "otb", 47.619, 50, 50, id="short: padded with zeros"),
        pytest.param([BOX, BOX, FAR], [BOX] * 2, "otb", 95.238, 100, 100, id="long: cut"),
        pytest.param([BOX, [0, 0, 0, 5]], [BOX] * 2, "otb", 95.238, 100, 100, id="zero repeats"),
        pytest.param(
            [[1, 1, 0, 0], [1, 1, 0, 0]], [BOX] * 2, "otb", 47.619, 50, 50,
            id="zero repeats the tracker's own first box",
        ),
        pytest.param(
            [BOX, BOX, ZERO, ZERO, BOX, BOX], [BOX, BOX, NAN, BOX, BOX, BOX], "uav",
            63.492, 500 / 6, 500 / 6, id="zero stays where the annotation is NaN",
        ),
        pytest.param(
            [BOX, BOX, ZERO, ZERO], [BOX, BOX, ZERO, BOX], "uav", 71.429, 100, 100,
            id="zero repeats where the annotation is a zero box",
        ),
        pytest.param([BOX, HUGE], [BOX, HUGE], "otb", 47.619, 100, 100, id="NaN IoU is no hit"),
        pytest.param([BOX, BOX], [BOX, [0, 20, 30, 40]], "otb", 47.619, 50, 100, id="x = 0"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:sequence 'a' has")
def test_edge_cases(predicted, truth, dataset, auc, precision, norm_precision):
    got = score({"a": predicted}, {"a": truth}, dataset)
    assert got.auc == pytest.approx(auc, abs=1e-3)
    assert got.precision == pytest.approx(precision)
    assert got.norm_precision == pytest.approx(norm_precision)


def test_interface_document_example():
    """Always 1000 px off, 12 frames of which 7 absent: 8 hits on UAV (the first and the 7)."""
    truth = [BOX] * 5 + [NAN] * 7
    got = score({"a": [FAR] * 12}, {"a": truth}, "uav")
    assert got.precision == pytest.approx(100 * 8 / 12)


def test_perfect_subpixel_tracker_scores_95_24():
    boxes = np.random.default_rng(0).uniform(1, 500, (5000, 4))
    assert score({"a": boxes}, {"a": boxes}).auc == pytest.approx(100 * 20 / 21)


def test_a_frame_with_x_zero_differs_between_rules():
    truth = [BOX] * 3 + [[0, 5, 30, 40]] * 9
    scores = {
        rule: score({"a": truth}, {"a": truth}, rule=rule) for rule in ("pytracking", "ettrack")
    }
    assert scores["pytracking"].auc == pytest.approx(23.81, abs=0.01)
    assert scores["ettrack"].auc == pytest.approx(95.24, abs=0.01)
    assert "rule pytracking" in scores["pytracking"].note
    assert "9 of 12 frames invalid" in scores["pytracking"].note


@pytest.mark.parametrize("rows", [2, 5])
def test_rows_that_differ_are_warned_of_and_noted(rows):
    truth = {"good": [BOX] * 3, "odd": [BOX] * 3}
    text = f"'odd' has {rows} boxes for 3 annotated frames"
    with pytest.warns(UserWarning, match=text):
        got = score({"good": [BOX] * 3, "odd": [BOX] * rows}, truth)
    assert got.rows_note == f"ROWS DIFFER: {text}"
    assert score(truth, truth).rows_note == ""


def test_a_short_result_on_lasot_is_refused():
    truth, seen = {"airplane-1": [BOX] * 6}, {"airplane-1": [True] * 6}
    with pytest.raises(ResultsError, match="'airplane-1' has 3 boxes for 6 annotated frames"):
        score({"airplane-1": [BOX] * 3}, truth, "lasot", visible=seen)
    with pytest.warns(UserWarning, match="8 boxes for 6"):
        score({"airplane-1": [BOX] * 8}, truth, "lasot", visible=seen)


@pytest.mark.parametrize("bad", [[np.nan, 1, 2, 3], [1, 1, -2, 3], [1, 1, 2, np.inf]])
def test_invalid_predictions_name_sequence_and_row(bad):
    with pytest.raises(ResultsError, match=r"'b', row 3.*"):
        score({"a": [BOX] * 3, "b": [BOX, BOX, bad]}, {"a": [BOX] * 3, "b": [BOX] * 3})


def test_invalid_predictions_that_are_not_scored_are_ignored():
    truth, bad = [[1, 1, 2, 2]] * 2, [[np.nan] * 4] * 2
    with pytest.warns(UserWarning, match="surplus ones are left out"):
        assert score({"a": truth + bad, "b": bad}, {"a": truth}).auc == pytest.approx(
            95.238, abs=1e-3
        )


def test_negative_positions_are_fine():
    assert score({"a": [BOX, [-5, -5, 30, 40]]}, {"a": [BOX, BOX]}).auc > 47


def test_names_match_whatever_the_spelling():
    truth = {"Jogging_1": [BOX], "uav_bike1": [BOX], "Human4_2": [BOX]}
    predictions = {"Jogging-1": [FAR], "bike1": [FAR], "human4": [FAR], "other": [FAR]}
    assert list(score(predictions, truth).per_sequence.index) == list(truth)


def test_lasot_without_visibility_warns_and_says_so():
    with pytest.warns(UserWarning, match="without visibility flags"):
        got = score({"a": [BOX]}, {"a": [BOX]}, "lasot")
    assert "VISIBILITY FLAGS MISSING" in got.note


ONE = {"a": [BOX]}


@pytest.mark.parametrize(
    ("function", "truth", "options", "error", "message"),
    [
        (score, {}, {}, DatasetError, "no sequences"),
        (score, {**ONE, "b": [BOX]}, {}, ResultsError, "1 of 2 sequences: b"),
        (score, ONE, {"rule": "mine"}, ParameterError, "'mine'.*pytracking, ettrack, lasot-too"),
        (score, ONE, {"dataset": "lasot", "visible": {}}, DatasetError, "'a' is missing"),
        (score, ONE, {"dataset": "lasot", "visible": {"a": [1, 0]}}, DatasetError, "2 flags for 1"),
        *(
            (score, ONE, {"dataset": name}, DatasetError, "hidden")
            for name in ("got10k_test", "trackingnet", "GOT-10k test", "TrackingNet")
        ),
        (score_got10k, ONE, {"dataset": "got10k_test"}, DatasetError, "hidden"),
        (score_got10k, ONE, {}, ResultsError, "no frame to count"),
    ],
)
def test_what_cannot_be_scored(function, truth, options, error, message):
    with pytest.raises(error, match=message):
        function(ONE, truth, **options)


def test_got10k_without_a_run():
    with pytest.raises(ResultsError, match="no runs to score"):
        score_got10k([], ONE)


GOT_BOX = [0.0, 0.0, 10.0, 10.0]
HALF = [0.0, 0.0, 10.0, 6.0]  # IoU 0.6
GOT_FAR = [100.0, 0.0, 10.0, 10.0]


def test_got10k_by_hand():
    truth = {"a": [GOT_BOX] * 4, "b": [GOT_BOX] * 2}
    got = score_got10k({"a": [GOT_FAR, GOT_BOX, HALF, GOT_FAR], "b": [GOT_BOX, GOT_BOX]}, truth)
    # The first frames are not counted: IoU 1, 0.6, 0 and 1, all of one weight.
    assert got.ao == pytest.approx(100 * 2.6 / 4)
    assert got.sr50 == pytest.approx(75)
    assert got.sr75 == pytest.approx(50)
    assert got.per_sequence["ao"].to_list() == pytest.approx([100 * 1.6 / 3, 100])
    assert got.curve[[0, 55, 65, 100]].tolist() == [0.75, 0.75, 0.5, 0.0]


def test_absent_frames_are_not_counted():
    truth = {"a": [GOT_BOX] * 4}
    runs = {"a": [GOT_BOX, GOT_FAR, GOT_BOX, HALF]}
    got = score_got10k(runs, truth, visible={"a": [1, 0, 1, 1]})
    assert got.ao == pytest.approx(80)
    assert got.per_sequence["frames"].to_list() == [2]


def test_three_runs_count_together():
    truth = {"a": [GOT_BOX] * 2}
    runs = [{"a": [GOT_BOX, box]} for box in (GOT_BOX, HALF, GOT_FAR)]
    assert score_got10k(runs, truth).ao == pytest.approx(100 * 1.6 / 3)


def test_boxes_are_cut_at_the_border():
    truth = {"a": [[0, 0, 10, 10]] * 2}
    runs = {"a": [[0, 0, 10, 10], [0, 0, 40, 10]]}
    assert score_got10k(runs, truth).ao == pytest.approx(25)
    assert score_got10k(runs, truth, image_sizes={"a": (20, 20)}).ao == pytest.approx(50)


def test_got10k_cuts_nothing_where_the_picture_is_not_known():
    truth, runs = {"a": [[5, 0, 30, 30]] * 2}, {"a": [[5, 0, 30, 30], [-10, 0, 40, 30]]}
    assert score_got10k(runs, truth, image_sizes={}).ao == score_got10k(runs, truth).ao


def test_got10k_counts_boxes_without_area_as_misses():
    truth = {"a": [GOT_BOX] * 3}
    runs = {"a": [GOT_BOX, GOT_BOX, [0, 0, 10, 0]]}
    assert score_got10k(runs, truth).ao == pytest.approx(50)


def test_random_against_reference():
    rng = np.random.default_rng(3)
    truth = {f"s{i}": rng.uniform(1, 50, (int(rng.integers(2, 20)), 4)) for i in range(8)}
    runs = {name: np.abs(rows + rng.normal(0, 5, rows.shape)) for name, rows in truth.items()}
    values = []
    for name, rows in truth.items():
        for a, b in zip(rows[1:], runs[name][1:], strict=True):
            w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
            h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
            shared = max(w, 0) * max(h, 0)
            values.append(shared / (a[2] * a[3] + b[2] * b[3] - shared))
    got = score_got10k(runs, truth)
    assert got.ao == pytest.approx(100 * np.mean(values))
    assert got.sr75 == pytest.approx(100 * np.mean(np.array(values) > 0.75))
