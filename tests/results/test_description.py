"""Parameter values as JSON: what tells them apart, and what must be the same everywhere."""

from __future__ import annotations

import functools
import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pytracking_et.results.description import describe

NAME = f"<{__name__}."


@dataclass
class Inner:
    first: int = 1
    second: tuple = (2, 3)


class Net:
    """As pytracking's NetWithBackbone: a parameter that is an object."""

    def __init__(self, net_path, **more):
        self.net_path = net_path
        self.__dict__.update(more)


class Slotted:
    __slots__ = ("unset", "value")

    def __init__(self, value):
        self.value = value

    def method(self):
        pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (0.5, 0.5),
        ("text", "text"),
        ((1, 2), [1, 2]),
        (np.float32(0.5), 0.5),
        (np.arange(3), [0, 1, 2]),
        (np.array([1, None], object), [1, None]),
        (np.array([1j]), ["1j"]),
        ({2: "b", 1: "a"}, {"1": "a", "2": "b"}),
        (Inner(), {"first": 1, "second": [2, 3]}),
        (object(), "<builtins.object>"),
        (int, "<builtins.int>"),
        (Path("a"), "a"),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (frozenset({3, 1}), [1, 3]),
        (b"a", "b'a'"),
        (range(3), "range(0, 3)"),
        (Net("a.pth"), {f"{NAME}Net>": {"net_path": "a.pth"}}),
        (Slotted({1}), {f"{NAME}Slotted>": {"value": [1]}}),
        ({int: 1}, {"<class 'int'>": 1}),
        ({describe: 1}, {'"<pytracking_et.results.description.describe>"': 1}),
        (describe, "<pytracking_et.results.description.describe>"),
        (
            functools.partial(describe, value=2),
            {
                "<functools.partial>": [
                    "<pytracking_et.results.description.describe>",
                    [],
                    {"value": 2},
                ]
            },
        ),
        (Slotted(1).method, {f"{NAME}Slotted.method>": {f"{NAME}Slotted>": {"value": 1}}}),
        (logging.getLogger("a"), "<logging.Logger>"),
        (json, "<builtins.module>"),
    ],
)
def test_describe(value, expected):
    described = describe(value)
    assert described == expected
    json.dumps(described)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Net("a.pth"), Net("b.pth")),
        (Net("a.pth", features=[Net("x", stride=4)]), Net("a.pth", features=[Net("x", stride=8)])),
        (Net("a", size={1}), Net("a", size={2})),
        (Slotted(1), Slotted(2)),
        (np.float32([1, 2]), np.float32([1, 3])),
    ],
)
def test_changed_objects_differ(one, other):
    assert describe(one) != describe(other)


def test_circles_end():
    first = Net("a")
    first.again = Net("b", owner=first, items=[first])
    rows = [1]
    rows.append(rows)
    described = json.dumps(describe([first, first, rows]))
    assert described.count("which holds this") == 3
    assert "Net, object 0" in described  # the second time


def test_tensors_by_content():
    torch = pytest.importorskip("torch")
    base = describe(torch.ones(2, 3))
    assert base == describe(torch.ones(3, 2).T) and "0x" not in json.dumps(base)
    different = [
        torch.ones(3, 2),
        torch.zeros(2, 3),
        torch.ones(2, 3).double(),
        torch.ones(2, 3).bfloat16(),
    ]
    assert all(describe(one) != base for one in different)
    assert describe(torch.float32) == "torch.float32"


def test_the_same_in_every_process():
    """Sets and addresses differ between processes; the description must not."""
    code = (
        "import json; from types import SimpleNamespace; "
        "from tests.results.test_description import *; "
        "print(json.dumps(describe([Net('a', words=set('qwertyuiop'), o=object(), "
        "f=test_circles_end, n=SimpleNamespace(x=1), r=np.random.default_rng(0))])))"
    )
    root = str(Path(__file__).resolve().parents[2])
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
    assert "numpy.random" in texts.pop()
