"""Who tracks: weight files with constants of the loop, and trackers of others."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

import pytracking_et.tracking
from pytracking_et import network
from pytracking_et.engines.catalogue import ENGINES, installed
from pytracking_et.errors import ParameterError
from pytracking_et.tracker import plugins
from pytracking_et.tracker.opening import open_loop
from pytracking_et.tracker.params import loop_parameters

Box = NDArray[np.float64]
Image = NDArray[np.uint8]

ROOT = Path(__file__).resolve().parents[2]
LOOP = Path(pytracking_et.tracking.__file__).parent
# Plug-in package of the peers' loops, in a checkout, and the variable that names their weights.
PEERS_PACKAGE, PEERS_VARIABLE = "benchmarks.peers", "PYTRACKING_ET_PEERS"
# LightTrack-Mobile's constants that fit it best, over the published ones.
LIGHTTRACK = {"template_size": 128, "size_smoothing": "once", "anchor": "crop"}


class Running(Protocol):
    """A tracker of one target."""

    def start(self, image: Image, box: Box) -> None:
        """Take the target x, y, w, h from an (H, W, 3) RGB frame."""

    def step(self, image: Image) -> Box:
        """Its box in the next frame."""


@dataclass(frozen=True)
class Subject:
    """One row of the table; `key` names it in the cache, `open` gives a maker of trackers."""

    label: str

    @property
    def key(self) -> str:
        """Digest of all that its boxes depend on."""
        raise NotImplementedError

    def open(self) -> Callable[[], Running]:
        """Load it; returns a function that makes a tracker for one more target."""
        raise NotImplementedError

    def record(self) -> dict[str, Any]:
        """For the log."""
        return {"label": self.label}


@dataclass(frozen=True)
class Weights(Subject):
    """A weight file in our loop.

    Attributes:
        path: the file.
        parameter: parameter file of `et_tracker` whose constants count.
        changes: constants that overrule it.
        engine: as `pytracking_et.engines.create` takes it; float32.
        threads: as `pytracking_et.engines.create` takes them.
        configuration: network, where the file does not tell.
    """

    path: Path
    parameter: str = "et_tracker"
    changes: dict[str, Any] = field(default_factory=dict)
    engine: str = "openvino"
    threads: int = 1
    configuration: str | None = None

    @property
    @override
    def key(self) -> str:
        constants = dataclasses.asdict(self.constants())
        digest = network.weights.fingerprint(self.path)
        parts = [digest, self._network(), constants, self.engine, _sources(LOOP)]
        return _digest(json.dumps(parts, sort_keys=True, default=str))

    def constants(self) -> Any:
        """`Parameters` of the loop."""
        return loop_parameters(self._bag(), network.weights.tuned_parameters(self.path))

    @override
    def open(self) -> Callable[[], Running]:
        loop = open_loop(self._bag(), self.path, self.engine, self.threads, "f32")
        return lambda: _Looped(copy.deepcopy(loop))

    @override
    def record(self) -> dict[str, Any]:
        samples = int(network.weights.metadata(self.path).get("samples") or 0)
        return {
            "label": self.label, "weights": self.path.name, "samples": samples,
            "sha256": network.weights.fingerprint(self.path)[:16], "engine": self.engine,
            "constants": dataclasses.asdict(self.constants()), "changes": self.changes,
        }  # fmt: skip

    def _network(self) -> str:
        told = network.weights.metadata(self.path).get("network")
        return told or self.configuration or _recognised(str(self.path))

    def _bag(self) -> Any:
        bag = plugins.parameters("et_tracker", self.parameter)
        bag.network = self._network()
        for name, value in self.changes.items():
            setattr(bag, name, value)
        return bag


@dataclass(frozen=True)
class Peer(Subject):
    """A tracker of others behind pytracking's contract (plug-in package `benchmarks.peers`)."""

    parameter: str
    folder: Path

    @property
    @override
    def key(self) -> str:
        files = [network.weights.fingerprint(path) for path in sorted(self.folder.glob("*.onnx"))]
        loops = _sources(ROOT / "benchmarks" / "peers")
        return _digest(json.dumps([self.parameter, files, loops]))

    @override
    def open(self) -> Callable[[], Running]:
        plug_in(self.folder)
        kind = plugins.tracker_class("peers")
        return lambda: _Plugged(kind(plugins.parameters("peers", self.parameter)))


def plug_in(folder: Path) -> None:
    """Make the peers' loops known to the plug-in search, with their weights in `folder`.

    Raises:
        ParameterError: this is no checkout, or the folder is not there.
    """
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    if not (ROOT / "benchmarks" / "peers").is_dir():
        raise ParameterError(f"{PEERS_PACKAGE} is not at {ROOT}; run --peers in a checkout")
    if not folder.is_dir():
        raise ParameterError(f"--peers {folder} is no folder; name the one with the ONNX files")
    os.environ[PEERS_VARIABLE] = str(folder.resolve())
    if PEERS_PACKAGE not in plugins.roots():
        added = os.environ.get(plugins.VARIABLE, "")
        os.environ[plugins.VARIABLE] = ",".join(filter(None, [added, PEERS_PACKAGE]))


def peers(folder: Path, engine: str, threads: int) -> list[Subject]:
    """The plug-ins, and LightTrack-Mobile in our loop where `../weights` beside them has it."""
    plug_in(folder)
    found: list[Subject] = [
        Peer(plugins.parameters("peers", name).get("label", name), name, folder)
        for name in plugins.parameter_files("peers")
    ]
    lighttrack = folder.parent / "weights" / "lighttrack_mobile.npz"
    if lighttrack.is_file():
        label, changes = "LightTrack-Mobile", dict(LIGHTTRACK)
        found.append(Weights(label, lighttrack, "lt_mobile", changes, engine, threads))
    return found


def first_engine() -> str:
    """The fastest engine that is installed, by the order in `ENGINES`; no clock decides."""
    return next(name for name in ENGINES if installed(name))


class _Looped:
    def __init__(self, loop: Any) -> None:
        self.loop = loop

    def start(self, image: Image, box: Box) -> None:
        self.loop.start(image, box)

    def step(self, image: Image) -> Box:
        return np.asarray(self.loop.step(image).box, np.float64)


class _Plugged:
    def __init__(self, tracker: Any) -> None:
        self.tracker = tracker

    def start(self, image: Image, box: Box) -> None:
        self.tracker.initialize(image, {"init_bbox": box.tolist()})

    def step(self, image: Image) -> Box:
        return np.asarray(self.tracker.track(image)["target_bbox"], np.float64)


@lru_cache(maxsize=64)
def _recognised(path: str) -> str:
    named = network.weights.metadata(path).get("network")
    return named or network.weights.recognised(network.weights.read(path)[0]) or "et_tracker"


@lru_cache(maxsize=8)
def _sources(folder: Path) -> str:
    """Digest of a folder's Python files: what an older loop tracked says nothing of this one."""
    files = sorted(folder.rglob("*.py"))
    return _digest("".join(path.read_text(encoding="utf-8") for path in files))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
