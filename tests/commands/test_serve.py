import sys

import pytest

from pytracking_et.commands import main
from pytracking_et.errors import DependencyError


def test_missing_packages_name_the_extra(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("pytracking_et.live.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(DependencyError, match=r'pip install "pytracking-et\[web\]"'):
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
        (["--parameter", "lt_mobile", "--low_score", "0.7"], "lt_mobile", 0.7),
    ],
)
def test_the_threshold_of_grey_is_the_parameter_files(monkeypatch, arguments, name, low):
    pytest.importorskip("starlette")
    from pytracking_et import api
    from pytracking_et.live import run, web

    known = {"et_tracker": 0.25, "lt_mobile": 0.98}
    served = []
    monkeypatch.setattr(run, "low_score_of", known.__getitem__)
    monkeypatch.setattr(api, "ETTracker", lambda *words, **named: words)
    monkeypatch.setattr(web, "serve", lambda *words: served.append(words))
    assert main(["serve", "--port", "0", *arguments]) == 0
    make_tracker, title, port, _, _, low_score = served[0]
    assert make_tracker()[1] == title == name
    assert (port, low_score) == (0, low)
