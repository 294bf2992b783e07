"""Files of JSON objects, one a line, to which runs append and which a kill may cut short."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

Record = dict[str, Any]


def read(path: Path) -> list[Record]:
    """All records of a file, none where there is no file; damaged lines are told and left out."""
    records = []
    # A cut may go through a letter; that line is no JSON either.
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            records.append(record)
        else:
            log.warning("%s line %d is damaged and left out", path, number)
    return records


def touch(path: Path) -> None:
    """Make the file and its folder, before the work whose records could not be put there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.open("ab").close()


def append(path: Path, record: Record) -> None:
    """Add a record as one line; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as stream:
        # A line that a killed run left unfinished must not swallow this one.
        if stream.seek(0, 2):
            stream.seek(-1, 2)
            stream.write(b"" if stream.read(1) == b"\n" else b"\n")
        stream.write(json.dumps(record, default=str).encode() + b"\n")
