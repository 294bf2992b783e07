"""Fetch published weights: resumable, verified, never half a file.

The authenticity of a file is its git blob id, the SHA-1 of `blob <size>\\0` and the bytes: the name
under which the publishing repository itself stores it.
"""

from __future__ import annotations

import hashlib
import json
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from importlib import resources
from pathlib import Path

from ..errors import CheckpointError
from ..files import move
from .weights import cached_weights

_BLOCK = 1 << 16
# Seconds without a byte before the attempt is given up; what has come is kept for the next.
_TIMEOUT = 30


@dataclass(frozen=True)
class Published:
    """A row of `catalogue.json`."""

    name: str
    network: str
    file: str
    url: str
    git_blob: str
    parameter: str  # file of the constants that the weights were published with
    summary: str


def catalogue() -> dict[str, Published]:
    """Weights that can be downloaded, by name."""
    text = resources.files(__package__).joinpath("catalogue.json").read_text("utf-8")
    return {name: Published(name, **row) for name, row in json.loads(text).items()}


def git_blob_id(path: Path) -> str:
    """Object id git gives to the file's content (hex SHA-1)."""
    # Names the object git stores; not used against an attacker who could also choose the id.
    digest = hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def download(item: Published, folder: Path | None = None) -> Path:
    """Fetch one file into the cache (or `folder`) and return its path; once is enough.

    An interrupted download goes on where it stopped. The name without `.part` exists only once the
    content has been verified.

    Raises:
        CheckpointError: offline, refused by the server, the content is not the published one, or
            the folder cannot be written.
    """
    target = (folder or cached_weights()) / item.file
    try:
        if not (target.is_file() and git_blob_id(target) == item.git_blob):
            target.parent.mkdir(parents=True, exist_ok=True)
            _download(item, target)
    except OSError as error:
        raise CheckpointError(
            f"{target.parent} cannot be written ({error}); make room or allow writing there, or "
            "name another cache with PYTRACKING_ET_CACHE"
        ) from error
    return target


def _download(item: Published, target: Path) -> None:
    part = target.with_name(target.name + ".part")
    if not (part.is_file() and git_blob_id(part) == item.git_blob):
        _fetch(item, part)
    found = git_blob_id(part)
    if found != item.git_blob:
        size = part.stat().st_size
        part.unlink()
        raise CheckpointError(
            f"{item.url} gave {size} bytes with git blob id {found}, expected {item.git_blob}; "
            "nothing was kept. Try again, or fetch the file by hand and give it with --checkpoint"
        )
    move(part, target)


def _fetch(item: Published, part: Path) -> None:
    from tqdm import tqdm

    have = part.stat().st_size if part.is_file() else 0
    answer = _ask(item.url, have)
    if answer is None:
        return  # the part is complete or foreign; the hash decides
    with answer:
        # 206 continues; a server that ignores the range answers 200 with the whole file.
        resumed = have > 0 and answer.status == 206
        done = have if resumed else 0
        # What a proxy may say instead of a number is no length: the hash decides then.
        expected = None if answer.length is None else done + answer.length
        with (
            part.open("ab" if resumed else "wb") as stream,
            tqdm(
                total=expected,
                initial=done,
                unit="B",
                unit_scale=True,
                desc=item.file,
                disable=sys.stderr is None,  # under pythonw
            ) as bar,
        ):
            for block in iter(lambda: _read(answer, item.url), b""):
                stream.write(block)
                bar.update(len(block))
        if expected is not None and part.stat().st_size < expected:
            raise CheckpointError(
                f"{item.url} broke off after {part.stat().st_size} of {expected} bytes; run "
                "the command again to go on from there"
            )


def _ask(url: str, have: int) -> HTTPResponse | None:
    """The server's answer, from byte `have` on where it can; None: it has nothing beyond that."""
    request = urllib.request.Request(url, headers={"User-Agent": "pytracking-et"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT)
        return answer
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return None
        raise CheckpointError(
            f"{url} answered {error.code} {error.reason}; fetch the file by hand and give it "
            "with --checkpoint"
        ) from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: of a proxy's address
        raise _unreachable(url, error) from error


def _read(answer: HTTPResponse, url: str) -> bytes:
    try:
        return answer.read(_BLOCK)
    except (OSError, HTTPException) as error:
        raise _unreachable(url, error) from error


def _unreachable(url: str, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"cannot reach {url} ({getattr(error, 'reason', error)}); without a network, copy the file "
        "here and give it with --checkpoint"
    )
