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


def compare(sequence, loops: dict[str, Loop], every: int) -> dict[str, dict[str, np.ndarray]]:
    """Differences (N - 1,) in pixels of each engine, free and fed; the first loop leads."""
    paths = sequence.frames[::every]
    first = np.asarray(sequence.init_bbox(), float).reshape(-1)
    image = cv2.imread(str(paths[0]))
    for loop in loops.values():
        loop.start(image, first, "bgr")
    lead, *names = loops
    found: dict[str, dict[str, list[float]]] = {n: {"free": [], "fed": []} for n in names}
    for path in paths[1:]:
        image, before = cv2.imread(str(path)), copy.copy(loops[lead])
        box = loops[lead].step(image, "bgr").box
        for name in names:
            loop = loops[name]
            fed = with_state(loop, before).step(image, "bgr").box
            free = loop.step(image, "bgr").box
            found[name]["free"].append(float(np.abs(free - box).max()))
            found[name]["fed"].append(float(np.abs(fed - box).max()))
    return {n: {kind: np.array(v) for kind, v in both.items()} for n, both in found.items()}


def summary(values: np.ndarray) -> dict[str, float]:
    return {
        "frames": len(values),
        "beyond_half_a_pixel": int((values > LIMIT).sum()),
        "median_px": float(np.median(values)),
        "p99_px": float(np.percentile(values, 99)),
        "largest_px": float(values.max()),
    }


def main() -> None:
    parser = sequence_parser(__doc__)
    parser.add_argument("--network", default="et_tracker")
    args = parser.parse_args()
    path = weights.find(args.network, args.checkpoint)
    parameters = Parameters.from_fields(weights.tuned_parameters(path))
    names = ["torch", *(n for n in ENGINES if n != "torch" and installed(n))]
    engines = {n: create(n, args.network, path, args.threads, "f32") for n in names}
    loops = {n: Loop(engine, parameters) for n, engine in engines.items()}
    all_found: dict[str, dict[str, list]] = {n: {"free": [], "fed": []} for n in names[1:]}
    sequences = {}
    for sequence in chosen(args):
        began, found = time.time(), compare(sequence, loops, args.every)
        sequences[sequence.name] = {
            n: {kind: summary(v) for kind, v in both.items()} for n, both in found.items()
        }
        for n, both in found.items():
            for kind, values in both.items():
                all_found[n][kind].append(values)
        told = ", ".join(
            f"{n} {kind} {values.max():.4f}"
            for n, both in found.items()
            for kind, values in both.items()
        )
        print(f"{sequence.name}: largest px: {told} ({time.time() - began:.0f} s)", flush=True)
        total = {
            n: {kind: summary(np.concatenate(v)) for kind, v in both.items()}
            for n, both in all_found.items()
        }
        report = {"weights_sha256": weights.fingerprint(path), "all": total, "each": sequences}
        if args.json:
            write_json(args.json, report, indent=2)
    print(json.dumps(report["all"], indent=2))


if __name__ == "__main__":
    main()
