import json
import re

import pytest

from ltr_et.tracking_validation import __main__ as command
from pytracking_et.errors import ParameterError

from ..tiny import write_masked_video
from .trackers import Fake


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [{}]),
        (["lr=0.5,0.6"], [{"lr": 0.5}, {"lr": 0.6}]),
        (["lr=0.5", "size_smoothing=once"], [{"lr": 0.5, "size_smoothing": "once"}]),
        (
            ["search_size=256,224 small_search_size=288,256"],
            [
                {"search_size": 256, "small_search_size": 288},
                {"search_size": 224, "small_search_size": 256},
            ],
        ),
        (
            ["lr=0.5,0.6", "context=0,1"],
            [{"lr": a, "context": b} for a in (0.5, 0.6) for b in (0, 1)],
        ),
    ],
)
def test_grid(arguments, expected):
    assert list(command.parse_grid(arguments)) == expected


@pytest.mark.parametrize(
    ("argument", "message"),
    [("lr", "penalty_k"), ("rate=1", "penalty_k"), ("lr=1,2 context=1", "as many values")],
)
def test_impossible_grid(argument, message):
    with pytest.raises(ParameterError, match=message):
        list(command.parse_grid([argument]))


@pytest.fixture
def arguments(tmp_path):
    write_masked_video(tmp_path, tracks=tuple("abcdef"), frames=10)
    return [
        "--data", str(tmp_path), "--groups", "tracks", "--part", "all",
        "--cache", str(tmp_path / "cache.jsonl"),
    ]  # fmt: skip


def test_command_prints_the_table_and_logs_a_record_a_row(tmp_path, arguments, monkeypatch, capsys):
    rows = [Fake("still"), Fake("ahead", 12.0)]
    monkeypatch.setattr(command, "chosen_subjects", lambda options: rows)
    log = tmp_path / "logs" / "choices.jsonl"
    assert command.main([*arguments, "--log", str(log), "--quick"]) == 0
    text = capsys.readouterr().out
    assert "| | tracks whole (6) | **mean** | against the first |" in text
    assert "| still | " in text
    assert "better |" in text
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [record["label"] for record in records] == ["still", "ahead"]
    assert len(records[0]["whole"]) == 6
    assert records[0]["auc"] == records[0]["figures"]["mean"][0]


def test_rows_of_weights_and_constants(tmp_path, arguments, checkpoint):
    grid = ["--set", "context=0.4", "--grid", "lr=0.2,0.6", "--engine", "torch"]
    options = command.parse([str(checkpoint), *arguments, *grid, "--parameter", "lt_mobile"])
    rows = command.chosen_subjects(options)
    assert [row.label for row in rows] == [
        "lt_mobile context=0.4 lr=0.2", "lt_mobile context=0.4 lr=0.6",
    ]  # fmt: skip
    assert [row.constants().lr for row in rows] == [0.2, 0.6]
    assert {row.constants().context for row in rows} == {0.4}


def test_files_of_the_same_name_are_told_apart(tmp_path, arguments, checkpoint):
    paths = [tmp_path / folder / "final.safetensors" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(checkpoint.read_bytes())
    rows = command.chosen_subjects(command.parse([*map(str, paths), *arguments]))
    assert [row.label for row in rows] == ["a/final", "b/final"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "give weight files"),
        (["missing.safetensors"], "missing.safetensors"),
        (["missing.npz", "--network", "lt_mobile"], "missing.npz"),
        (["--data", "nowhere"], "--data"),
        (["--sequences", "nowhere", "--groups", "wtrack"], "--sequences"),
        (["w.safetensors", "--set", "lr=7"], "lr is 7"),
        (["w.safetensors", "--set", "lr=0.1,0.2"], "use --grid"),
        (["--parameter", "none", "w.safetensors"], "unknown parameter file 'none'"),
        (["--sources", "davis2016", "mot"], "no source 'mot' of videos .*there are: davis2016"),
        (["w.safetensors", "--processes", "0"], "--processes is 0; give 1 or more"),
        (["w.safetensors", "--threads", "0"], "--threads is 0; give 1 or more"),
    ],
)
def test_errors_say_what_to_do(arguments, checkpoint, more, message, capsys):
    more = [str(checkpoint) if word == "w.safetensors" else word for word in more]
    assert command.main([*arguments, *more]) == 2
    assert re.search(message, capsys.readouterr().err)
