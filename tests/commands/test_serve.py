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
