"""What is measured: engines, the plain network and OpenCV's trackers, behind one `step`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..engines.base import Crop, Maps
from ..engines.catalogue import ENGINES, READERS, Model, computes_in, installed
from ..engines.package import Metadata
from ..errors import EngineError
from ..network import weights
from ..tracker import plugins
from ..tracker.params import loop_parameters
from ..tracking import Loop, Parameters

PEERS = ("CSRT", "KCF", "MIL", "Nano")
PLAIN = "plain"


class Step(NamedTuple):
    """Seconds of one frame: cut the crop, run the network, decode; the whole step."""

    crop: float
    network: float
    decode: float
    total: float


@dataclass(frozen=True)
class Subject:
    """One row of the benchmark.

    Attributes:
        kind: "engine", "plain" (eager network, no inference_mode, nothing folded) or "peer".
        name: engine, "plain", or the peer's name in OpenCV.
        precision: of an engine; empty otherwise.
        threads: CPU threads it is given.
        targets: tracked at once on the same frames; times are then of one target.
        network: of engines and the plain network.
        checkpoint: of engines and the plain network.
        parameter: parameter file of `et_tracker` with the constants of an engine's loop; the
            published ones where empty.
        models: folder of the Nano peer's two ONNX files.
    """

    kind: str
    name: str
    precision: str = ""
    threads: int = 1
    targets: int = 1
    network: str = "et_tracker"
    checkpoint: str | None = None
    parameter: str = ""
    models: str | None = None

    @property
    def label(self) -> str:
        """For tables: "openvino f32"."""
        return f"{self.name} {self.precision}".strip()


class Running(Protocol):
    """An opened subject."""

    def start(self, frame: Crop, box: NDArray[np.float64]) -> None:
        """Take the target (x, y, w, h in pixels) from an RGB frame."""

    def step(self, frame: Crop) -> Step:
        """Track it into the next frame."""


def subjects(
    threads: Sequence[int],
    model: Model,
    engines: Sequence[str] = (),
    precisions: Sequence[str] = (),
    peers: Path | None = None,
    parameters: Sequence[str] = ("",),
) -> list[Subject]:
    """Every subject that can run here: bf16 where the CPU has it, int8 where ranges were measured.

    Args:
        engines: to restrict to; all where empty.
        precisions: to restrict to; all where empty.
        peers: folder with NanoTrack's ONNX files, for the Nano peer.
        parameters: parameter files of `et_tracker`, each a row of every engine.
    """
    from ..engines.int8 import find_ranges

    able = {name: row.precisions for name, row in ENGINES.items()}
    exported = model.path.name == weights.EXPORT
    if exported:  # there is no plain network in it
        graphs = Metadata.read(model.path.parent)
        able = dict.fromkeys(READERS.get(graphs.format, ()), (graphs.precision,))
    rows: list[Subject] = []
    for count in threads:
        common: dict[str, Any] = {"threads": count, "network": model.network}
        common["checkpoint"] = str(model.path)
        if not exported:
            rows.append(Subject(PLAIN, PLAIN, **common))
        for name, kinds in able.items():
            if not installed(name) or (engines and name not in engines):
                continue
            for kind in kinds:
                # bf16 elsewhere is float32 by another name; asked for, it says so.
                here = kind in precisions if precisions else kind != "bf16" or computes_in(kind)
                measured = exported or kind != "int8" or find_ranges(model) is not None
                if here and measured:
                    rows += [
                        Subject("engine", name, kind, parameter=parameter, **common)
                        for parameter in parameters
                    ]
        rows += _peers(count, peers)
    return rows


def _peers(threads: int, models: Path | None) -> list[Subject]:
    found = [name for name in PEERS if _factory(name) is not None]
    if models is None and "Nano" in found:
        found.remove("Nano")
    folder = None if models is None else str(models)
    return [Subject("peer", name, threads=threads, models=folder) for name in found]


def _factory(name: str) -> Any:
    for module in (cv2, getattr(cv2, "legacy", None)):
        create = getattr(module, f"Tracker{name}_create", None)
        if create is not None:
            return create
    return None


def open_subject(subject: Subject) -> Running:
    """Open a subject in this process."""
    cv2.setNumThreads(subject.threads)
    if subject.kind == "peer":
        return _Peer(subject)
    if subject.kind == PLAIN:
        return _Tracker([_PlainEngine(subject)], Parameters())
    from ..engines.select import create

    first = create(
        subject.name, subject.network, subject.checkpoint, subject.threads, subject.precision
    )
    clones = (first.clone() for _ in range(subject.targets - 1))
    return _Tracker([first, *clones], constants(subject))


def constants(subject: Subject) -> Parameters:
    """Constants of the loop around a row's engine."""
    if not subject.parameter:
        return Parameters()
    bag = plugins.parameters("et_tracker", subject.parameter)
    path = weights.find(subject.network, subject.checkpoint)
    return loop_parameters(bag, weights.tuned_parameters(path))


class _Timed:
    """An engine that notes when its last `track` began and ended."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.began, self.ended = engine, 0.0, 0.0

    def template(self, image: Crop) -> None:
        self.engine.template(image)

    def track(self, image: Crop) -> Maps:
        self.began = time.perf_counter()
        maps = self.engine.track(image)
        self.ended = time.perf_counter()
        return maps


class _Tracker:
    """Our loop over an engine and its clones, all on the same target."""

    def __init__(self, engines: Sequence[Any], constants: Parameters) -> None:
        self.engines = [_Timed(engine) for engine in engines]
        self.loops = [Loop(engine, constants) for engine in self.engines]

    def start(self, frame: Crop, box: NDArray[np.float64]) -> None:
        for loop in self.loops:
            loop.start(frame, box)

    def step(self, frame: Crop) -> Step:
        parts = []
        for engine, loop in zip(self.engines, self.loops, strict=True):
            began = time.perf_counter()
            loop.step(frame)
            ended = time.perf_counter()
            called = getattr(engine.engine, "seconds", engine.ended - engine.began)
            parts.append((engine.began - began, called, ended - engine.ended, ended - began))
        return Step(*(float(value) for value in np.mean(parts, axis=0)))


class _PlainEngine:
    """The published way: modules as built, eager, gradients on.

    `seconds` is the network's call alone, tensors ready, which speeds are compared with.
    """

    def __init__(self, subject: Subject) -> None:
        import torch

        from ..engines.inference import load_network
        from ..network.constants import MEAN, STD

        torch.set_num_threads(subject.threads)
        assert subject.checkpoint is not None
        self._torch, self._network = torch, load_network(subject.network, subject.checkpoint)
        self._mean, self._std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
        self.seconds = 0.0

    def _tensor(self, image: Crop) -> Any:
        tensor = self._torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0).float()
        return (tensor - self._mean) / self._std

    def template(self, image: Crop) -> None:
        self._feature = self._network.template(self._tensor(image))

    def track(self, image: Crop) -> Maps:
        tensor = self._tensor(image)
        began = time.perf_counter()
        logits, distances = self._network.track(self._feature, tensor)
        self.seconds = time.perf_counter() - began
        score = self._torch.sigmoid(logits)[0, 0].detach().numpy()
        return score, distances[0].detach().numpy()


class _Peer:
    """A tracker of OpenCV; its parts cannot be told apart, all counts as network."""

    def __init__(self, subject: Subject) -> None:
        self.create = _factory(subject.name)
        self.arguments: list[Any] = []
        if subject.name == "Nano":
            settings = cv2.TrackerNano_Params()  # type: ignore[attr-defined]
            for part in ("backbone", "neckhead"):
                pattern = "*backbone*.onnx" if part == "backbone" else "*head*.onnx"
                files = sorted(Path(subject.models or "").glob(pattern))
                if not files:
                    raise EngineError(f"{subject.models} has no file {pattern} for the Nano peer")
                setattr(settings, part, str(files[0]))
            self.arguments = [settings]

    def start(self, frame: Crop, box: NDArray[np.float64]) -> None:
        self.tracker = self.create(*self.arguments)
        self.tracker.init(frame, tuple(int(round(v)) for v in box))

    def step(self, frame: Crop) -> Step:
        began = time.perf_counter()
        self.tracker.update(frame)
        seconds = time.perf_counter() - began
        return Step(0.0, seconds, 0.0, seconds)
