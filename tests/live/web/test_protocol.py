import json
import struct

import pytest

from pytracking_et.live.web.channel import ProtocolError, parse_command, parse_frame
from pytracking_et.live.web.page import CameraFrame, Command, pack


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "play"}, Command("play")),
        ({"type": "step", "box": "ignored"}, Command("step")),
        ({"type": "seek", "frame": 7}, Command("seek", frame=7)),
        (
            {"type": "target", "frame": 2, "box": [1, 2.5, 3, 4]},
            Command("target", (1.0, 2.5, 3.0, 4.0), 2),
        ),
        (
            {"type": "target", "frame": 2, "box": [1, 2.5, 3, 4], "id": 3},
            Command("target", (1.0, 2.5, 3.0, 4.0), 2, 3),
        ),
        ({"type": "release"}, Command("release")),
        ({"type": "remove", "id": 2}, Command("remove", target=2)),
    ],
)
def test_commands(message, expected):
    assert parse_command(json.dumps(message)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "7",
        "[" * 100_000,
        "{}",
        '{"type": "stop"}',
        '{"type": ["play"]}',
        '{"type": "target"}',
        '{"type": "target", "frame": 0}',
        '{"type": "target", "box": [1, 2, 3, 4]}',
        '{"type": "target", "frame": 0, "box": [1, 2, 3]}',
        '{"type": "target", "frame": 0, "box": [1, 2, 3, NaN]}',
        '{"type": "target", "frame": 0, "box": [1, 2, 3, Infinity]}',
        '{"type": "target", "frame": 0, "box": [1, 2, 3, "4"]}',
        '{"type": "target", "frame": 0, "box": [1, 2, 3, true]}',
        '{"type": "target", "frame": 0, "box": [1, 2, 3, 4], "id": "1"}',
        '{"type": "remove", "id": -1}',
        '{"type": "remove", "id": 1.5}',
        '{"type": "seek"}',
        '{"type": "seek", "frame": -1}',
        '{"type": "seek", "frame": 1.5}',
        '{"type": "seek", "frame": 1e30}',
    ],
)
def test_bad_commands(text):
    with pytest.raises(ProtocolError):
        parse_command(text)


def test_frame():
    data = pack({"frame": 3, "time": 0.1, "box": [1, 2, 3, 4]}, b"JPEG")
    assert parse_frame(data) == CameraFrame(3, 0.1, b"JPEG", (1.0, 2.0, 3.0, 4.0))
    assert parse_frame(pack({"frame": 3, "time": 0}, b"")).box is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00",
        struct.pack(">I", 100) + b"short",
        struct.pack(">I", 2**32 - 1) + b"{}",
        struct.pack(">I", 4097) + b" " * 5000,
        struct.pack(">I", 2) + b"\xff\xfe",
        pack({}, b""),
        pack({"frame": "1", "time": 0}, b""),
        pack({"frame": -1, "time": 0}, b""),
        pack({"frame": 1}, b""),
        pack({"frame": 1, "time": 0, "box": [1]}, b""),
    ],
)
def test_bad_frames(data):
    with pytest.raises(ProtocolError):
        parse_frame(data)
