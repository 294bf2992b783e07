"""Which pictures a result is of: the folder, and a digest of the frames in it.

Sequences of other data may have the same name, length and first box (a cropped or compressed copy,
another camera). By default sizes and times of the files tell; their contents on request, as that
reads them all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..files import sha256


class Pictures:
    """The frames of one sequence, for the manifest.

    Args:
        frames: paths, first to last.
        by_content: compare and record what is in the files.
    """

    def __init__(self, frames: Sequence[str], by_content: bool = False):
        self.frames = frames
        self.by_content = by_content

    @cached_property
    def _paths(self) -> list[str]:
        # Strings, not Path: data sets have millions of frames.
        here = str(Path.cwd())
        return [os.path.join(here, path) for path in self.frames]  # noqa: PTH118

    @cached_property
    def root(self) -> str:
        """Folder that holds all frames."""
        folders = list(dict.fromkeys(os.path.split(path)[0] for path in self._paths))
        try:
            return os.path.commonpath(folders)
        except ValueError:  # none, or several drives
            return ""

    @cached_property
    def stat(self) -> str | None:
        """Digest of names below the root, sizes and times; None where a frame is not there."""
        total = hashlib.sha256()
        try:
            for path in self._paths:
                found = os.stat(path)  # noqa: PTH116
                total.update(b"%s\0%d %d\n" % (self._name(path), found.st_size, found.st_mtime_ns))
        except OSError:
            return None
        return total.hexdigest()

    @cached_property
    def contents(self) -> str | None:
        """Digest of names below the root and contents; None where a frame cannot be read."""
        total = hashlib.sha256()
        try:
            for path in self._paths:
                total.update(b"%s\0%s\n" % (self._name(path), sha256(path).encode()))
        except OSError:
            return None
        return total.hexdigest()

    def entry(self) -> dict[str, str | None]:
        """What the manifest keeps."""
        # Its last folders, not the path: manifests are published with the results.
        named = {"root": "/".join(Path(self.root).parts[-3:]), "stat": self.stat}
        return {**named, "contents": self.contents} if self.by_content else named

    def are(self, recorded: Any) -> bool:
        """Whether an entry of the manifest is of these pictures.

        The same files elsewhere are the same pictures. Those that are no longer there are no
        others: their results stay.
        """
        if self.stat is None:
            return True
        if not isinstance(recorded, Mapping):
            return False
        same = recorded.get("stat") == self.stat
        if recorded.get("contents") and (self.by_content or not same):
            return bool(recorded["contents"] == self.contents)
        return same

    def _name(self, path: str) -> bytes:
        return path[len(self.root) :].encode("utf-8", "surrogatepass")
