"""What engines and precisions do to boxes and AUC, on real sequences.

    python benchmarks/engines_accuracy.py --dataset otb --root ../shared/sequences/OTB100 \
        --subjects torch:f32 openvino:f32 onnx:f32 [--checkpoint FILE]

The first subject is what the others are compared with: largest difference of a box side on any
frame, and mean AUC. `emulated:bf16` rounds as bfloat16 does, on any CPU (`bf16_emulated.py`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from pytracking_et.analysis import score
from pytracking_et.evaluation import Sequence, load_dataset
from pytracking_et.files import write_json
from pytracking_et.tracker import plugins
from pytracking_et.tracker.opening import open_loop
from pytracking_et.tracking import Loop


def opened(subject: str, args: argparse.Namespace) -> Loop:
    engine, precision = subject.split(":")
    params = plugins.parameters("et_tracker", args.parameter)
    if engine != "emulated":
        return open_loop(params, args.checkpoint, engine, args.threads, precision)
    from bf16_emulated import engine as emulated

    settings = open_loop(params, args.checkpoint, "onnx", args.threads, "f32").parameters
    return Loop(
        emulated(params.get("network", "et_tracker"), args.checkpoint, args.threads), settings
    )


def track(subject: str, args: argparse.Namespace, sequences) -> dict[str, np.ndarray]:
    tracker = opened(subject, args)
    boxes = {}
    for sequence in sequences:
        paths = sequence.frames[:: args.every] if args.every > 1 else sequence.frames
        first = np.asarray(sequence.init_bbox(), float).reshape(-1)
        tracker.start(cv2.imread(str(paths[0])), first, "bgr")
        found = [first, *(tracker.step(cv2.imread(str(path)), "bgr").box for path in paths[1:])]
        boxes[sequence.name] = np.array(found)
    return boxes


def sequence_parser(text: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--dataset", default="otb")
    parser.add_argument("--root", required=True)
    parser.add_argument("--checkpoint")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sequences", nargs="+", help="only these")
    parser.add_argument("--every", type=int, default=1, help="every so many frames (quick look)")
    parser.add_argument("--json", type=Path)
    return parser


def chosen(args: argparse.Namespace) -> list[Sequence]:
    found = load_dataset(args.dataset, root=args.root)
    return [each for each in found if not args.sequences or each.name in args.sequences]


def main() -> None:
    parser = sequence_parser(__doc__)
    parser.add_argument("--subjects", nargs="+", required=True, help="engine:precision")
    parser.add_argument("--parameter", default="et_tracker")
    args = parser.parse_args()
    sequences = chosen(args)
    truth = {s.name: np.asarray(s.ground_truth_rect, float)[:: args.every] for s in sequences}
    results, base, found = {}, None, {}
    for subject in args.subjects:
        found = track(subject, args, sequences)
        base = base or found
        auc = float(score(found, truth, args.dataset).auc)
        moved = {name: np.abs(found[name] - base[name]).max(1) for name in found}
        worst = max(moved, key=lambda name: moved[name].max())
        results[subject] = {"auc": auc, "largest_px": float(moved[worst].max()), "worst": worst}
        median = float(np.median(np.concatenate(list(moved.values()))))
        print(
            f"{subject:<18} AUC {auc:6.2f}  median |d| {median:.4f} px  largest "
            f"{moved[worst].max():.3f} px ({worst})",
            flush=True,
        )
    if args.json:
        write_json(args.json, results, indent=2)


if __name__ == "__main__":
    main()
