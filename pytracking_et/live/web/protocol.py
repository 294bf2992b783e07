"""Messages the page may send on its WebSocket, checked before anything acts on them."""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import dataclass
from typing import Any

from ...errors import PytrackingETError

COMMANDS = frozenset({"play", "pause", "step", "seek", "target", "release"})
HEADER_BYTES = 4096

# WebSocket close codes of our own (4000-4999 are free for applications, RFC 6455, 7.4.2).
CLOSE_PROTOCOL = 4400
CLOSE_UNKNOWN = 4404
CLOSE_BUSY = 4409

BoxValues = tuple[float, float, float, float]


class ProtocolError(PytrackingETError):
    """A message that does not follow the protocol; the connection is closed."""


@dataclass(frozen=True)
class Command:
    """`play`, `pause`, `step`, `release`, `seek` to a frame, or `target`: a box drawn on one."""

    name: str
    box: BoxValues | None = None
    frame: int = 0


@dataclass(frozen=True)
class CameraFrame:
    """One camera frame: number, seconds since the camera was opened, JPEG, box if drawn on it."""

    number: int
    seconds: float
    jpeg: bytes
    box: BoxValues | None


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the message is not JSON") from error
    if not isinstance(value, dict):
        raise ProtocolError("the message is not a JSON object")
    return value


def _number(value: object, name: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # Whole numbers of JSON have any length, and beyond this they are no floats.
    if not number or not abs(value) <= sys.float_info.max:  # type: ignore[arg-type]
        raise ProtocolError(f"{name} {str(value)[:40]} is not a finite number")
    return float(value)  # type: ignore[arg-type]


def _box(value: object) -> BoxValues:
    if not isinstance(value, list) or len(value) != 4:
        raise ProtocolError(f"box {value!r} is not a list of four numbers x, y, w, h")
    x, y, w, h = (_number(item, "box value") for item in value)
    return x, y, w, h


def _frame(value: object) -> int:
    # 2**53: numbers of a browser are exact below.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise ProtocolError(f"frame {value!r} is not a whole number from 0")
    return value


def parse_command(text: str) -> Command:
    """Read {"type": NAME}, for seek with "frame": n, for target also "box": [x, y, w, h]."""
    message = _object(text)
    name = message.get("type")
    if not isinstance(name, str) or name not in COMMANDS:
        raise ProtocolError(f"unknown message type {name!r}; one of {', '.join(sorted(COMMANDS))}")
    if name == "target":
        return Command(name, _box(message.get("box")), _frame(message.get("frame")))
    if name == "seek":
        return Command(name, frame=_frame(message.get("frame")))
    return Command(name)


def parse_frame(data: bytes) -> CameraFrame:
    """Read a binary message: header length (4 bytes, big-endian), header (JSON), JPEG.

    The header is {"frame": n, "time": seconds} with "box" on the frame the user drew on.
    """
    if len(data) < 4:
        raise ProtocolError("a camera frame of less than 4 bytes")
    (length,) = struct.unpack(">I", data[:4])
    if length > min(HEADER_BYTES, len(data) - 4):
        raise ProtocolError(f"a camera frame with a header of {length} bytes")
    header = _object(data[4 : 4 + length])
    number = _frame(header.get("frame"))
    box = None if header.get("box") is None else _box(header["box"])
    return CameraFrame(number, _number(header.get("time"), "time"), data[4 + length :], box)
