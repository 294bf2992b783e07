"""The runner from wherever people start it: scripts, -m, console command, notebook, stdin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytracking_et.tracker.plugins import VARIABLE
from tests.evaluation.fakes import write_otb

ROOT = Path(__file__).resolve().parents[1]
SPECS = [("a", 4, 20.0), ("b c", 6, 20.0), ("ü", 5, 20.0)]

EXPERIMENT = """
from pytracking_et.evaluation import Tracker, get_dataset
def mine():
    return Tracker("fake", "plain"), get_dataset("otb")
"""

# What people write in a notebook cell or a quick script: no `if __name__ == "__main__"`.
CELL = """
from pytracking_et.evaluation import Tracker, get_dataset, run_dataset
report = run_dataset(get_dataset("otb"), [Tracker("fake", "plain")], threads=2)
print("CELL", len(report.done), len(report.failed))
"""


@pytest.fixture
def start(tmp_path):
    """Runs a command in a fresh process that knows the fake tracker and its data."""
    data = write_otb(tmp_path / "my data ü", *SPECS)
    environment = {
        **os.environ,
        VARIABLE: "tests.fakelab",
        "PYTRACKING_ET_OTB_PATH": str(data),
        "PYTRACKING_ET_RESULTS_PATH": str(tmp_path / "results"),
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
    }

    def run(*command: str, cwd: Path = tmp_path, text: str | None = None, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=cwd,
            env=environment,
            input=text,
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    return run


def finished(tmp_path: Path) -> set[str]:
    folder = tmp_path / "results" / "fake" / "plain"
    return {path.name.removesuffix("_float.txt") for path in folder.glob("*_float.txt")}


ALL = {"a", "b c", "ü"}


def test_run_tracker_from_inside_the_package_folder(start, tmp_path):
    words = ("run_tracker.py", "fake", "plain", "--dataset", "otb", "--threads", "2")
    assert "3 sequences tracked" in start(*words, cwd=ROOT / "pytracking_et")
    assert finished(tmp_path) == ALL


def test_run_tracker_as_a_module(start, tmp_path):
    words = ("-m", "pytracking_et.run_tracker", "fake", "plain", "--dataset_name", "otb")
    assert "3 sequences tracked" in start(*words)
    assert finished(tmp_path) == ALL


def test_errors_leave_with_2_and_no_traceback(start):
    output = start("run_tracker.py", "nobody", "x", cwd=ROOT / "pytracking_et", code=2)
    assert "unknown tracker 'nobody'; there are: et_tracker, fake" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_console_command(start, tmp_path):
    code = "import sys; from importlib.metadata import entry_points as e;"
    code += "sys.exit(next(iter(e(group='console_scripts', name='ettrack'))).load()())"
    assert "3 sequences tracked" in start("-c", code, "run", "fake", "plain", "--threads", "2")
    assert finished(tmp_path) == ALL


@pytest.mark.slow
def test_installed_console_script(start, tmp_path):
    script = Path(sys.executable).parent / ("ettrack.exe" if os.name == "nt" else "ettrack")
    if os.name == "nt" or not script.exists():
        pytest.skip(f"no console script at {script}; pip install the package")
    assert "3 sequences tracked" in start(str(script), "run", "fake", "plain", "--threads", "2")
    assert finished(tmp_path) == ALL


@pytest.mark.slow
def test_run_experiment_from_inside_the_package_folder(start, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(EXPERIMENT, encoding="utf-8")
    words = ("run_experiment.py", str(file), "mine", "--threads", "2")
    assert "3 sequences tracked" in start(*words, cwd=ROOT / "pytracking_et")
    assert finished(tmp_path) == ALL


@pytest.mark.parametrize(
    "way",
    [
        "-c",
        pytest.param("stdin", marks=pytest.mark.slow),
        pytest.param("unguarded script", marks=pytest.mark.slow),
        pytest.param("-m", marks=pytest.mark.slow),
    ],
)
def test_unguarded_code_does_not_start_itself_again(start, tmp_path, way):
    script = tmp_path / "unguarded.py"
    script.write_text(CELL, encoding="utf-8")
    output = {
        "-c": lambda: start("-c", CELL),
        "stdin": lambda: start("-", text=CELL),
        "unguarded script": lambda: start(str(script)),
        "-m": lambda: start("-m", "unguarded"),
    }[way]()
    assert output.count("CELL 3 0") == 1
    assert finished(tmp_path) == ALL


@pytest.mark.slow
def test_run_tracker_function(start, tmp_path):
    code = "from pytracking_et.run_tracker import run_tracker\n"
    code += "print('CODE', run_tracker('fake', 'plain', 2, 'otb', sequence=1))"
    assert "CODE 0" in start("-c", code)
    assert (tmp_path / "results" / "fake" / "plain_002" / "b c.txt").is_file()
