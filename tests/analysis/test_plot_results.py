"""pytracking's names: they return frames and figures, write files, need no display."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from pytracking_et.analysis import plot_results as api
from pytracking_et.analysis.comparison import compare
from pytracking_et.errors import ParameterError, ResultsError


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """result_plot_path of the settings, by their environment variable."""
    monkeypatch.setenv("PYTRACKING_ET_RESULT_PLOT_PATH", str(tmp_path / "plots"))
    return tmp_path / "plots" / "my report"


def test_plot_results_writes_three_formats(world, folder):
    figures = api.plot_results(
        world.trackers, world.sequences, "my report", plot_types=("success", "prec", "norm_prec")
    )
    assert all(isinstance(figure, Figure) for figure in figures.values())
    for name in ("success", "precision", "norm_precision"):
        assert (folder / f"{name}_plot.pdf").read_bytes().startswith(b"%PDF")
        assert "<svg" in (folder / f"{name}_plot.svg").read_text()
        image = cv2.imread(str(folder / f"{name}_plot.png"))
        assert image.shape[0] > 500
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20
    (axes,) = figures["success"].axes
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    auc = compare(world.trackers, world.sequences).figures()["auc"].sort_values(ascending=False)
    assert texts == [f"{label} [{value:.1f}]" for label, value in auc.items()]
    assert "rule pytracking" in figures["success"].texts[0].get_text()


def test_a_string_means_that_one_plot_type(world, folder):
    assert set(api.plot_results(world.trackers, world.sequences, "r", plot_types="norm_prec")) == {
        "norm_prec"
    }


def test_no_pyplot_and_no_display(world, tmp_path):
    code = (
        "import sys, pytracking_et.analysis.plot_results, pytracking_et.analysis.report\n"
        "sys.exit('matplotlib.pyplot' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_figure_files_are_reproducible(world, tmp_path):
    for run in "ab":
        api.plot_results(world.trackers, world.sequences, run, output=tmp_path)
    for form in ("pdf", "svg", "png"):
        one, two = ((tmp_path / run / f"success_plot.{form}").read_bytes() for run in "ab")
        assert one == two, form


def test_plot_options(world, tmp_path):
    figures = api.plot_results(
        world.trackers, world.sequences, "r", output=tmp_path, formats=["png"],
        plot_opts={"title": "Mine", "xlim": (0.2, 0.8)},
    )  # fmt: skip
    assert figures["success"].axes[0].get_title() == "Mine"
    assert figures["success"].axes[0].get_xlim() == (0.2, 0.8)
    assert [path.name for path in (tmp_path / "r").glob("*plot*")] == ["success_plot.png"]


def test_unknown_plot_type(world, tmp_path):
    with pytest.raises(ParameterError, match="'auc'.*success, prec"):
        api.plot_results(world.trackers, world.sequences, "r", plot_types="auc", output=tmp_path)


def test_print_results(world, tmp_path, capsys):
    frame = api.print_results(
        world.trackers, world.sequences, "r", plot_types=("success", "prec"), output=tmp_path,
        merge_results=True, verbose=True,
    )  # fmt: skip
    assert list(frame.columns) == ["auc", "op50", "op75", "precision"]
    printed = capsys.readouterr().out
    assert "rule pytracking" in printed
    assert f"{frame.loc['poor_default', 'auc']:.2f}" in printed


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        (None, ["a", "b", "c"]),
        ({"mode": "ao_min", "threshold": 40}, ["b", "c"]),
        ({"mode": "ao_max", "threshold": 40}, ["c"]),
        ({"mode": "delta_ao", "threshold": 30}, ["b"]),
    ],
)
def test_filters(criteria, expected):
    frame = pd.DataFrame({"t1": [80, 70, 10], "t2": [75, 30, 20]}, index=["a", "b", "c"])
    assert list(api.filter_sequences(frame, criteria).index) == expected


@pytest.mark.parametrize("criteria", [{"mode": "ao"}, {"mode": "ao_min"}])
def test_filters_that_are_none(criteria):
    with pytest.raises(ParameterError, match="ao_min, ao_max, delta_ao"):
        api.filter_sequences(pd.DataFrame(), criteria)


def test_print_per_sequence_results(world, tmp_path, capsys):
    frame = api.print_per_sequence_results(
        world.trackers, world.sequences, "r", output=tmp_path,
        filter_criteria={"mode": "ao_min", "threshold": 50},
    )  # fmt: skip
    assert "Gamma" in frame.index
    assert "Average overlap" in capsys.readouterr().out


def test_attributes(world, tmp_path, capsys):
    a, b, c, d = world.sequences
    groups = {"OCC": [a, b], "FM": [c], "SV": [b, c, d], "LR": []}
    frame = api.print_results_per_attribute(world.trackers, groups, "r")
    assert list(frame.index) == ["OCC (2)", "FM (1)", "SV (3)", "ALL (4)"]
    expected = compare(world.trackers, [a, b]).figures()["auc"]
    assert frame.loc["OCC (2)"].to_list() == pytest.approx(expected.to_list())
    figure = api.plot_attributes_radar(world.trackers, groups, "r", output=tmp_path)
    assert len(figure.axes[0].lines) == 3
    assert (tmp_path / "r" / "radar_plot.pdf").exists()


def test_radar_needs_three_attributes(world, tmp_path):
    with pytest.raises(ParameterError, match="three attributes"):
        api.plot_attributes_radar(world.trackers, {"A": world.sequences}, "r", output=tmp_path)


def test_curves():
    rates = np.zeros((3, 2, 21))
    rates[0, 0], rates[1, 0], rates[2] = 1.0, 0.5, 9.0
    curve, auc = api.get_auc_curve(rates, [True, True, False])
    assert auc.tolist() == [75.0, 0.0]
    assert curve.shape == (2, 21)
    steps = np.arange(51) / 50 * np.ones((2, 1, 1))
    curve, precision = api.get_prec_curve(steps, [True, True])
    assert precision == pytest.approx([40.0])


def test_no_valid_sequence():
    with pytest.raises(ResultsError, match="no valid sequence"):
        api.get_auc_curve(np.zeros((2, 1, 21)), [False, False])


def test_eval_data_has_pytrackings_keys(world, tmp_path):
    data = api.check_and_load_precomputed_results(
        world.trackers, world.sequences, "r", output=tmp_path
    )
    assert (tmp_path / "r" / "eval_data.npz").exists()
    assert data["ave_success_rate_plot_overlap"].shape == (4, 3, 21)
    assert data["ave_success_rate_plot_center"].shape == (4, 3, 51)
    assert data["avg_overlap_all"].shape == (4, 3)
    assert data["trackers"][1] == {
        "name": "poor", "param": "default", "run_id": 0, "disp_name": None,
    }  # fmt: skip
    merged = api.merge_multiple_runs(data)
    expected = data["ave_success_rate_plot_overlap"][:, 1:].mean(axis=1)
    assert merged["ave_success_rate_plot_overlap"].shape == (4, 2, 21)
    assert merged["ave_success_rate_plot_overlap"][:, 1] == pytest.approx(expected)


def test_merging_leaves_out_invalid_sequences(world, tmp_path):
    data = api.check_and_load_precomputed_results(
        world.trackers, world.sequences, "r", output=tmp_path
    )
    data["valid_sequence"][2] = False
    assert api.merge_multiple_runs(data)["sequences"] == ["Alpha", "Beta-1", "Delta_2"]


def test_generate_formatted_report():
    text = api.generate_formatted_report(["a", "bb"], {"AUC": [1.0, 2.5], "P": [3, 4]}, "Mine")
    assert text.splitlines() == [
        "Mine", "Mine   AUC     P", "----------------", "a     1.00  3.00", "bb    2.50  4.00",
    ]  # fmt: skip


def test_styles_differ():
    styles = api.get_plot_draw_styles()
    assert len({(s["color"], s["line_style"]) for s in styles}) == len(styles) >= 32


def test_got_success(world, tmp_path):
    report = {"good_default": {"overall": {"ao": 0.6, "succ_curve": [1, 0.5, 0]}}}
    (tmp_path / "good_default.json").write_text(json.dumps(report))
    figure = api.plot_got_success(
        world.trackers[:1], "r", output=tmp_path, got_reports_path=tmp_path
    )
    (line,) = figure.axes[0].lines
    assert line.get_ydata().tolist() == [100, 50, 0]
    assert line.get_label() == "good_default [60.0]"


@pytest.mark.parametrize("text", ["x", "{}", '{"a": {"overall": {}}}'])
def test_got_report_that_is_none(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ResultsError, match="expected a GOT-10k report"):
        api.plot_got_success([tmp_path / "a.json"], "r", output=tmp_path, got_reports_path="x")


def test_f1_plot(world, tmp_path):
    for one in world.sequences:
        path = Path(world.trackers[0].results_dir) / f"{one.name}_object_presence_scores.txt"
        path.write_text("\n".join(f"{v:f}" for v in np.linspace(1, 0, len(one.frames))))
    figures = api.plot_results(
        world.trackers[:1], world.sequences, "r", plot_types="f1_prec_rec", output=tmp_path
    )
    assert len(figures["f1_prec_rec"].axes[0].lines) == 1
    assert (tmp_path / "r" / "f1_prec_rec_plot.pdf").exists()


def test_the_longterm_plot_leaves_out_what_was_not_run(world, tmp_path):
    folder = Path(world.trackers[0].results_dir)
    for one in world.sequences[1:]:
        path = folder / f"{one.name}_object_presence_scores.txt"
        np.savetxt(path, np.linspace(1, 0, len(one.frames)), fmt="%f")
    for path in folder.glob("Alpha*"):
        path.unlink()
    drawn = [
        api.plot_results(
            world.trackers[:1], chosen, "r", plot_types="f1_prec_rec", output=tmp_path, **options
        )["f1_prec_rec"]
        for chosen, options in (
            (world.sequences, {"skip_missing_seq": True}),
            (world.sequences[1:], {}),
        )
    ]
    assert "1 sequence(s) skipped for missing results: Alpha" in drawn[0].get_label()
    assert "boxes of SEQ.txt" in drawn[0].get_label()
    lines = [figure.axes[0].lines[0].get_ydata().tolist() for figure in drawn]
    assert lines[0] == lines[1]


@pytest.mark.parametrize(
    ("merge", "shown"),
    [(False, ["ours 000", "ours 001"]), (True, ["ours"])],
)
def test_runs_under_one_name_in_the_longterm_plot(world, tmp_path, merge, shown):
    rng = np.random.default_rng(3)
    runs = world.trackers[1:]
    for run in runs:
        run.display_name = "ours"
        for one in world.sequences:
            path = Path(run.results_dir) / f"{one.name}_object_presence_scores.txt"
            np.savetxt(path, rng.uniform(size=len(one.frames)), fmt="%f")
    figures = api.plot_results(
        runs, world.sequences, "r", merge, plot_types=["f1_prec_rec"], output=tmp_path
    )
    (axes,) = figures["f1_prec_rec"].axes
    texts = [text.get_text().rpartition(" [")[0] for text in axes.get_legend().get_texts()]
    assert sorted(texts) == shown
    assert len(axes.lines) == len(shown)


def test_names_that_the_output_cannot_show(world, tmp_path, monkeypatch):
    world.trackers[0].display_name = "追踪"
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, "cp1252", write_through=True))
    given = world.trackers[:1], world.sequences, "r"
    assert list(api.print_results(*given, output=tmp_path).index) == ["追踪"]
    api.print_per_sequence_results(*given, output=tmp_path)
    api.print_results_per_attribute(given[0], {"OCC": given[1]}, "r", output=tmp_path)
    assert output.getvalue().count(rb"\u8ffd\u8e2a") == 3


def test_one_format_needs_no_list(world, tmp_path):
    api.plot_results(world.trackers[:1], world.sequences, "r", output=tmp_path, formats="png")
    assert {path.suffix for path in (tmp_path / "r").iterdir()} == {".png", ".npz"}


def test_a_folder_is_a_tracker_too(world, tmp_path):
    frame = api.print_results(
        [world.trackers[0].results_dir], world.sequences, "r", output=tmp_path
    )
    assert list(frame.index) == ["default"]
