"""Select checkpoints and loop constants by tracking: the real loop over training tracks.

    python -m ltr_et.tracking_validation --data DATA WEIGHTS [WEIGHTS ...]
    python -m ltr_et.tracking_validation --data DATA WEIGHTS --grid window_influence=0.2,0.3

Validation IoU of pairs does not predict tracking; this does, without touching a benchmark. Held-out
clips (never trained on) are few, so `--part all` adds the tracks that were trained on: good enough
to compare constants, optimistic about weights. The pack's videos are thinned out (every 2nd to 8th
frame), so motion between frames is larger than in real time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytracking_et import network
from pytracking_et.analysis import score
from pytracking_et.engines.torch_engine import engine_of
from pytracking_et.errors import DatasetError, ParameterError
from pytracking_et.tracking.loop import Engine, Loop
from pytracking_et.tracking.parameters import Parameters

from .data.build_crops import HELD_OUT, held_out_clips
from .dataset.base import BaseDataset
from .dataset.pack import open_pack, source_table

# Tracks shorter than this tell chance from skill badly.
LEAST_FRAMES = 8


@dataclass(frozen=True)
class Track:
    """One object of a data set in the frames where it is labelled.

    frames: its frame numbers within the data set's sequence; boxes: (N, 4) x, y, w, h.
    """

    dataset: BaseDataset
    sequence: int
    frames: NDArray[np.intp]
    boxes: NDArray[np.float64]
    held_out: bool

    @property
    def name(self) -> str:
        """`source/track`."""
        return f"{self.dataset.name}/{self.dataset.track_name(self.sequence)}"


def tracks(
    datasets: Sequence[BaseDataset], part: str = "held_out", sources: Sequence[str] | None = None
) -> list[Track]:
    """Tracks of the videos among `datasets` that are long enough.

    Args:
        part: "held_out", "train" or "all". Pseudo-labelled sources are never used.
        sources: only data sets of these names.
    """
    found = []
    for dataset in datasets:
        pseudo = source_table().get(dataset.name, {}).get("pseudo", False)
        if pseudo or not dataset.is_video_sequence() or (sources and dataset.name not in sources):
            continue
        kept = held_out_clips(dataset, HELD_OUT)
        for sequence in range(len(dataset)):
            held_out = dataset.clip_name(sequence) in kept
            info = dataset.get_sequence_info(sequence)
            frames = np.flatnonzero(info["valid"] & info["visible"])
            wanted = part == "all" or held_out == (part == "held_out")
            if wanted and len(frames) >= LEAST_FRAMES:
                boxes = np.asarray(info["bbox"], np.float64)[frames]
                found.append(Track(dataset, sequence, frames, boxes, held_out))
    if not found:
        raise DatasetError(f"no {part} video track of at least {LEAST_FRAMES} frames in the data")
    return found


def follow(engine: Engine, parameters: Parameters, track: Track) -> NDArray[np.float64]:
    """Boxes (N, 4) of the tracker, started on the track's first box (which is row 0)."""
    loop = Loop(engine, parameters)
    boxes = [track.boxes[0]]
    for number, frame in enumerate(track.frames.tolist()):
        image = track.dataset.read_frame(track.sequence, frame)
        if number == 0:
            loop.start(image, track.boxes[0])
        else:
            boxes.append(loop.step(image).box)
    return np.array(boxes)


def success(
    engine: Engine, parameters: Parameters, chosen: Sequence[Track]
) -> tuple[float, dict[str, float]]:
    """Mean success AUC over sources (percent), and the mean of each source's tracks.

    Every source counts once, so that a hundred pedestrians do not outvote everything else.
    """
    predictions = {track.name: follow(engine, parameters, track) for track in chosen}
    truth = {track.name: track.boxes for track in chosen}
    table = score(predictions, truth).per_sequence["auc"]
    per_source: dict[str, list[float]] = {}
    for track in chosen:
        per_source.setdefault(track.dataset.name, []).append(float(table[track.name]))
    means = {name: float(np.mean(values)) for name, values in sorted(per_source.items())}
    return float(np.mean(list(means.values()))), means


def load_engine(weights: Path, name: str | None = None) -> tuple[Engine, Mapping[str, Any]]:
    """Torch engine of a weight file and the loop constants stored with it."""
    state, texts = network.weights.read(weights)
    name = name or texts.get("network") or network.weights.recognised(state) or "et_tracker"
    net = network.build(name)
    network.weights.load(net, weights)
    return engine_of(net.eval()), network.weights.tuned_parameters(weights)


def parse_grid(assignments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Combinations of `name=value,value,...` arguments; one empty combination for none.

    Raises:
        ParameterError: no such constant, or not of that form.
    """
    axes = []
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in Parameters.names():
            names = ", ".join(Parameters.names())
            raise ParameterError(f"grid {assignment!r} is not NAME=VALUE,...; names: {names}")
        axes.append([(name, _value(part)) for part in text.split(",")])
    for combination in itertools.product(*axes):
        yield dict(combination)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m ltr_et.tracking_validation", description=__doc__.split("\n")[0]
    )
    parser.add_argument("weights", nargs="+", type=Path, help="weight files to compare")
    parser.add_argument("--data", type=Path, required=True, help="folder with video/")
    parser.add_argument("--part", choices=("held_out", "train", "all"), default="held_out")
    parser.add_argument("--sources", nargs="*", help="only these, e.g. davis2016 mot")
    parser.add_argument("--network", help="configuration, where the file does not tell")
    parser.add_argument(
        "--grid", action="append", default=[], metavar="NAME=V1,V2",
        help="loop constant and values to try; several make all combinations",
    )  # fmt: skip
    parser.add_argument("--log", type=Path, help="append each result to this file (JSON lines)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Print one line for each weight file and combination of constants."""
    options = parse(arguments)
    chosen = tracks(open_pack(options.data), options.part, options.sources)
    frames = sum(len(track.frames) for track in chosen)
    print(f"{len(chosen)} tracks, {frames} frames, part {options.part}")
    for weights in options.weights:
        engine, constants = load_engine(weights, options.network)
        for changes in parse_grid(options.grid):
            began = time.perf_counter()
            parameters = replace(Parameters.from_fields(constants), **changes)
            auc, per_source = success(engine, parameters, chosen)
            listing = "  ".join(f"{name} {value:.1f}" for name, value in per_source.items())
            seconds = time.perf_counter() - began
            print(f"{auc:5.2f}  {weights.name}  {changes or ''}  {listing}  ({seconds:.0f} s)")
            if options.log is not None:
                _append(options.log, weights, auc, per_source, changes)
    return 0


def _append(
    log: Path, weights: Path, auc: float, per_source: dict[str, float], changes: dict[str, Any]
) -> None:
    samples = int(network.weights.metadata(weights).get("samples") or 0)
    record = {"kind": "tracking", "samples": samples, "auc": round(auc, 3), "constants": changes}
    record |= {"weights": weights.name, "sources": per_source}
    with log.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
