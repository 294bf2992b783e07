"""What a result is of, as JSON: parameter values and pictures.

A description of values is the same text in every process, never a memory address. Fingerprints of
results are made of it, so what it says of a type must not change.

Sequences of other data may have the same name, length and first box (a cropped or compressed copy,
another camera). By default sizes and times of the picture files tell; their contents on request, as
that reads them all.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import logging
import os
import re
import types
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..files import sha256

# Of these the name says all that can be said; what they refer to is the whole program.
_BY_NAME = (type, types.FunctionType, types.BuiltinFunctionType)
_OPAQUE = (types.ModuleType, logging.Logger)
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")


def describe(value: Any) -> Any:
    """A parameter value as JSON.

    Objects are their class and their attributes, tensors their shape, type and a digest. What has
    neither is its repr where that is the same in every process, and otherwise its class alone.
    """
    return _Description().of(value, ())


class _Description:
    """One value with all that it holds; an object met again is only numbered."""

    def __init__(self) -> None:
        # The object itself is kept: its id must not be given to another one meanwhile.
        self._objects: dict[int, tuple[int, Any]] = {}

    def of(self, value: Any, around: tuple[int, ...]) -> Any:
        """Describe `value`, which lies in the containers whose ids are `around`."""
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if id(value) in around:
            return f"<{_name(type(value))}, which holds this>"
        inside = (*around, id(value))
        if isinstance(value, (np.ndarray, np.generic)):
            plain = value.tolist()
            return self.of(plain, inside) if value.dtype.hasobject else _number(plain)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._mapping(
                {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}, inside
            )
        if isinstance(value, Mapping):
            return self._mapping(value, inside)
        if isinstance(value, (list, tuple)):
            return [self.of(item, inside) for item in value]
        if isinstance(value, (set, frozenset)):
            return sorted((self.of(item, inside) for item in value), key=_text)
        if isinstance(value, Path):
            return str(value)
        return self._object(value, inside)

    def _mapping(self, value: Mapping[Any, Any], inside: tuple[int, ...]) -> dict[str, Any]:
        named = [(self._key(key, inside), item) for key, item in value.items()]
        return {key: self.of(item, inside) for key, item in sorted(named, key=lambda one: one[0])}

    def _key(self, key: Any, inside: tuple[int, ...]) -> str:
        text = str(key)
        if isinstance(key, str) or not _ADDRESS.search(text):
            return text
        return _text(self.of(key, inside))

    def _object(self, value: Any, inside: tuple[int, ...]) -> Any:
        if isinstance(value, _BY_NAME):
            return f"<{_name(value)}>"
        name = _name(type(value))
        if isinstance(value, _OPAQUE):
            return f"<{name}>"
        if isinstance(value, types.MethodType):
            return {f"<{_name(value)}>": self.of(value.__self__, inside)}
        if isinstance(value, functools.partial):
            return {f"<{name}>": self.of([value.func, value.args, value.keywords], inside)}
        if all(hasattr(value, each) for each in ("detach", "cpu", "numpy")):
            return {f"<{name}>": _tensor(value)}
        if id(value) in self._objects:
            return f"<{name}, object {self._objects[id(value)][0]}>"
        self._objects[id(value)] = len(self._objects), value
        state = _state(value)
        if state:
            return {f"<{name}>": self._mapping(state, inside)}
        if type(value).__repr__ is object.__repr__ or _ADDRESS.search(repr(value)):
            return f"<{name}>"
        return repr(value)


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _text(described: Any) -> str:
    return json.dumps(described, sort_keys=True)


def _number(value: Any) -> Any:
    """What `tolist` gives; complex numbers, bytes and dates, which JSON has not, as text."""
    if isinstance(value, list):
        return [_number(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


def _state(value: Any) -> dict[str, Any]:
    """Attributes of an object, those in slots too."""
    slots = [
        name
        for kind in type(value).__mro__
        for name in _slots(kind)
        if name not in ("__dict__", "__weakref__") and hasattr(value, name)
    ]
    return {**{name: getattr(value, name) for name in slots}, **getattr(value, "__dict__", {})}


def _slots(kind: type) -> Sequence[str]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _tensor(value: Any) -> list[Any]:
    """Shape, type and sha256 of a tensor (of torch, which need not be installed)."""
    tensor = value.detach().cpu()
    # numpy has no bfloat16; every such number is a float32 too.
    held = tensor.float() if str(tensor.dtype).endswith("bfloat16") else tensor
    content = np.ascontiguousarray(held.numpy()).tobytes()
    return [list(tensor.shape), str(tensor.dtype), hashlib.sha256(content).hexdigest()]


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

        def told(path: str) -> bytes:
            found = os.stat(path)  # noqa: PTH116
            return b"%d %d" % (found.st_size, found.st_mtime_ns)

        return self._digest(told)

    @cached_property
    def contents(self) -> str | None:
        """Digest of names below the root and contents; None where a frame cannot be read."""
        return self._digest(lambda path: sha256(path).encode())

    def _digest(self, told: Callable[[str], bytes]) -> str | None:
        total = hashlib.sha256()
        try:
            for path in self._paths:
                name = path[len(self.root) :].encode("utf-8", "surrogatepass")
                total.update(b"%s\0%s\n" % (name, told(path)))
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
