"""`webcam`, `video`, `demo`, `serve`: what the arguments become."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pytracking_et.commands import live, main, parser_for
from pytracking_et.errors import DependencyError, pip_line
from pytracking_et.spec import TrackerSpec

ROOT = Path(__file__).resolve().parents[2]


def parse(name, arguments):
    return parser_for(name).parse_args(arguments)


def options(*arguments):
    args = parse("webcam", arguments)
    return live.live_options(args, args.source)


def test_webcam_needs_no_argument():
    found = options()
    assert (found.source, str(found.spec)) == ("0", "et_tracker/et_tracker")
    assert (found.debug, found.use_visdom, found.visdom_start) == (0, True, False)
    assert (found.visdom_server, found.visdom_port) == ("127.0.0.1", 8097)


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (["--use_visdom", "False"], "use_visdom", False),
        (["--use_visdom", "true"], "use_visdom", True),
        (["--use_visdom"], "use_visdom", True),
        (["--debug"], "debug", 1),
        (["--debug", "2"], "debug", 2),
        (["--visdom_server", "box", "--visdom_port", "9000"], "visdom_port", 9000),
        (["--visdom-start"], "visdom_start", True),
        (["--save_results"], "save_results", True),
        (["--save_results", "0"], "save_results", False),
        (["--source", "rtsp://cam/1"], "source", "rtsp://cam/1"),
        (["--box", "1", "2.5", "3", "4"], "boxes", [[1, 2.5, 3, 4]]),
        (["--redetect"], "redetect", True),
        (["--low-score", "0.9"], "low_score", 0.9),
        (["--output", "o.mp4"], "output", "o.mp4"),
        (
            ["et_tracker", "lt_mobile", "--engine", "onnx", "--precision", "int8"],
            "spec",
            TrackerSpec("et_tracker", "lt_mobile", None, "onnx", "int8"),
        ),
    ],
)
def test_arguments(arguments, field, value):
    assert getattr(options(*arguments), field) == value


@pytest.mark.parametrize("arguments", [["--use_visdom", "maybe"], ["--debug", "much"]])
def test_nonsense_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        options(*arguments)
    assert arguments[1] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--results", "boxes"], "--results boxes is where --save_results writes"),
        (["--overlay"], "--overlay is of the video that --output writes"),
    ],
)
def test_options_of_files_that_nobody_asked_for_are_refused(words, message, capsys):
    """Not after an hour of tracking, of which no box is left."""
    assert main(["video", "gone.mp4", "--box", "1", "2", "3", "4", *words]) == 2
    assert message in capsys.readouterr().err


def test_demo_defaults():
    args = parse("demo", [])
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
    assert "--visdom-start" in done.stdout
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"torch", "cv2", "visdom", "matplotlib"}


def test_pytrackings_functions_are_there():
    for name in ("run_webcam", "run_video"):
        assert callable(runpy.run_module(f"pytracking_et.{name}")[name])


@pytest.mark.parametrize("encoder", ["ffmpeg", None])
@pytest.mark.parametrize(
    ("there", "told"), [((), True), (("onnx",), False), (("openvino", "onnx"), False)]
)
def test_demo_names_the_extras_that_are_worth_it(
    monkeypatch, tmp_path, capsys, there, told, encoder
):
    from pytracking_et import videos
    from pytracking_et.engines import select
    from pytracking_et.live import demo, run

    done = demo.DemoResult(np.ones(3), 20.0, tmp_path / "demo.mp4", tmp_path / "demo.png")
    monkeypatch.setattr(select, "installed", lambda name: name in ("torch", *there))
    monkeypatch.setattr(videos, "h264_program", lambda: encoder)
    monkeypatch.setattr(run, "make_tracker", lambda options: None)
    monkeypatch.setattr(demo, "run_demo", lambda *_: done)
    assert main(["demo"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "pip install" in line]
    players = f"for a video that browsers play: {pip_line('video')}, or name it .webm"
    faster = f"faster: the extra openvino about doubles the speed: {pip_line('openvino')}"
    assert lines == [players] * (encoder is None) + [faster] * told


@pytest.mark.parametrize("precision", ["auto", "f32"])
def test_an_engine_that_is_missing_names_the_pip_line(monkeypatch, capsys, precision):
    from pytracking_et.engines import select

    monkeypatch.setattr(select, "installed", lambda name: name == "torch")
    assert main(["demo", "--engine", "openvino", "--precision", precision]) == 2
    assert pip_line("openvino") in capsys.readouterr().err


def test_missing_packages_name_the_extra(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("pytracking_et.live.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(DependencyError, match=re.escape(pip_line("web"))):
        import pytracking_et.live.web  # noqa: F401


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--max-upload-mb", "0"], "--max-upload-mb 0"),
        (["--checkpoint", "absent.safetensors"], "absent.safetensors"),
        (["--parameter", "absent"], "absent"),
    ],
)
def test_wrong_arguments_are_quoted(arguments, words, capsys):
    pytest.importorskip("starlette")
    assert main(["serve", *arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "name", "low"),
    [
        ([], "et_tracker", 0.25),
        (["--parameter", "lt_mobile"], "lt_mobile", 0.98),
        (["--parameter", "lt_mobile", "--low-score", "0.7"], "lt_mobile", 0.7),
    ],
)
def test_the_threshold_of_grey_is_the_parameter_files(monkeypatch, arguments, name, low):
    pytest.importorskip("starlette")
    from pytracking_et import api
    from pytracking_et.live import web
    from pytracking_et.tracker import plugins
    from pytracking_et.tracker.params import TrackerParams

    known = {"et_tracker": 0.25, "lt_mobile": 0.98}
    bags = {key: TrackerParams(object_presence_score_threshold=low) for key, low in known.items()}
    served = []
    monkeypatch.setattr(plugins, "parameters", lambda _tracker, parameter: bags[parameter])
    monkeypatch.setattr(api, "ETTracker", lambda *words, **named: words)
    monkeypatch.setattr(web, "serve", lambda *words: served.append(words))
    assert main(["serve", "--port", "0", *arguments]) == 0
    make_tracker, title, port, _, _, low_score, host = served[0]
    assert make_tracker()[1] == title == name
    assert (port, low_score, host) == (0, low, "127.0.0.1")
