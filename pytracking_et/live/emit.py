"""Boxes for other programs, as they come: lines on standard output, or datagrams."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from ..errors import ParameterError, ResultsError
from .session import Target

HEADER = "frame,time,target,x,y,w,h,score,lost,candidates"


class Emitter:
    """One line for every target of every frame, out of the house at once.

    A line of JSON, also the content of a datagram:

        {"frame": 7, "time": 1795852800.25, "target": 1, "box": [10.0, 20.0, 40.0, 30.0],
         "score": 0.93, "lost": false,
         "candidates": [{"box": [10.0, 20.0, 40.0, 30.0], "score": 0.93}]}

    frame from 0; time: seconds since 1970 when the box was known; box x, y, w, h in pixels,
    0-based; candidates: what looked like the target, itself among it (CSV: how many).

    Args:
        where: "jsonl" or "csv" (standard output), or "udp://HOST:PORT".

    Raises:
        ParameterError: another word, or no such host.
        ResultsError: nobody reads standard output any more, or it cannot be written.
    """

    def __init__(self, where: str) -> None:
        self._socket: socket.socket | None = None
        self._told = False
        self._csv = where == "csv"
        if where in ("jsonl", "csv"):
            if sys.stdout is None:
                raise ParameterError(f"--emit {where!r}: there is no standard output here")
            self._descriptor = sys.stdout.fileno()
        else:
            self._socket = _connected(where)

    def __enter__(self) -> Emitter:
        if self._csv:
            self._write(HEADER)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._socket is not None:
            self._socket.close()

    def emit(self, frame: int, targets: Iterable[Target]) -> None:
        """Send the boxes of one frame."""
        moment = round(time.time(), 6)
        for target in targets:
            said = message(frame, moment, target)
            self._write(_csv_line(said) if self._csv else json.dumps(said))

    def _write(self, line: str) -> None:
        if self._socket is not None:
            try:
                self._socket.send(line.encode())
            except OSError as error:
                # Lost, as on the way: nobody listens yet, or a robot is out of reach for a while.
                if not (self._told or isinstance(error, ConnectionRefusedError)):
                    self._told = True
                    print(
                        f"notice: --emit: boxes cannot be sent ({error.strerror or error}); "
                        "tracking goes on, and so does trying",
                        file=sys.stderr,
                    )
            return
        # One call a line, past every buffer: whoever is killed leaves no half line behind.
        data = (line + "\n").encode()
        try:
            while data:  # of a full disk, a part: the next call says so
                data = data[os.write(self._descriptor, data) :]
        except BrokenPipeError as error:
            raise ResultsError("--emit: nobody reads standard output any more") from error
        except OSError as error:
            raise ResultsError(
                f"--emit: standard output cannot be written ({error.strerror})"
            ) from error


def message(frame: int, moment: float, target: Target) -> dict[str, Any]:
    """What one line says, as plain values."""
    mark, found = target.mark, getattr(target.tracker, "candidates", None)
    pairs = [] if found is None else zip(found.boxes, found.scores, strict=True)
    return {
        "frame": frame,
        "time": moment,
        "target": mark.id,
        "box": [round(float(value), 3) for value in mark.box],
        "score": round(mark.score, 4),
        "lost": mark.lost,
        "candidates": [
            {"box": [round(float(v), 3) for v in box], "score": round(float(score), 4)}
            for box, score in pairs
        ],
    }


def _csv_line(said: dict[str, Any]) -> str:
    frame, moment, target, box, score, lost, candidates = said.values()
    return ",".join(map(str, [frame, moment, target, *box, score, int(lost), len(candidates)]))


def _connected(where: str) -> socket.socket:
    try:
        parts = urlsplit(where)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not where.startswith("udp://") or not host or not port:
        raise ParameterError(f"--emit {where!r}: give jsonl, csv or udp://HOST:PORT")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        connection = socket.socket(family, kind, protocol)
        connection.connect(address)
    except (OSError, UnicodeError) as error:  # no host name
        raise ParameterError(f"--emit {where!r}: {error}") from error
    return connection
