"""No input makes a parser raise anything but an error of ours, or hang.

FUZZ_EXAMPLES=1000 tries that many inputs of each parser, chosen at random; by default there are
fewer, and always the same.
"""

from __future__ import annotations

import json
import math
import os
import signal
import warnings
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("starlette", reason="the parsers of the page need the extra web")
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from pytracking_et.errors import PytrackingETError

from .parsers import PARSERS

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 0))
# A parser that needs longer for a few hundred bytes hangs.
PATIENCE = 60
WORDS = [
    *(
        "nan",
        "-inf",
        "1e999",
        "9" * 400,
        "-1",
        "0",
        "1e-400",
        "",
        "..",
        "../../x",
        "\x00",
        "\ufeff",
    ),
    *("\u0663", "\udcff", "x" * 5000, "null", "[" * 3000, '{"a":' * 3000, "\r", "\u2028", ";", '"'),
]
NUMBERS = [0, -1, 3, 0.5, 2**31, 2**63, 10**30, -(10**400), math.nan, math.inf, -1e308, 1e-320]


def value(random: Random, depth: int = 0) -> Any:
    """A JSON value that nobody expects."""
    kind = random.randrange(8 if depth < 3 else 5)
    if kind < 2:
        return random.choice(NUMBERS)
    if kind < 4:
        return random.choice(WORDS)
    if kind == 4:
        return random.choice([None, True, False, {}, []])
    inner = [value(random, depth + 1) for _ in range(random.randrange(4))]
    return inner if kind < 7 else {random.choice(WORDS): one for one in inner}


class Hung(BaseException):
    """Not an Exception: parsers turn those into errors of ours."""


@contextmanager
def limited():
    """Raises Hung in what takes longer than PATIENCE; without SIGALRM the suite's limit counts."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(number, frame):
        raise Hung(f"no end after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def spoilt_bytes(random: Random, data: bytes) -> bytes:
    """A few bytes replaced, put in, taken out; or something else altogether."""
    if random.randrange(10) == 0:
        return random.randbytes(random.randrange(200))
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        place = random.randint(0, len(changed))
        length = random.choice([0, 0, 1, 1, 1, 2, 4, 8, 30, len(data)])
        word = random.choice(WORDS).encode("utf-8", "surrogatepass")
        changed[place : place + length] = random.choice(
            [random.randbytes(random.randrange(8)), word]
        )
    return bytes(changed)


def places(value, path=()):
    """Paths to every node of a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield from places(inner, (*path, key))


def spoilt_json(random: Random, data: bytes) -> bytes:
    """One or two nodes replaced by other values, or taken out."""
    content = json.loads(data)
    for _ in range(random.randint(1, 2)):
        path = random.choice(list(places(content)))
        if not path:
            content = value(random)
            continue
        holder = content
        for key in path[:-1]:
            holder = holder[key]
        if random.randrange(4) == 0:
            del holder[path[-1]]
        else:
            holder[path[-1]] = value(random)
    return json.dumps(content).encode()


def is_json(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict | list)
    except ValueError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("parser", PARSERS, ids=str)
def test_only_errors_of_ours_leave_a_parser(parser, tmp_path, capsys):
    path = parser.make(tmp_path)
    valid = path.read_bytes()
    structured = is_json(valid)

    @settings(
        max_examples=EXAMPLES or 300,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        # The input that breaks a parser is small as it is; making it smaller takes minutes.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=True))
    def attack(random):
        change = spoilt_json if structured and random.randrange(2) else spoilt_bytes
        content = change(random, valid)
        note(f"content: {content!r:.2000}")
        path.write_bytes(content)
        with limited(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                parser.read(path)
            except PytrackingETError as error:
                assert str(error)

    attack()


@pytest.mark.parametrize("parser", PARSERS, ids=str)
def test_the_valid_input_gets_through(parser, tmp_path):
    """Else the attacks on it would stop at the first check. `download` knows no such content."""
    path = parser.make(tmp_path)
    try:
        parser.read(path)
    except PytrackingETError as error:
        assert parser.name in BY_DESIGN, error


# These end in an error after all of the file has been read.
BY_DESIGN = (
    *("download", "engine metadata", "calibration table"),
    *(parser.name for parser in PARSERS if parser.name.startswith("weights")),
)


# Inputs that once ended in another exception, by parser.
FOUND = (
    ("validation runs", b'{"subject": "s", "runs": {"k": [1' + b"0" * 400 + b", false]}}"),
    (
        "COCO",
        b'{"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [{"id": 2, "name": "dog"}], '
        b'"annotations": [{"id": 5, "image_id": 1, "category_id": 2, "bbox": [2, 30, 40]}]}',
    ),
)


@pytest.mark.parametrize(("name", "content"), FOUND)
def test_what_was_found(name, content, tmp_path):
    parser = next(one for one in PARSERS if one.name == name)
    path = parser.make(tmp_path)
    path.write_bytes(content)
    with suppress(PytrackingETError):
        parser.read(path)
