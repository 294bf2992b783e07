"""No input makes a parser raise anything but an error of ours, or hang.

FUZZ_EXAMPLES=1000 tries that many inputs of each parser, chosen at random; by default there are
fewer, and always the same.
"""

from __future__ import annotations

import json
import os
import signal
import warnings
from contextlib import contextmanager

import pytest

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
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
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**30, -(10**400), 2**63, 2**31, -1, 0])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8), st.sampled_from(WORDS)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


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


def spoilt_bytes(draw, data: bytes) -> bytes:
    """A few bytes replaced, put in, taken out; or cut short, or something else altogether."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(changed)))
        length = draw(st.sampled_from([0, 0, 1, 1, 1, 2, 4, 8, 30, len(data)]))
        put = draw(
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from([word.encode("utf-8", "surrogatepass") for word in WORDS]),
            )
        )
        changed[place : place + length] = put
    return bytes(changed)


def places(value, path=()):
    """Paths to every node of a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield from places(inner, (*path, key))


def spoilt_json(draw, data: bytes) -> bytes:
    """One or two nodes replaced by other values, or taken out."""
    value = json.loads(data)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(list(places(value))))
        if not path:
            value = draw(VALUES)
            continue
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.integers(0, 3)) == 0:
            del holder[path[-1]]
        else:
            holder[path[-1]] = draw(VALUES)
    return json.dumps(value).encode()


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
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def attack(data):
        change = spoilt_json if structured and data.draw(st.booleans()) else spoilt_bytes
        path.write_bytes(change(data.draw, valid))
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
        through = (
            "git blob id",
            "do not fit",
            "is missing or damaged",
            "cannot be read",
            "holds no",
        )
        assert parser.name in BY_DESIGN, error
        assert any(words in str(error) for words in through)


# These end in an error after all of the file has been read.
BY_DESIGN = (
    *("download", "engine metadata", "calibration table"),
    *(parser.name for parser in PARSERS if parser.name.startswith("weights")),
)
