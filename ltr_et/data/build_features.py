"""Fill a feature cache: `python -m ltr_et.data.build_features --crops STORE --output CACHE`.

Resumable: chunk k depends on (seed, k) alone, finished chunks are kept, and training may read them
while later ones are made. Runs through OpenVINO in float32 where it is installed, else PyTorch.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytracking_et import process
from pytracking_et.errors import DatasetError, ImageError
from pytracking_et.files import read_json, write_json

from .crops import CropStore
from .features import pad_boxes
from .pairs import TrackTable, generator
from .paste import Donors
from .views import (
    SEARCH_VIEW,
    TEMPLATE_VIEW,
    Flavour,
    View,
    ViewSettings,
    crop_picture,
    draw_flavour,
    make_view,
)

log = logging.getLogger(__name__)

# Search views of a chunk: 100 MB of features, about half a minute on one core.
CHUNK = 2048
# Small batches stay in the cache: 53 views a core second with 1 to 4, 47 with 16 (EPYC Rome).
BATCH = 4
# Views made per drawn track: four search and two template views of a video, two and one of a still.
VIDEO_VIEWS, STILL_VIEWS = (4, 2), (2, 1)

Extractor = Callable[[NDArray[np.uint8]], NDArray[np.float16]]


@dataclass(frozen=True)
class PlannedView:
    """One view to make: crop, flavour, and whether it is a template."""

    crop: int
    flavour: Flavour
    template: bool


class ViewPlanner:
    """Draws what a chunk holds: tracks by weight, then frames of the track, all in one flavour."""

    def __init__(self, store: CropStore, weights: dict[str, float] | None = None) -> None:
        self.store = store
        self.table = TrackTable(store.source, store.field["track"], store.sources, weights)

    def plan(self, rng: np.random.Generator, searches: int) -> list[PlannedView]:
        """At least one template and exactly `searches` search views."""
        views: list[PlannedView] = []
        missing = searches
        while missing > 0:
            rows = self.table.rows[self.table.draw(rng)]
            flavour = draw_flavour(rng)
            count, templates = VIDEO_VIEWS if self.store.field["video"][rows[0]] else STILL_VIEWS
            count = min(count, missing)
            for template, number in ((False, count), (True, templates)):
                picked = rng.choice(rows, number, replace=number > len(rows))
                views += [PlannedView(int(crop), flavour, template) for crop in picked]
            missing -= count
        return views


class ViewMaker:
    """Makes planned views; unreadable crops are reported once and counted."""

    def __init__(self, store: CropStore, donors: Donors | None) -> None:
        self.store = store
        self.donors = donors
        self.broken: set[int] = set()

    def make(self, rng: np.random.Generator, planned: PlannedView) -> View | None:
        """The view, or None where its crop cannot be read."""
        settings: ViewSettings = TEMPLATE_VIEW if planned.template else SEARCH_VIEW
        try:
            picture = crop_picture(self.store, planned.crop)
        except ImageError as error:
            if planned.crop not in self.broken:
                log.warning("skipped: %s", error)
            self.broken.add(planned.crop)
            return None
        return make_view(rng, picture, settings, planned.flavour, self.donors)


def build_chunk(
    path: Path, planner: ViewPlanner, maker: ViewMaker, extract: Extractor, key: tuple[int, int],
    searches: int = CHUNK,
) -> int:  # fmt: skip
    """Make one chunk folder; returns its number of search views."""
    rng = generator(*key)
    made: dict[bool, list[tuple[PlannedView, View]]] = {False: [], True: []}
    for planned in planner.plan(rng, searches):
        view = maker.make(rng, planned)
        if view is not None:
            made[planned.template].append((planned, view))
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    fields: dict[str, NDArray] = {}
    for kind, template in (("x", False), ("z", True)):
        views = [view for _, view in made[template]]
        features = [
            extract(np.stack([view.image for view in views[first : first + BATCH]]))
            for first in range(0, len(views), BATCH)
        ]
        np.save(partial / f"{kind}.npy", np.concatenate(features))
        fields |= _index(kind, planner.store, made[template])
    np.savez_compressed(partial / "index.npz", **fields)  # type: ignore[arg-type]
    partial.replace(path)
    return len(made[False])


def _index(kind: str, store: CropStore, made: list[tuple[PlannedView, View]]) -> dict[str, NDArray]:
    crops = np.array([planned.crop for planned, _ in made], np.int64)
    fields: dict[str, NDArray] = {
        "crop": crops,
        "source": np.array(store.sources)[store.source[crops]],
        "flavour": np.array([planned.flavour.code for planned, _ in made], np.uint8),
    }
    for name in ("track", "clip", "category", "frame"):
        fields[name] = store.field[name][crops]
    if kind == "x":
        fields["box"] = np.stack([view.box for _, view in made])
        fields["distractors"] = np.stack(
            [pad_boxes(view.distractors, view.box) for _, view in made]
        )
        fields["pseudo"] = store.field["pseudo"][crops]
        fields["video"] = store.field["video"][crops]
    return {f"{kind}_{name}": values for name, values in fields.items()}


def torch_extractor(network: str, weights: Path, threads: int) -> Extractor:
    """Backbone in PyTorch: uint8 (B, H, H, 3) RGB -> float16 (B, 96, H/16, H/16)."""
    import torch

    backbone = _backbone(network, weights)
    torch.set_num_threads(threads)

    def extract(images: NDArray[np.uint8]) -> NDArray[np.float16]:
        with torch.inference_mode():
            return backbone(torch.from_numpy(images)).half().numpy()

    return extract


def openvino_extractor(network: str, weights: Path, threads: int) -> Extractor:
    """Backbone in OpenVINO, float32; raises ImportError where it is not installed."""
    import openvino
    import torch

    backbone = _backbone(network, weights)
    core = openvino.Core()
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        # Pinning would ignore the cores this process was given and fight a training job for core 0.
        "ENABLE_CPU_PINNING": False,
    }
    compiled: dict[tuple[int, ...], Any] = {}

    def extract(images: NDArray[np.uint8]) -> NDArray[np.float16]:
        if images.shape not in compiled:
            model = openvino.convert_model(backbone, example_input=torch.from_numpy(images))
            model.reshape(list(images.shape))
            compiled[images.shape] = core.compile_model(model, "CPU", options)
        return compiled[images.shape](images)[0].astype(np.float16)

    return extract


def _backbone(network: str, weights: Path) -> Any:
    import torch

    from pytracking_et.network import build
    from pytracking_et.network.normalisation import normalise
    from pytracking_et.network.weights import load

    class Normalised(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            whole = build(network)
            load(whole, weights)
            self.net = whole.backbone_net

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.net(normalise(images.permute(0, 3, 1, 2)))

    return Normalised().eval()


def make_extractor(engine: str, network: str, weights: Path, threads: int) -> Extractor:
    """`engine` is "openvino", "torch", or "auto" (OpenVINO where installed)."""
    if engine == "torch":
        return torch_extractor(network, weights, threads)
    try:
        return openvino_extractor(network, weights, threads)
    except ImportError:
        if engine == "openvino":
            raise
        log.info("OpenVINO is not installed; PyTorch extracts the features, several times slower")
        return torch_extractor(network, weights, threads)


def check_meta(output: Path, meta: dict[str, Any]) -> None:
    """Write meta.json, or compare with the one there.

    Raises:
        DatasetError: the cache was begun with other settings or another backbone.
    """
    path = output / "meta.json"
    if not path.exists():
        write_json(path, meta, indent=2)
        return
    there = read_json(
        path,
        DatasetError,
        "delete that folder, or choose another --output (in training: --features)",
    )
    changed = [name for name in meta if there.get(name) != meta[name]]
    if changed:
        was = {name: there.get(name) for name in changed}
        now = {name: meta[name] for name in changed}
        raise DatasetError(
            f"{output} was begun with {was}, not {now}; delete that folder, or choose another "
            "--output (in training: --features)"
        )


def chunks_of(views: int, chunk: int = CHUNK) -> int:
    """Number of chunks of a cache of so many search views."""
    return -(-views // chunk)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--crops", type=Path, required=True, help="crop store")
    parser.add_argument("--output", type=Path, required=True, help="folder of the cache")
    parser.add_argument("--views", type=int, default=60000, help="search views (default 60000)")
    parser.add_argument("--network", default="lt_mobile", help="whose backbone (default lt_mobile)")
    parser.add_argument("--weights", type=Path, help="its weights; default: where `find` looks")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--engine", choices=("auto", "openvino", "torch"), default="auto")
    parser.add_argument("--part", choices=("train", "held_out"), default="train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chunk", type=int, default=CHUNK, help="search views of a chunk")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Make the missing chunks; returns the exit code."""
    options = parse(arguments)
    return process.run(
        "ltr_et.data.build_features", lambda: run(options), lambda: "the same command goes on"
    )


def run(options: argparse.Namespace) -> int:
    """Make the missing chunks; returns the exit code."""
    import cv2

    from pytracking_et.network.weights import find, fingerprint

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cv2.setNumThreads(options.threads)
    weights = find(options.network, options.weights)
    held_out = options.part == "held_out"
    store = CropStore(options.crops, held_out=held_out)
    meta = {"network": options.network, "weights": fingerprint(weights), "part": options.part}
    meta |= {"seed": options.seed, "chunk": options.chunk, "sources": store.sources}
    options.output.mkdir(parents=True, exist_ok=True)
    check_meta(options.output, meta)
    count = chunks_of(options.views, options.chunk)
    paths = [options.output / f"chunk-{number:05d}" for number in range(count)]
    if all(path.exists() for path in paths):
        log.info("%s: all %d chunks are there", options.output, count)
        return 0
    planner = ViewPlanner(store)
    # Validation views are plain: pasted objects would come from the clips under test.
    maker = ViewMaker(store, None if held_out else Donors(store))
    extract = make_extractor(options.engine, options.network, weights, options.threads)
    began, made = time.perf_counter(), 0
    for number, path in enumerate(paths):
        if path.exists():
            continue
        made += build_chunk(path, planner, maker, extract, (options.seed, number), options.chunk)
        rate = made / (time.perf_counter() - began)
        left = (count - number - 1) * options.chunk / rate
        log.info("%d of %d chunks, %.1f views/s, %.0f s left", number + 1, count, rate, left)
    log.info("%d crops could not be read", len(maker.broken))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
