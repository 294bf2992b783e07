"""`ettrack results`, `ettrack report` and the selection of trackers and ground truth."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from pytracking_et.analysis import score
from pytracking_et.commands import main

BOX = [10.0, 20.0, 30.0, 40.0]


@pytest.fixture
def place(tmp_path):
    """Two sequences and two runs of one tracker, the second with errors."""
    rng = np.random.default_rng(0)
    truth = {name: np.tile(BOX, (20, 1)) + rng.integers(0, 9, (20, 1)) for name in ("Deer", "Man")}
    (tmp_path / "gt").mkdir()
    for name, rows in truth.items():
        np.savetxt(tmp_path / "gt" / f"{name}.txt", rows, fmt="%d", delimiter=",")
    for run in range(2):
        folder = tmp_path / "res" / "et" / f"default_{run:03d}"
        folder.mkdir(parents=True)
        for name, rows in truth.items():
            boxes = rows + rng.integers(-5 * run, 5 * run + 1, rows.shape)
            np.savetxt(folder / f"{name}.txt", boxes, fmt="%d", delimiter="\t")
            np.savetxt(folder / f"{name}_time.txt", np.full(20, 0.02), fmt="%f")
    return tmp_path


def results(place, *arguments, dataset="otb", command="results"):
    where = ["--ground-truth", str(place / "gt"), "--results", str(place / "res")]
    return main([command, dataset, *where, *arguments])


def test_json_figures(place, capsys):
    assert results(place, "--format", "json") == 0
    tables = json.loads(capsys.readouterr().out)
    rows = {row["tracker"]: row for row in tables[0]["rows"]}
    truth, boxes = (
        {n: np.loadtxt(folder / f"{n}.txt", delimiter=separator) for n in ("Deer", "Man")}
        for folder, separator in ((place / "gt", ","), (place / "res/et/default_001", "\t"))
    )
    assert rows["et_default_001"]["auc"] == pytest.approx(score(boxes, truth).auc)
    assert rows["et_default_001"]["fps"] == pytest.approx(50)
    assert "rule pytracking" in tables[0]["note"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["otb"], 0, "otb"),
        (["--dataset", "otb"], 0, "otb"),
        (["--dataset_name", "otb"], 0, "otb"),
        (["otb", "--dataset", "otb"], 0, "otb"),
        (["otb", "--dataset", "uav"], 2, "two data sets, 'otb' and 'uav'; give one"),
        ([], 2, "which data set?"),
    ],
)
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("command", ["results", "report"])
def test_the_data_set_by_position_or_by_option(place, capsys, command, words, code, told, last):
    rest = ["--ground-truth", str(place / "gt"), "--results", str(place / "res")]
    rest += ["--output", str(place / "out")]
    try:
        done = main([command, *rest, *words] if last else [command, *words, *rest])
    except SystemExit as error:  # of argparse
        done = error.code
    assert done == code
    shown = capsys.readouterr()
    assert told in (shown.err if code else (place / "out").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["et_default_000", "et_default_001", "rule pytracking", "Speed"]),
        (["--rule", "ettrack"], ["rule ettrack"]),
        (["--merge-runs"], ["et_default "]),
        (["--trackers", "mine=et:default:1"], ["mine"]),
        (["--per-sequence", "--filter", "ao_max:101"], ["Deer", "AO per sequence"]),
        (["--published"], ["E.T.Track", "et_default_000 (this run)", "NOT COMPARABLE"]),
        (["--format", "latex"], [r"\begin{tabular}", r"et\_default\_000"]),
        (["--format", "md"], ["| tracker | AUC |"]),
        (["--format", "csv"], ["table,name,auc,op50", "\nSpeed,et_default_000,"]),
    ],
)
def test_tables(place, capsys, arguments, expected):
    assert results(place, *arguments) == 0
    printed = capsys.readouterr().out
    for text in expected:
        assert text in printed


def test_merged_runs_are_one_row(place, capsys):
    assert results(place, "--merge-runs", "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)[0]["rows"]
    assert [row["tracker"] for row in rows] == ["et_default"]
    assert rows[0]["fps"] == pytest.approx(50)


def test_output_and_plots(place):
    attributes = place / "attributes.json"
    codes = ["SV", "OCC", "FM"]
    attributes.write_text(json.dumps({"order": codes, "sequences": {"Deer": codes, "Man": codes}}))
    assert results(
        place, "--output", str(place / "out" / "t.txt"), "--plots", str(place / "plots"),
        "--attributes", str(attributes),
    ) == 0  # fmt: skip
    assert "AUC per attribute" in (place / "out" / "t.txt").read_text()
    expected = {"success", "precision", "norm_precision", "radar"}
    written = {path.name for path in (place / "plots").iterdir()}
    assert written == {f"{n}_plot.{form}" for n in expected for form in ("pdf", "svg", "png")}


def test_attributes_of_no_sequence_cost_no_plot(place):
    attributes, codes = place / "attributes.json", ["OCC", "SV", "FM", "BC"]
    both = {"Deer": codes[:2], "Man": codes[:2]}
    attributes.write_text(json.dumps({"order": codes, "sequences": both}))
    words = ["--plots", str(place / "plots"), "--attributes", str(attributes)]
    assert results(place, *words) == 0
    names = {path.stem for path in (place / "plots").iterdir()}
    assert "success_plot" in names and "radar_plot" not in names


def test_the_speed_plot_is_asked_for(place):
    assert results(place, "--published", "--plots", str(place / "plots")) == 0
    assert (place / "plots" / "speed_plot.png").is_file()


def test_plots_for_a_paper(place):
    arguments = ("--plots", str(place), "--for", "paper", "--size", "3x2", "--font", "serif")
    assert results(place, *arguments) == 0
    picture = cv2.imread(str(place / "success_plot.png"))
    assert picture.shape[:2] == (600, 900)  # 300 dots per inch
    text = (place / "success_plot.svg").read_text()
    assert "rule pytracking" in text  # in the metadata, not in the picture
    assert "Success plot" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "large"), "WIDTHxHEIGHT in inches"),
        (("--size", "0x3"), "give inches"),
        (("--size", "1x1"), "has no room for its axes"),
        (("--font", "No Such Font"), "font 'No Such Font' is not here"),
    ],
)
def test_plots_that_cannot_be(place, capsys, arguments, message):
    try:
        assert results(place, "--plots", str(place / "plots"), *arguments) == 2
    except SystemExit as error:  # argparse's own
        assert error.code == 2
    assert message in capsys.readouterr().err
    assert not (place / "plots").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--filter", "ao_max:50"), "--filter ao_max:50 filters the table of --per-sequence"),
        (("--size", "3x2", "--no-title"), "--size, --no-title shape(s) plots: add --plots DIR"),
    ],
)
def test_options_that_would_do_nothing(place, capsys, arguments, message):
    assert results(place, *arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["results", "report"])
def test_a_tracker_of_another_data_set_alone_is_left_out(place, capsys, monkeypatch, command):
    monkeypatch.chdir(place)
    other = place / "res" / "other" / "default"
    other.mkdir(parents=True)
    np.savetxt(other / "uav_bike1.txt", [BOX], fmt="%d", delimiter="\t")
    assert results(place, command=command) == 0
    assert f"{other} has no result on otb" in capsys.readouterr().err
    # By its name it is asked for, and a whole data set is missing.
    assert results(place, "--trackers", "other:default", command=command) == 2
    assert "lacks 2 of 2 sequences" in capsys.readouterr().err


def test_missing_sequence(place, capsys):
    (place / "res" / "et" / "default_000" / "Deer.txt").unlink()
    assert results(place) == 2
    assert "lacks 1 of 2 sequences: Deer" in capsys.readouterr().err
    assert results(place, "--skip-missing") == 0
    assert "skipped for missing results: Deer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trackers", "none:x"], "results there: et:default"),
        (["--dataset-root", "x"], "give one"),
        (["--filter", "x", "--per-sequence"], "--filter 'x'"),
        (["--per-sequence", "f1"], "unknown figure 'f1'"),
    ],
)
def test_errors(place, capsys, arguments, message):
    assert results(place, *arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [("got10k_val", ["AO", "SR50", "SR75"]), ("vot", ["Accuracy", "Robustness", "EAO"])],
)
def test_data_sets_with_figures_of_their_own(tmp_path, capsys, dataset, expected):
    for folder in ("gt", "res/et/default"):
        (tmp_path / folder).mkdir(parents=True)
        np.savetxt(tmp_path / folder / "bag.txt", np.tile(BOX, (130, 1)), fmt="%d", delimiter=",")
    assert results(tmp_path, dataset=dataset) == 0
    printed = capsys.readouterr().out
    assert all(heading in printed.splitlines()[1] for heading in expected)
    assert "100.00" in printed or "1.000" in printed


@pytest.mark.parametrize("dataset", ["got10k_val", "vot"])
def test_figures_of_their_own_are_of_subpixel_boxes_too(tmp_path, capsys, dataset):
    for name, shift in (("gt/bag", 0), ("res/et/default/bag", 1), ("res/et/default/bag_float", 0)):
        path = tmp_path / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, np.tile(BOX, (130, 1)) + [shift, 0, 0, 0], fmt="%d", delimiter=",")
    assert results(tmp_path, "--subpixel", "--format", "json", dataset=dataset) == 0
    row = json.loads(capsys.readouterr().out)[0]["rows"][0]
    assert row.get("ao", 100 * row.get("accuracy", 1)) == pytest.approx(100)


@pytest.mark.parametrize(("dataset", "told"), [("vot", "no sequence has 115"), ("votes", "")])
def test_short_sequences_have_the_other_tables(place, capsys, dataset, told):
    assert results(place, dataset=dataset) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"Results on {dataset}")
    assert told in printed.err and bool(told) == bool(printed.err)


def test_a_folder_is_called_by_its_name_whatever_the_spelling(place, capsys, monkeypatch):
    monkeypatch.chdir(place / "res" / "et" / "default_000")
    assert results(place, "--trackers", ".", "../default_001", "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)[0]["rows"]
    assert {row["tracker"] for row in rows} == {"et_default_000", "et_default_001"}
    outside = ["--results", str(place / "gt"), "--trackers", ".", "--format", "json"]
    assert main(["results", "otb", "--ground-truth", str(place / "gt"), *outside]) == 0
    assert json.loads(capsys.readouterr().out)[0]["rows"][0]["tracker"] == "default_000"


def test_the_other_frame_rate_does_not_answer(tmp_path, capsys):
    for path in ("gt/uav_bike1.txt", "res/et/default/uav10fps_bike1.txt"):
        (tmp_path / path).parent.mkdir(parents=True)
        np.savetxt(tmp_path / path, np.tile(BOX, (9, 1)), fmt="%d", delimiter=",")
    assert results(tmp_path, dataset="uav") == 2
    assert "lacks 1 of 1 sequences: uav_bike1" in capsys.readouterr().err


def test_hidden_data_set(place, capsys):
    assert main(["results", "got10k_test"]) == 2
    assert "hidden" in capsys.readouterr().err


def test_lasot_with_visibility(place, capsys):
    flags = {name: {"frames": 20, "absent": [[5, 9]]} for name in ("Deer", "Man")}
    (place / "v.json").write_text(json.dumps(flags))
    words = ("--visibility", str(place / "v.json"), "--trackers", "et:default:0")
    assert results(place, *words, "--format", "json", dataset="lasot") == 0
    row = json.loads(capsys.readouterr().out)[0]["rows"][0]
    assert row["auc"] == pytest.approx(100 * 20 / 21 * 15 / 20)
    assert row["norm_precision"] == pytest.approx(75)


def test_a_data_set_on_disk(shared, tmp_path, capsys):
    """The data set's own loader and published boxes of the same sequences."""
    raw = shared / "results" / "raw" / "OTB100"
    root = shared / "sequences" / "OTB100"
    where = ["--dataset-root", str(root), "--results", str(raw)]
    assert main(["results", "otb", *where, "--trackers", "ATOM", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)[0]["rows"]
    assert row["auc"] == pytest.approx(70.79, abs=0.01)


def report(place, *arguments):
    return results(place, "--output", str(place / "r.html"), *arguments, command="report")


def test_report_page(place, capsys):
    assert report(place, "--title", "My run") == 0
    assert capsys.readouterr().out.strip() == str(place / "r.html")
    text = (place / "r.html").read_text(encoding="utf-8")
    assert "<h1>My run</h1>" in text
    assert "et_default_001" in text


@pytest.mark.parametrize("option", ["--count", "--pictures"])
def test_report_shows_at_least_one(place, capsys, option):
    assert report(place, option, "0") == 2
    assert f"{option} 0: give at least 1" in capsys.readouterr().err


def test_report_of_real_sequences_with_pictures(shared, tmp_path):
    raw = shared / "results" / "raw" / "OTB100"
    root = shared / "sequences" / "OTB100"
    assert main(
        ["report", "otb", "--dataset-root", str(root), "--results", str(raw), "--count", "1",
         "--pictures", "3", "--output", str(tmp_path / "r.html")]
    ) == 0  # fmt: skip
    assert (tmp_path / "r.html").read_text(encoding="utf-8").count("data:image/jpeg") == 6
