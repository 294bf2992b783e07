"""Graphs of a network traced into ONNX files. Needs torch and onnx; reading needs neither."""

from __future__ import annotations

import dataclasses
import importlib.util
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from ...errors import EngineError, pip_line
from ...files import atomic_path, sha256
from ...machine import package_version
from ...network import weights
from ...network.constants import MEAN, STD, STRIDE
from ...network.normalisation import normalise
from ...network.trackers import TrackingNetwork
from ...tracking.parameters import Parameters
from ...version import __version__
from ..catalogue import Model
from ..package import Metadata, Reference, graph_name, reference_name, sample_crop
from . import TEMPLATE_SIDES, SearchGraph, TemplateGraph, load_graphs, own_settings

# LayerNormalization is one operator from here on; both runtimes know it well.
OPSET = 17
# `et_tracker` takes 224, 256 for small targets, and 32 less while it is sure; the published sizes
# are 256 and 288. Engines are compared on the first one's reference, which the tolerances of
# precisions were measured on: it stays 256 (the shipped int8 ranges do not pass on that of 224).
SEARCHES = (256, 224, 192, 288)

Progress = Callable[[str], None]
# torch's exporter keeps its state in the process: two threads in it break each other's graphs.
_EXPORTING = threading.Lock()


def require_exporter() -> None:
    """Check for the package that torch writes ONNX files with.

    Raises:
        EngineError: it is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        raise EngineError(
            f"writing ONNX graphs needs the package onnx; {pip_line('onnx')} "
            "(or the extra openvino)"
        )


@own_settings()
def write_graph(graph: TemplateGraph | SearchGraph, side: int, folder: Path) -> str:
    """Write one graph for crops of `side` pixels; returns its file name."""
    require_exporter()
    image = torch.from_numpy(sample_crop(side, seed=side))[None]
    arguments: tuple[Any, ...] = (image,)
    inputs, outputs, kind = ["image"], ["template"], "template"
    if isinstance(graph, SearchGraph):
        kind, inputs, outputs = "search", ["template", "image"], ["score", "distances"]
        arguments = (torch.zeros(graph.template_shape), image)
    name = graph_name(kind, side)
    with _EXPORTING, atomic_path(folder / name) as path, warnings.catch_warnings():
        # The tracer warns of every size that it fixes, which is what is wanted here.
        warnings.simplefilter("ignore")
        try:
            with torch.no_grad():
                torch.onnx.export(
                    graph,
                    arguments,
                    str(path),
                    opset_version=OPSET,
                    dynamo=False,
                    input_names=inputs,
                    output_names=outputs,
                )
        except RuntimeError as error:  # all of torch.onnx's are
            raise EngineError(
                f"the {kind} graph cannot be written as ONNX: {str(error)[:300]}"
            ) from error
    return name


@own_settings()
def plain_reference(network: TrackingNetwork, template: int, search: int) -> Reference:
    """What the network as built, nothing folded or lowered, answers to the test crops."""
    z, x = sample_crop(template, seed=1), sample_crop(search, seed=2)
    with torch.inference_mode():
        images = [normalise(torch.from_numpy(i).permute(2, 0, 1)[None]) for i in (z, x)]
        logits, distances = network.track(network.template(images[0]), images[1])
        return Reference(z, x, torch.sigmoid(logits)[0, 0].numpy(), distances[0].numpy())


def versions() -> dict[str, str]:
    """Versions of the programs that take part in an export."""
    found = {"pytracking-et": __version__, "torch": torch.__version__}
    for package in ("onnx", "onnxruntime", "openvino"):
        if importlib.util.find_spec(package) is not None:
            found[package] = package_version(package)
    return found


def write(
    model: Model,
    folder: Path,
    templates: Sequence[int] = TEMPLATE_SIDES,
    searches: Sequence[int] = SEARCHES,
    progress: Progress = lambda _: None,
) -> Metadata:
    """Write ONNX graphs of a network, the reference and the metadata.

    Args:
        model: the network and its weights.
        folder: made where absent.
        templates: sides of the template crops, one graph each.
        searches: sides of the search crops, one graph each.
        progress: told what is being done.

    Raises:
        CheckpointError: weights that do not fit.
        EngineError: no exporter.
    """
    require_exporter()
    module, *pair = load_graphs(model.network, model.path)
    kinds: list[tuple[str, Any, Sequence[int]]]
    kinds = list(zip(("template", "search"), pair, (templates, searches), strict=True))
    names = []
    for kind, graph, sides in kinds:
        for side in sides:
            progress(f"{kind} graph, {side} px")
            names.append(write_graph(graph, side, folder))
    loop = Parameters.from_fields(weights.tuned_parameters(model.path))
    metadata = Metadata(
        "onnx", OPSET, model.network, "f32", model.digest, tuple(templates), tuple(searches),
        STRIDE, MEAN, STD, dataclasses.asdict(loop), versions(),
    )  # fmt: skip
    for kind, _, sides in kinds:
        for side in sides:
            names.append(_write_reference(module, metadata, folder, kind, side))
    files = {name: sha256(folder / name) for name in names}
    metadata = dataclasses.replace(metadata, files=files)
    metadata.write(folder)
    return metadata


def _write_reference(
    module: TrackingNetwork, metadata: Metadata, folder: Path, kind: str, side: int
) -> str:
    """Write the reference of one graph; returns its file name."""
    name = reference_name(metadata, kind, side)
    template = side if kind == "template" else metadata.templates[0]
    search = side if kind == "search" else metadata.searches[0]
    plain_reference(module, template, search).write(folder / name)
    return name


def add_graph(model: Model, folder: Path, kind: str, side: int) -> None:
    """Add to an export the graph for another size of crop."""
    old = Metadata.read(folder)
    if old.precision == "int8":
        raise EngineError(
            f"the int8 graphs have searches {old.searches} and templates {old.templates}, not "
            f"{side}; choose one of these sizes, or precision f32 or bf16"
        )
    module, template, search = load_graphs(model.network, model.path)
    # The graph last: where it is, another process takes both to be there.
    names = [
        _write_reference(module, old, folder, kind, side),
        write_graph(search if kind == "search" else template, side, folder),
    ]
    files = {**old.files, **{name: sha256(folder / name) for name in names}}
    sides = "searches" if kind == "search" else "templates"
    more: Any = {sides: (*getattr(old, sides), side)}
    dataclasses.replace(old, files=files, **more).write(folder)
