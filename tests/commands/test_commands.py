from __future__ import annotations

import subprocess
import sys

import pytest

from pytracking_et import commands
from pytracking_et.errors import DatasetError


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"]])
def test_overview_names_every_command(capsys, arguments):
    assert commands.main(arguments) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in commands.COMMANDS)


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_help_of_every_command_imports_nothing_heavy(name):
    code = (
        "import sys; from pytracking_et import commands\n"
        f"try: commands.main([{name!r}, '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'cv2', 'pandas', 'matplotlib', 'onnxruntime', 'openvino', 'visdom'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"usage: ettrack {name}" in done.stdout
    assert "HEAVY []" in done.stdout


def test_unknown_command(capsys):
    assert commands.main(["dance"]) == 2
    assert "dance" in capsys.readouterr().err


class Module:
    """A command module made on the spot."""

    def __init__(self, outcome):
        self.outcome = outcome

    def demo_arguments(self, parser):
        parser.add_argument("--number", type=int)

    def demo(self, args):
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize(
    ("outcome", "code", "words"),
    [
        (0, 0, ""),
        (1, 1, ""),
        (DatasetError("no frames in 'x'"), 2, "error: no frames in 'x'"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_exit_codes(monkeypatch, capsys, outcome, code, words):
    monkeypatch.setattr(commands.importlib, "import_module", lambda name: Module(outcome))
    assert commands.main(["demo"]) == code
    assert words in capsys.readouterr().err


def test_a_defect_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(commands.importlib, "import_module", lambda n: Module(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        commands.main(["demo"])
