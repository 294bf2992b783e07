"""Sealed files: content as it was written, or nothing."""

from __future__ import annotations

import pytest

from pytracking_et.engines import seal


def test_content_comes_back_and_may_be_written_to(tmp_path):
    path = tmp_path / "folder" / "a.blob"
    content = bytes(range(256)) * 9000  # more than one chunk
    path.parent.mkdir()
    seal.write(path, content)
    mapped = seal.read(path)
    assert mapped.tobytes() == content
    mapped[0] = 7
    assert seal.read(path).tobytes() == content


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored: b"",
        lambda stored: stored[:-1],
        lambda stored: stored[:40],
        lambda stored: bytes([stored[0] ^ 1]) + stored[1:],
        lambda stored: stored + b"0",
    ],
)
def test_damaged_files_are_not_read(tmp_path, damage):
    path = tmp_path / "a.blob"
    assert seal.read(path) is None
    seal.write(path, b"compiled" * 10)
    path.write_bytes(damage(path.read_bytes()))
    assert seal.read(path) is None
