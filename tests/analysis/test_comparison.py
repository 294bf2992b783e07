"""Several trackers on a data set: stacked, merged, cached by content."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pytracking_et.analysis import comparison, score
from pytracking_et.analysis.comparison import compare, skipped_note
from pytracking_et.analysis.summary import summary_table
from pytracking_et.analysis.trackers import labels_of
from pytracking_et.errors import ResultsError


def test_figures_are_those_of_score(world):
    data = compare(world.trackers, world.sequences)
    assert data.labels == ["good_default", "poor_default_000", "poor_default_001"]
    for label, boxes in zip(data.labels, world.predictions.values(), strict=True):
        whole = {name: np.trunc(rows) for name, rows in boxes.items()}
        expected = score(whole, world.truth)
        assert data.figures().loc[label].to_dict() == pytest.approx(expected.as_dict())
        assert data.per_sequence("auc")[label].to_list() == pytest.approx(
            expected.per_sequence["auc"].to_list()
        )


def test_subpixel_reads_the_float_files(world):
    fine, whole = (
        compare(world.trackers[:1], world.sequences, subpixel=subpixel).figures()["auc"].iloc[0]
        for subpixel in (True, False)
    )
    boxes = {name: np.round(rows, 4) for name, rows in world.predictions["good"].items()}
    assert fine == pytest.approx(score(boxes, world.truth).auc)
    assert fine != pytest.approx(whole)
    assert "sub-pixel boxes" in compare(world.trackers, world.sequences, subpixel=True).note


def test_runs_are_averaged(world):
    apart = compare(world.trackers, world.sequences).figures()
    merged = compare(world.trackers, world.sequences, merge_results=True)
    assert merged.labels == ["good_default", "poor_default"]
    assert labels_of(world.trackers, True) == ["good_default", "poor_default", "poor_default"]
    expected = apart.iloc[1:].mean()
    assert merged.figures().loc["poor_default"].to_list() == pytest.approx(expected.to_list())
    assert merged.trackers[1]["run_id"] is None


def test_missing_sequences_raise_or_are_skipped_for_all(world):
    (Path(world.trackers[1].results_dir) / "Gamma.txt").unlink()
    with pytest.raises(ResultsError, match="lacks 1 of 4 sequences: Gamma"):
        compare(world.trackers, world.sequences)
    data = compare(world.trackers, world.sequences, skip_missing_seq=True)
    assert data.sequences == ("Alpha", "Beta-1", "Delta_2")
    assert data.skipped == ("Gamma",)
    assert "1 sequence(s) skipped for missing results: Gamma" in data.note


def test_of_many_skipped_sequences_some_are_named():
    assert skipped_note([]) == ""
    assert skipped_note(list("abcdefgh")).endswith("results: a, b, c, d, e, f, g, h")
    assert skipped_note(list("abcdefghij")).endswith(
        "10 sequence(s) skipped for missing results: a, b, c, d, e, f, g, h and 2 more"
    )


def test_skipping_everything_is_an_error(world):
    for file in Path(world.trackers[1].results_dir).glob("*.txt"):
        file.unlink()
    with pytest.raises(ResultsError, match="no sequence has results of every tracker"):
        compare(world.trackers, world.sequences, skip_missing_seq=True)


def test_no_trackers(world):
    with pytest.raises(ResultsError, match="no trackers"):
        compare([], world.sequences)


@pytest.fixture
def counted(monkeypatch):
    """How often scores were computed."""
    calls = []
    real = comparison.score_annotated

    def counting(*args, **kwargs):
        calls.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(comparison, "score_annotated", counting)
    return calls


def test_cache_is_used_and_equal(world, tmp_path, counted):
    cache = tmp_path / "eval_data.npz"
    first = compare(world.trackers, world.sequences, cache=cache)
    again = compare(world.trackers, world.sequences, cache=cache)
    assert len(counted) == 3
    assert again.figures().equals(first.figures())
    assert (again.note, again.labels, again.sequences) == (
        first.note, first.labels, first.sequences,
    )  # fmt: skip
    compare(world.trackers, world.sequences, cache=cache, force_evaluation=True)
    assert len(counted) == 6


def test_cache_knows_what_was_skipped(world, tmp_path):
    (Path(world.trackers[0].results_dir) / "Alpha.txt").unlink()
    cache = tmp_path / "eval_data.npz"
    compare(world.trackers, world.sequences[1:], cache=cache)
    found = compare(world.trackers, world.sequences, cache=cache, skip_missing_seq=True)
    assert found.skipped == ("Alpha",) and "Alpha" in found.note


def change_a_result(world):
    path = Path(world.trackers[0].results_dir) / "Alpha.txt"
    path.write_text(path.read_text().replace("\t", ","))


def change_the_truth(world):
    world.sequences[0].ground_truth_rect[3] += 1


def test_cache_notices_flags_of_frames_without_a_box(world, tmp_path):
    for one in world.sequences:
        one.dataset = "lasot"
        one.ground_truth_rect[5] = 0
        one.target_visible = np.ones(len(one.frames), bool)
    cache = tmp_path / "eval_data.npz"
    seen = compare(world.trackers, world.sequences, cache=cache).norm_precision
    for one in world.sequences:
        one.target_visible[5] = False
    absent = compare(world.trackers, world.sequences, cache=cache).norm_precision
    assert (absent < seen).any()


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (change_a_result, {}),
        (change_the_truth, {}),
        (None, {"plot_bin_gap": 0.01}),
        (None, {"exclude_invalid_frames": True}),
        (None, {"rule": "ettrack"}),
        (None, {"subpixel": True}),
        (None, {"merge_results": True}),
    ],
)
def test_cache_notices_every_change(world, tmp_path, counted, change, options):
    cache = tmp_path / "eval_data.npz"
    compare(world.trackers, world.sequences, cache=cache)
    if change:
        change(world)
    compare(world.trackers, world.sequences, cache=cache, **options)
    assert len(counted) == 6


def test_cache_of_another_version_is_not_used(world, tmp_path, counted, monkeypatch):
    cache = tmp_path / "eval_data.npz"
    compare(world.trackers, world.sequences, cache=cache)
    before = len(counted)
    monkeypatch.setattr(comparison, "__version__", "0.0.1")
    compare(world.trackers, world.sequences, cache=cache)
    assert len(counted) > before


def test_box_file_replaced_by_another_program(world, tmp_path):
    """pytracking writes whole pixels and leaves our sub-pixel boxes of an older run beside them."""
    cache = tmp_path / "eval_data.npz"
    options = {"subpixel": True, "cache": cache}
    compare(world.trackers[:1], world.sequences, **options)
    whole = Path(world.trackers[0].results_dir) / "Gamma.txt"
    whole.write_text("1\t1\t9\t9\n" * len(world.truth["Gamma"]))
    with pytest.raises(ResultsError, match=r"Gamma_float\.txt and Gamma\.txt .*different runs"):
        compare(world.trackers[:1], world.sequences, **options)
    assert compare(world.trackers[:1], world.sequences).sequences


def test_folder_in_place_of_a_result_file(world, tmp_path):
    path = Path(world.trackers[0].results_dir) / "Gamma.txt"
    path.unlink()
    path.mkdir()
    with pytest.raises(ResultsError, match=r"cannot read .*Gamma\.txt"):
        compare(world.trackers[:1], world.sequences, cache=tmp_path / "e.npz")


def test_a_bad_box_is_named_with_its_tracker(world):
    folder = Path(world.trackers[1].results_dir)
    lines = (folder / "Gamma.txt").read_text().splitlines()
    (folder / "Gamma.txt").write_text("\n".join([*lines[:4], "1\t2\t-3\t4", *lines[5:]]) + "\n")
    with pytest.raises(ResultsError, match=r"poor.default_000: prediction of .*'Gamma', row 5"):
        compare(world.trackers, world.sequences)


def test_broken_cache_says_what_to_do(world, tmp_path):
    cache = tmp_path / "eval_data.npz"
    cache.write_bytes(b"nothing")
    with pytest.raises(ResultsError, match="force_evaluation"):
        compare(world.trackers, world.sequences, cache=cache)


def test_cache_holds_no_pickle(world, tmp_path):
    compare(world.trackers, world.sequences, cache=tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz", allow_pickle=False) as stored:
        assert {stored[name].dtype.kind for name in stored} <= set("fiu")


def test_excluding_invalid_frames(world):
    rows = world.sequences[0].ground_truth_rect
    rows[5:15] = np.nan
    data = compare(world.trackers[:1], world.sequences[:1], exclude_invalid_frames=True)
    valid = np.isfinite(rows[:, 0])
    boxes = np.trunc(world.predictions["good"]["Alpha"])
    expected = score({"a": boxes[valid]}, {"a": rows[valid]})
    assert data.figures()["auc"].iloc[0] == pytest.approx(expected.auc)
    assert data.figures()["norm_precision"].iloc[0] == pytest.approx(expected.norm_precision)


def test_a_sequence_without_valid_frames_has_no_say_when_excluded(world):
    world.sequences[0].ground_truth_rect[:] = np.nan
    data = compare(world.trackers[:1], world.sequences, exclude_invalid_frames=True)
    assert np.isnan(data.per_sequence("auc").iloc[0, 0])
    rest = compare(world.trackers[:1], world.sequences[1:], exclude_invalid_frames=True)
    assert data.figures()["auc"].iloc[0] == pytest.approx(rest.figures()["auc"].iloc[0])


def test_op75_needs_its_threshold(world):
    data = compare(world.trackers[:1], world.sequences, plot_bin_gap=0.1)
    assert np.isnan(data.figures()["op75"].iloc[0])
    assert data.figures()["op50"].iloc[0] > 0


def test_same_labels_are_told_apart(world):
    for one in world.trackers:
        one.display_name = "mine"
    assert labels_of(world.trackers) == ["mine", "mine 000", "mine 001"]


def test_notes_tell_engine_and_precision(world, tmp_path):
    """So they stand under every table and plot, and in CSV and JSON."""

    def manifest(tracker, **precisions):
        content = {
            "format": 1,
            "sequences": {name: {"fingerprint": p} for name, p in precisions.items()},
            "settings": {p: {"engine": "onnx", "precision": p} for p in precisions.values()},
        }
        path = Path(tracker.results_dir) / "manifest.json"
        path.write_text(json.dumps(content), encoding="utf-8")

    cache = tmp_path / "cache.npz"
    names = {"Alpha": "f32", "Beta-1": "f32", "Gamma": "f32", "Delta_2": "f32"}
    assert "engine" not in compare(world.trackers, world.sequences, cache=cache).note
    manifest(world.trackers[0], **names)
    data = compare(world.trackers, world.sequences, cache=cache)
    assert data.note.endswith("; engines: onnx f32 (good_default)")
    for one in world.trackers:
        manifest(one, **names)
    data = compare(world.trackers, world.sequences, cache=cache)
    assert data.note.endswith("; engine: onnx f32")
    table = summary_table(data)
    for form in ("text", "md", "csv", "json"):
        assert "engine: onnx f32" in table.render(form)
    with pytest.warns(UserWarning, match="older settings"):
        manifest(world.trackers[0], **{**names, "Alpha": "int8"})
        data = compare(world.trackers, world.sequences, cache=cache)
    assert "MIXED, by sequences: onnx f32 (3), onnx int8 (1) (good_default)" in data.note
