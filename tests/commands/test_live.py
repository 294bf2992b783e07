"""`webcam`, `video`, `demo`: what the arguments of pytracking's scripts become."""

import argparse
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from pytracking_et.commands import demo, video, webcam
from pytracking_et.commands.arguments import live_options

ROOT = Path(__file__).resolve().parents[2]


def parse(module, arguments):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    module.add_arguments(parser)
    return parser.parse_args(arguments)


def options(*arguments):
    args = parse(webcam, list(arguments))
    return live_options(args, args.source)


def test_webcam_needs_no_argument():
    found = options()
    assert (found.source, found.tracker, found.parameter) == ("0", "et_tracker", None)
    assert (found.debug, found.use_visdom, found.visdom_start) == (0, True, False)
    assert (found.visdom_server, found.visdom_port) == ("127.0.0.1", 8097)


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (["et_tracker", "lt_mobile"], "parameter", "lt_mobile"),
        (["--use_visdom", "False"], "use_visdom", False),
        (["--use_visdom", "true"], "use_visdom", True),
        (["--use_visdom"], "use_visdom", True),
        (["--debug"], "debug", 1),
        (["--debug", "2"], "debug", 2),
        (["--visdom_server", "box", "--visdom_port", "9000"], "visdom_port", 9000),
        (["--visdom_start"], "visdom_start", True),
        (["--save_results"], "save_results", True),
        (["--save_results", "0"], "save_results", False),
        (["--source", "rtsp://cam/1"], "source", "rtsp://cam/1"),
        (["--optional_box", "1", "2.5", "3", "4"], "boxes", [[1, 2.5, 3, 4]]),
        (["--redetect"], "redetect", True),
        (["--low_score", "0.9"], "low_score", 0.9),
        (["--output", "o.mp4"], "output", "o.mp4"),
        (["--engine", "onnx"], "engine", "onnx"),
        (["--precision", "int8"], "precision", "int8"),
    ],
)
def test_arguments(arguments, field, value):
    assert getattr(options(*arguments), field) == value


@pytest.mark.parametrize("arguments", [["--use_visdom", "maybe"], ["--debug", "much"]])
def test_nonsense_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        options(*arguments)
    assert arguments[1] in capsys.readouterr().err


def test_video_takes_pytrackings_three_names():
    args = parse(video, ["et_tracker", "lt_mobile", "a.mp4", "--save_results"])
    assert args.names == ["et_tracker", "lt_mobile", "a.mp4"]


def test_demo_defaults():
    args = parse(demo, [])
    assert (args.output, args.frames, args.seed, args.checkpoint) == ("output", 150, 0, None)


@pytest.mark.parametrize("name", ["run_webcam", "run_video"])
@pytest.mark.parametrize("way", ["script", "module"])
def test_scripts_answer_help_without_torch(name, way):
    target = [f"{name}.py"] if way == "script" else ["-m", f"pytracking_et.{name}"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *target, "--help"],
        cwd=ROOT / "pytracking_et" if way == "script" else ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--visdom_start" in done.stdout
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"torch", "cv2", "visdom", "matplotlib"}


def test_pytrackings_functions_are_there():
    for name in ("run_webcam", "run_video"):
        assert callable(runpy.run_module(f"pytracking_et.{name}")[name])
