"""How far boxes of each engine are from torch's, frame by frame, on real sequences.

    python benchmarks/engines_agreement.py --root ../shared/sequences/OTB100 --json FILE

Two comparisons, of the largest difference of x, y, w, h in pixels:

* free: each engine tracks for itself. Once rounding has moved a crop by a pixel (its corner or side
  lay next to a half), engines look at different pictures and boxes differ until they meet again.
* fed: each engine gets torch's state before every frame, so that only its own rounding counts.
"""

from __future__ import annotations

import copy
import json
import time

import cv2
import numpy as np
from engines_accuracy import chosen, sequence_parser

from pytracking_et.engines import create
from pytracking_et.engines.catalogue import ENGINES, installed
from pytracking_et.files import write_json
from pytracking_et.network import weights
from pytracking_et.tracking import Loop, Parameters

# The promise of the float32 engines.
LIMIT = 0.5


def with_state(loop: Loop, leader: Loop) -> Loop:
    """The loop, which keeps its engine and template, put where the leader is."""
    twin = copy.copy(loop)
    for name in ("_center", "_size", "_ratio", "_shift"):
        setattr(twin, name, getattr(leader, name).copy())
    return twin


# Differences of the frames in pixels, by engine and kind.
Differences = dict[tuple[str, str], list[float]]


def compare(sequence, loops: dict[str, Loop], every: int) -> Differences:
    """Of each engine, free and fed; the first loop leads."""
    paths = sequence.frames[::every]
    first = np.asarray(sequence.init_bbox(), float).reshape(-1)
    image = cv2.imread(str(paths[0]))
    for loop in loops.values():
        loop.start(image, first, "bgr")
    lead, *names = loops
    found: Differences = {(name, kind): [] for name in names for kind in ("free", "fed")}
    for path in paths[1:]:
        image, before = cv2.imread(str(path)), copy.copy(loops[lead])
        box = loops[lead].step(image, "bgr").box
        for name in names:
            boxes = {"fed": with_state(loops[name], before).step(image, "bgr").box}
            boxes["free"] = loops[name].step(image, "bgr").box
            for kind, own in boxes.items():
                found[name, kind].append(float(np.abs(own - box).max()))
    return found


def summaries(found: Differences) -> dict[str, dict[str, dict[str, float]]]:
    """By engine and kind."""
    report: dict[str, dict[str, dict[str, float]]] = {}
    for (name, kind), values in found.items():
        report.setdefault(name, {})[kind] = {
            "frames": len(values),
            "beyond_half_a_pixel": int((np.array(values) > LIMIT).sum()),
            "median_px": float(np.median(values)),
            "p99_px": float(np.percentile(values, 99)),
            "largest_px": max(values),
        }
    return report


def main() -> None:
    parser = sequence_parser(__doc__)
    parser.add_argument("--network", default="et_tracker")
    args = parser.parse_args()
    path = weights.find(args.network, args.checkpoint)
    parameters = Parameters.from_fields(weights.tuned_parameters(path))
    names = ["torch", *(n for n in ENGINES if n != "torch" and installed(n))]
    engines = {n: create(n, args.network, path, args.threads, "f32") for n in names}
    loops = {n: Loop(engine, parameters) for n, engine in engines.items()}
    total: Differences = {}
    sequences = {}
    for sequence in chosen(args):
        began, found = time.time(), compare(sequence, loops, args.every)
        sequences[sequence.name] = summaries(found)
        for key, values in found.items():
            total.setdefault(key, []).extend(values)
        told = ", ".join(f"{' '.join(key)} {max(values):.4f}" for key, values in found.items())
        print(f"{sequence.name}: largest px: {told} ({time.time() - began:.0f} s)", flush=True)
        report = {
            "weights_sha256": weights.fingerprint(path), "all": summaries(total), "each": sequences,
        }  # fmt: skip
        if args.json:
            write_json(args.json, report, indent=2)
    print(json.dumps(report["all"], indent=2))


if __name__ == "__main__":
    main()
