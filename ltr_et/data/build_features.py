"""Fill a feature cache: `python -m ltr_et.data.build_features --crops STORE --output CACHE`.

Resumable: chunk k depends on (seed, k) alone, finished chunks are kept, and training may read them
while later ones are made. Runs through OpenVINO in float32 where it is installed, else PyTorch.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytracking_et import process
from pytracking_et.errors import DatasetError, EngineError, ImageError, pip_line
from pytracking_et.files import move, read_json, write_json

from ..locks import alone
from .crops import CropStore
from .features import pad_boxes
from .pairs import TrackTable, generator
from .paste import Donors
from .views import (
    SEARCH_VIEW,
    TEMPLATE_VIEW,
    Flavour,
    View,
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

NETWORK = "lt_mobile"
Extractor = Callable[[NDArray[np.uint8]], NDArray[np.float16]]
# Crop, flavour, view.
Made = tuple[int, Flavour, View]


class ChunkMaker:
    """Makes chunks from a crop store; unreadable crops are reported once and counted.

    Attributes:
        broken: messages of crops that could not be read.
    """

    def __init__(self, store: CropStore, extract: Extractor) -> None:
        self.store, self.extract = store, extract
        self.table = TrackTable(store.source, store.field["track"], store.sources)
        self.donors = Donors(store)
        self.broken: set[str] = set()

    def make(self, path: Path, key: tuple[int, int], searches: int = CHUNK) -> int:
        """Make one chunk folder, which depends on `key` alone; returns its number of search views.

        It holds fewer than `searches` where crops could not be read.

        Raises:
            DatasetError: none could be read.
        """
        rng = generator(*key)
        made: dict[bool, list[Made]] = {False: [], True: []}
        for crop, flavour, template in self._plan(rng, searches):
            settings = TEMPLATE_VIEW if template else SEARCH_VIEW
            try:  # the crop itself, or one that is pasted into it
                picture = crop_picture(self.store, crop)
                view = make_view(rng, picture, settings, flavour, self.donors)
            except ImageError as error:
                if str(error) not in self.broken:
                    log.warning("skipped: %s", error)
                self.broken.add(str(error))
                continue
            made[template].append((crop, flavour, view))
        if not made[False] or not made[True]:
            raise DatasetError(
                f"no crop of {self.store.folder} can be read for {path}; delete the crop store and "
                "build it again"
            )
        partial = path.with_name(f".{path.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        fields: dict[str, NDArray] = {}
        for kind, views in (("x", made[False]), ("z", made[True])):
            images = [view.image for _, _, view in views]
            batches = [images[first : first + BATCH] for first in range(0, len(images), BATCH)]
            features = [self.extract(np.stack(batch)) for batch in batches]
            np.save(partial / f"{kind}.npy", np.concatenate(features))
            fields |= _index(kind, self.store, views)
        np.savez_compressed(partial / "index.npz", **fields)  # type: ignore[arg-type]
        move(partial, path)
        return len(made[False])

    def _plan(self, rng: np.random.Generator, searches: int) -> list[tuple[int, Flavour, bool]]:
        """(crop, flavour, whether it is a template) of exactly `searches` search views and theirs.

        Tracks by weight, then frames of the track, all in one flavour.
        """
        planned: list[tuple[int, Flavour, bool]] = []
        missing = searches
        while missing > 0:
            rows = self.table.rows[self.table.draw(rng)]
            flavour = draw_flavour(rng)
            count, templates = VIDEO_VIEWS if self.store.field["video"][rows[0]] else STILL_VIEWS
            count = min(count, missing)
            for template, number in ((False, count), (True, templates)):
                picked = rng.choice(rows, number, replace=number > len(rows))
                planned += [(crop, flavour, template) for crop in picked.tolist()]
            missing -= count
        return planned


def _index(kind: str, store: CropStore, made: list[Made]) -> dict[str, NDArray]:
    crops = np.array([crop for crop, _, _ in made], np.int64)
    fields: dict[str, NDArray] = {
        "crop": crops,
        "source": np.array(store.sources)[store.source[crops]],
        "flavour": np.array([flavour.code for _, flavour, _ in made], np.uint8),
    }
    for name in ("track", "clip", "category", "frame"):
        fields[name] = store.field[name][crops]
    if kind == "x":
        views = [view for _, _, view in made]
        fields["box"] = np.stack([view.box for view in views])
        fields["distractors"] = np.stack([pad_boxes(view.distractors, view.box) for view in views])
        fields["pseudo"] = store.field["pseudo"][crops]
        fields["video"] = store.field["video"][crops]
    return {f"{kind}_{name}": values for name, values in fields.items()}


def make_extractor(engine: str, weights: Path, threads: int) -> Extractor:
    """LT-Mobile's backbone: uint8 (B, H, H, 3) RGB -> float16 (B, 96, H/16, H/16).

    Computed in float32.

    Args:
        engine: "openvino", "torch", or "auto" (OpenVINO where installed).

    Raises:
        EngineError: OpenVINO was asked for and is not installed.
    """
    import torch

    backbone = _backbone(weights)
    if engine != "torch":
        try:
            return _openvino_extractor(backbone, threads)
        except ImportError as error:
            if engine == "openvino":
                line = pip_line("openvino")
                raise EngineError(f"--engine openvino needs openvino ({error}); {line}") from error
            log.info(
                "OpenVINO is not installed; PyTorch extracts the features, several times slower"
            )
    torch.set_num_threads(threads)

    def extract(images: NDArray[np.uint8]) -> NDArray[np.float16]:
        with torch.inference_mode():
            return backbone(torch.from_numpy(images)).half().numpy()

    return extract


def _openvino_extractor(backbone: Any, threads: int) -> Extractor:
    import torch

    from pytracking_et.engines.runtimes import without_telemetry

    with without_telemetry():
        import openvino

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


def _backbone(weights: Path) -> Any:
    import torch

    from pytracking_et.network import build
    from pytracking_et.network.normalisation import normalise
    from pytracking_et.network.weights import load

    class Normalised(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            whole = build(NETWORK)
            load(whole, weights)
            self.net = whole.backbone_net

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.net(normalise(images.permute(0, 3, 1, 2)))

    return Normalised().eval()


def compare_meta(cache: Path, wanted: Mapping[str, Any], advice: str) -> None:
    """Compare a cache with what is wanted of it.

    Raises:
        DatasetError: it was begun with other settings or another backbone, or does not tell.
    """
    there = read_json(cache / "meta.json", DatasetError, advice)
    was = {name: there.get(name) for name, value in wanted.items() if there.get(name) != value}
    if was:
        now = {name: wanted[name] for name in was}
        raise DatasetError(f"the feature cache {cache} was begun with {was}, not {now}; {advice}")


def check_meta(output: Path, meta: dict[str, Any]) -> None:
    """Write the meta.json of a cache that begins, or compare with the one there.

    Raises:
        DatasetError: see `compare_meta`.
    """
    if not (output / "meta.json").exists() and not any(output.glob("chunk-*")):
        write_json(output / "meta.json", meta, indent=2)
        return
    advice = "delete that folder, or choose another --output (in training: --features)"
    compare_meta(output, meta, advice)


def chunks_of(views: int, chunk: int = CHUNK) -> int:
    """Number of chunks of a cache of so many search views."""
    return -(-views // chunk)


def build(
    crops: Path, output: Path, views: int, weights: Path | None = None, *,
    threads: int = 1, engine: str = "auto", seed: int = 0, chunk: int = CHUNK,
) -> None:  # fmt: skip
    """Make the chunks that a cache lacks; see `main` for the arguments.

    Raises:
        DatasetError: the cache was begun with other settings or another backbone.
        ParameterError: a number below 1.
    """
    import cv2

    from pytracking_et.network.weights import find, fingerprint

    from ..settings import ONE_OR_MORE, check_numbers

    numbers = {"views": views, "chunk": chunk, "threads": threads}
    check_numbers("", numbers, dict.fromkeys(numbers, ONE_OR_MORE))
    cv2.setNumThreads(threads)
    weights = find(NETWORK, weights)
    store = CropStore(crops, held_out=False)
    meta: dict[str, Any] = {"network": NETWORK, "weights": fingerprint(weights), "part": "train"}
    meta |= {"seed": seed, "chunk": chunk, "sources": store.sources}
    output.mkdir(parents=True, exist_ok=True)
    check_meta(output, meta)
    paths = [output / f"chunk-{number:05d}" for number in range(chunks_of(views, chunk))]
    if all(path.exists() for path in paths):
        log.info("%s: all %d chunks are there", output, len(paths))
        return
    with alone(output, f"another process is building {output}; waiting for it"):
        extract = make_extractor(engine, weights, threads)
        _fill(paths, ChunkMaker(store, extract), seed, chunk)


def _fill(paths: list[Path], maker: ChunkMaker, seed: int, chunk: int) -> None:
    began, made = time.perf_counter(), 0
    for number, path in enumerate(paths):
        if path.exists():
            continue
        made += maker.make(path, (seed, number), chunk)
        rate = made / (time.perf_counter() - began)
        left = (len(paths) - number - 1) * chunk / rate
        log.info("%d of %d chunks, %.1f views/s, %.0f s left", number + 1, len(paths), rate, left)
    log.info("%d crops could not be read", len(maker.broken))


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--crops", type=Path, required=True, help="crop store")
    parser.add_argument("--output", type=Path, required=True, help="folder of the cache")
    parser.add_argument("--views", type=int, default=60000, help="search views (default 60000)")
    parser.add_argument("--weights", type=Path, help="its weights; default: where `find` looks")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--engine", choices=("auto", "openvino", "torch"), default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chunk", type=int, default=CHUNK, help="search views of a chunk")
    options = parser.parse_args(arguments)

    def work() -> int:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        build(**vars(options))
        return 0

    return process.run("ltr_et.data.build_features", work, lambda: "the same command goes on")


if __name__ == "__main__":
    raise SystemExit(main())
