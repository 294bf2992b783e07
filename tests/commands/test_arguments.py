"""Every option in both spellings, shown in one; switches with a value."""

from __future__ import annotations

import argparse

import pytest

from pytracking_et import commands
from pytracking_et.commands.arguments import add_switch, parse_boolean, understand_both

COMMON = [
    (["run", "t", "p", "--dataset_root", "d"], "dataset_root", "d"),
    (["run", "t", "p", "--dataset", "uav"], "dataset_name", "uav"),
    (["run", "t", "p", "--use_visdom", "False"], "use_visdom", False),
    (["run", "t", "p", "--use_visdom=no"], "use_visdom", False),
    (["run", "t", "p", "--use_visdom"], "use_visdom", True),
    (["run", "t", "p", "--dataset_name=uav"], "dataset_name", "uav"),
    (["run", "t", "p", "--dataset-name", "uav"], "dataset_name", "uav"),
    (["run", "t", "p", "--no_resume"], "resume", False),
    (["run", "t", "p", "--run_id", "3"], "runid", 3),
    (["pack", "got10k", "t", "p", "--run-id", "3"], "runid", 3),
    (["run", "t", "p", "--visdom-port", "80"], "visdom_port", 80),
    (["run", "t", "p", "--visdom_port=80"], "visdom_port", 80),
    (["experiment", "m", "e", "--visdom_start"], "visdom_start", True),
    (["webcam", "--use-visdom", "false"], "use_visdom", False),
    (["webcam", "--optional_box", "1", "2", "3", "4"], "box", [[1, 2, 3, 4]]),
    (["webcam", "--optional-box", "1", "2", "3", "4"], "box", [[1, 2, 3, 4]]),
    (["benchmark", "--optional_box", "1", "2", "3", "4"], "box", [1, 2, 3, 4]),
    (["video", "v", "--save-results"], "save_results", True),
    (["serve", "--low_score", "0.5"], "low_score", 0.5),
    (["serve", "--max_upload_mb", "9"], "max_upload_mb", 9),
    (["datasets", "check", "--dataset_root", "d"], "dataset_root", "d"),
]


@pytest.mark.parametrize(("words", "field", "value"), COMMON)
def test_both_spellings_are_understood(words, field, value):
    name, *rest = words
    assert getattr(commands.parser_for(name).parse_args(rest), field) == value


def test_home_in_the_results_folder(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    parse = commands.parser_for("run").parse_args
    assert parse(["t", "p", "--results=~/runs"]).results == str(tmp_path / "runs")
    assert parse(["t", "p", "--results", "runs"]).results == "runs"
    with pytest.raises(SystemExit):
        parse(["t", "p", "--results=~no-such-user/runs"])
    assert "'~no-such-user/runs' begins with a user" in capsys.readouterr().err


# pytracking's own arguments, which have underscores there.
SNAKE = {"--save_results", "--use_visdom", "--visdom_server", "--visdom_port"}


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_help_shows_one_spelling(name):
    parsers = [commands.parser_for(name)]
    for action in parsers[0]._actions:
        if isinstance(action, argparse._SubParsersAction):
            parsers += action.choices.values()
    shown = [
        [option for option in action.option_strings if option.startswith("--")]
        for parser in parsers
        for action in parser._actions
    ]
    assert all(len(options) <= 1 for options in shown)
    assert {option for options in shown for option in options if "_" in option} <= SNAKE
    for parser in parsers:
        assert "--optional_box" not in parser.format_help()
        assert "--dataset_name" not in parser.format_help()


def test_an_option_of_its_own_is_never_taken_for_another():
    parser = argparse.ArgumentParser()
    parser.add_argument("--box")
    parser.add_argument("--optional_box", dest="other")
    understand_both(parser)
    found = parser.parse_args(["--optional-box", "a", "--optional_box", "b", "--box", "c"])
    assert (found.box, found.other) == ("c", "b")


@pytest.mark.parametrize(
    ("words", "value"), [([], False), (["--it"], True), (["--it", "no"], False), (["--it=1"], True)]
)
def test_switch(words, value):
    parser = argparse.ArgumentParser()
    add_switch(parser, "--it", False, "it")
    assert parser.parse_args(words).it is value


@pytest.mark.parametrize(
    ("text", "value"),
    [("True", True), ("yes", True), ("1", True), ("False", False), ("off", False), ("0", False)],
)
def test_parse_boolean(text, value):
    assert parse_boolean(text) is value
