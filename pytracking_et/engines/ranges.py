"""Ranges that int8 rounds activations to. No torch, no ONNX.

They are measured on annotated frames (`quantise.measure`) and belong to one weight file. Shipped
ones lie beside it, `et_tracker.int8.json` beside `et_tracker.safetensors`; those that `ettrack
export --precision int8 --calibration FOLDER` measures are kept in the cache, and come first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import EngineError
from ..files import atomic_open, read_json, reading
from . import cache


@dataclass(frozen=True)
class Ranges:
    """Lowest and highest value of tensors.

    Attributes:
        weights_sha256: of the weight file whose graphs were measured.
        source: what they were measured on, for the reader of the file.
        values: tensor of the search graph -> (lowest, highest).
    """

    weights_sha256: str
    source: str
    values: Mapping[str, tuple[float, float]]

    @property
    def digest(self) -> str:
        """Hash of the values."""
        return hashlib.sha256(json.dumps(self.values, sort_keys=True).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Write a JSON file, one tensor a line."""
        fields = asdict(self)
        lines = (f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in fields.pop("values").items())
        head = json.dumps(fields, indent=2).removesuffix("\n}")
        with atomic_open(path) as stream:
            stream.write(f'{head},\n  "values": {{\n' + ",\n".join(lines) + "\n  }\n}\n")

    @staticmethod
    def read(path: Path) -> Ranges:
        """Read what `write` wrote.

        Raises:
            EngineError: no such file, or none of ours.
        """
        advice = (
            "delete these int8 ranges and measure again: ettrack export --precision int8 "
            "--calibration FOLDER --output FOLDER"
        )
        with reading(path, EngineError, advice):
            fields = read_json(path, EngineError, advice)
            values = {name: (float(a), float(b)) for name, (a, b) in fields["values"].items()}
            return Ranges(str(fields["weights_sha256"]), str(fields["source"]), values)


def places(weight_file: Path, digest: str) -> tuple[Path, Path]:
    """Where ranges of a weight file with sha256 `digest` may lie: the cache's, and beside it."""
    kept = cache.engines_folder() / "ranges" / f"{digest[:16]}.json"
    return kept, weight_file.with_suffix(".int8.json")


def find(weight_file: Path, digest: str) -> Ranges | None:
    """Ranges of a weight file with sha256 `digest`; None where nobody measured any.

    Raises:
        EngineError: a file of ranges is damaged.
    """
    for path in places(weight_file, digest):
        if path.is_file():
            ranges = Ranges.read(path)
            if ranges.weights_sha256 == digest:
                return ranges
    return None


def keep(ranges: Ranges, weight_file: Path) -> Path:
    """Write ranges where `find` looks first; returns the file."""
    path, _ = places(weight_file, ranges.weights_sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    ranges.write(path)
    return path
