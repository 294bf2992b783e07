"""A folder of exported graphs: what lies in it, whether it is whole. No torch.

Layout: `template_127.onnx`, `search_256.onnx`, ... (or OpenVINO's `.xml` and `.bin`),
`reference.npz` (crops and the maps that the plain network gave for them), the same for every other
graph (`reference_127_288.npz`, ...) and, written last, `metadata.json` with the hash of every file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError
from ..files import atomic_path, read_json, reading, sha256, write_json
from ..network.weights import EXPORT
from .base import Runtime

METADATA = EXPORT
REFERENCE = "reference.npz"
AGAIN = "write the graphs again with 'ettrack export'"
# Raised when what a reader of an export relies on changes (5: `loop` has an anchor).
GRAPH_REVISION = 5
# Largest difference to the plain network by precision: of a score, and of a distance in pixels of
# the crop, on the reference crops. float32 stays below a tenth of it. The others round by design
# and are held to what was seen to track as well (0.008 and 1.5 px in bf16, 0.04 and 6.7 px in int8:
# mean AUC within 0.2 points); int8 graphs at 0.30 and 16 px lost 5 points.
TOLERANCE = {"f32": (1e-3, 0.05), "bf16": (0.05, 5.0), "int8": (0.12, 12.0)}


@dataclass(frozen=True)
class Metadata:
    """What a program needs to know to run the graphs.

    Attributes:
        format: "onnx" or "openvino".
        opset: of the ONNX graphs.
        network: configuration name.
        precision: "f32", "int8", ...
        weights_sha256: of the weight file they were made from.
        templates: sides of the template crops, in pixels.
        searches: sides of the search crops, in pixels.
        stride: pixels of the search crop per cell.
        mean: of RGB divided by 255; already inside the graphs, whose input is uint8 RGB.
        std: likewise.
        loop: constants of the tracking loop (`tracking.Parameters`).
        versions: of the programs that wrote them.
        files: name -> sha256.
        parity: largest differences to the plain network on `reference.npz`.
    """

    format: str
    opset: int
    network: str
    precision: str
    weights_sha256: str
    templates: tuple[int, ...]
    searches: tuple[int, ...]
    stride: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    loop: Mapping[str, Any]
    versions: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    parity: Mapping[str, float] = field(default_factory=dict)
    revision: int = GRAPH_REVISION
    channel_order: str = "rgb"

    def write(self, folder: Path) -> None:
        """Write `metadata.json`, which makes the folder complete."""
        write_json(folder / METADATA, asdict(self), indent=2)

    def check(self) -> None:
        """Raise ValueError or TypeError where a value is not of its kind; files stay in the folder.

        JSON knows no tuples: lists stand for them.
        """
        for name in ("format", "network", "precision", "weights_sha256", "channel_order"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} is {getattr(self, name)!r}")
        for name in ("loop", "versions", "files", "parity"):
            if not isinstance(getattr(self, name), Mapping):
                raise TypeError(f"{name} is {getattr(self, name)!r}")
        for name in ("templates", "searches", "mean", "std"):
            for value in getattr(self, name):
                float(value)
        for name, digest in self.files.items():
            if Path(name).name != name or not isinstance(digest, str):
                raise ValueError(f"file {name!r} is not a name with a hash")

    @staticmethod
    def read(folder: Path) -> Metadata:
        """Read a folder's metadata.

        Raises:
            EngineError: none, unreadable, or of another revision.
        """
        path = folder / METADATA
        with reading(path, EngineError, AGAIN):
            result = Metadata(**read_json(path, EngineError, AGAIN))
            result.check()
        if result.revision != GRAPH_REVISION:
            raise EngineError(
                f"{path} has graph revision {result.revision}, this version reads "
                f"{GRAPH_REVISION}; {AGAIN}"
            )
        return result


def graph_name(kind: str, side: int, suffix: str = ".onnx") -> str:
    """File name of the template or search graph for crops of `side` pixels."""
    return f"{kind}_{side}{suffix}"


def reference_name(metadata: Metadata, kind: str, side: int) -> str:
    """File name of the reference that a graph is checked with, beside the first of the other kind.

    The name tells the sides of template and search: `reference_127_288.npz`; the first of both
    kinds have `reference.npz`.
    """
    first = (metadata.templates[0], metadata.searches[0])
    sides = (side, first[1]) if kind == "template" else (first[0], side)
    return REFERENCE if sides == first else f"reference_{sides[0]}_{sides[1]}.npz"


def reference_names(metadata: Metadata) -> list[str]:
    """File names of the references of all graphs."""
    kinds = {"template": metadata.templates, "search": metadata.searches}
    names = [reference_name(metadata, kind, side) for kind in kinds for side in kinds[kind]]
    return list(dict.fromkeys(names))


def check(folder: Path) -> Metadata:
    """Read the metadata and compare every file with its hash.

    Raises:
        EngineError: a file is missing or differs; names it.
    """
    metadata = Metadata.read(folder)
    for name, digest in metadata.files.items():
        path = folder / name
        if not path.is_file() or sha256(path) != digest:
            raise EngineError(f"{path} is missing or damaged; write the graphs again")
    return metadata


@dataclass(frozen=True)
class Reference:
    """Crops and the answers to them.

    Attributes:
        template: (T, T, 3) uint8 RGB.
        search: (S', S', 3) uint8 RGB.
        score: of the plain network.
        distances: of the plain network.
    """

    template: NDArray[np.uint8]
    search: NDArray[np.uint8]
    score: NDArray[np.float32]
    distances: NDArray[np.float32]

    def write(self, path: Path) -> None:
        """Write an `.npz`."""
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **asdict(self))

    @staticmethod
    def read(path: Path) -> Reference:
        """Read what `write` wrote.

        Raises:
            EngineError: missing or damaged.
        """
        with reading(path, EngineError, AGAIN), np.load(path, allow_pickle=False) as arrays:
            return Reference(**{name: arrays[name] for name in arrays.files})

    def difference(self, runtime: Runtime) -> dict[str, float]:
        """Largest absolute difference of a runtime's score and distances to the plain network's."""
        score, distances = runtime.track(runtime.template(self.template), self.search)
        return {
            "score": float(np.abs(score - self.score).max()),
            "distances": float(np.abs(distances - self.distances).max()),
        }


def agrees(difference: Mapping[str, float], precision: str, name: str = REFERENCE) -> bool:
    """Whether a runtime is the same network up to the rounding of its precision (NaN is not).

    Args:
        difference: of `Reference.difference`.
        precision: a key of `TOLERANCE`, which was measured on the first reference.
        name: of the reference; others may differ twice as much (int8 at 288 px: 0.11 and 7.6 px).
    """
    slack = 1 if name == REFERENCE else 2
    score, distance = (slack * limit for limit in TOLERANCE[precision])
    return difference["score"] <= score and difference["distances"] <= distance


def sample_crop(side: int, seed: int) -> NDArray[np.uint8]:
    """A deterministic picture with structure at several scales, (side, side, 3) uint8."""
    generator = np.random.RandomState(seed)
    picture = np.zeros((side, side, 3))
    for cells in (4, 16, 64):
        coarse = generator.uniform(-60, 60, (cells, cells, 3))
        index = np.arange(side) * cells // side
        picture += coarse[index][:, index]
    return np.clip(picture + 128, 0, 255).astype(np.uint8)
