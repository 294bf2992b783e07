"""How much the score can be trusted: fit it to weights, and draw its reliability diagram.

    python docs/make/reliability.py collect --train ../shared/train \
        --sequences ../shared/sequences --output evidence.npz
    python docs/make/reliability.py fit evidence.npz --output docs/images/reliability.png \
        [--weights pytracking_et/weights/et_tracker.safetensors]

`collect` tracks with the parameter file `et_tracker` in float32 and keeps, for every frame, what
`tracking.presence` weighs and the IoU of the box: WTRACK whole and restarted, the training pack's
tracks (80 frames each), the same tracks upset (half-way eight frames of another video, or a piece
of it over the target, or the search moved aside), and the shared sequences. About 25,000 frames.

`fit` is a logistic regression by Newton's method; a source weighs frames to the power 3/4.
Every figure is of videos that the numbers were not fitted to: videos, with all tracks of each, in
five parts, each judged by a fit to the other four; the shared sequences are never fitted to.
`--weights` writes the numbers of a fit to all but the shared sequences beside the weights.
"""

from __future__ import annotations

import argparse
import copy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from ltr_et.tracking_validation.clips import Clip, sequences, tracks
from pytracking_et.boxes import iou
from pytracking_et.files import write_json
from pytracking_et.frames import read_image
from pytracking_et.network import weights
from pytracking_et.tracker import plugins
from pytracking_et.tracker.opening import open_loop
from pytracking_et.tracking import Loop
from pytracking_et.tracking.parameters import PRESENCE_NUMBERS

RIGHT, LOST = 0.5, 0.1
FOLDS, BINS, UPSET_WEIGHT, POWER, RIDGE = 5, 10, 0.4, 0.25, 3e-3
RUN, BEFORE, AFTER, MOST = 8, 20, 6, 80
Row = tuple[str, str, str]  # source, name, kind
Frames = list[tuple[float, ...]]  # evidence, and the IoU


def fitted(path: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An image, repeated or cut to `shape`."""
    image = read_image(path)
    times = [-(-have // need) for have, need in zip(shape[:2], image.shape[:2], strict=True)]
    return np.tile(image, (*times, 1))[: shape[0], : shape[1]].copy()


def covered(path: str, box: NDArray[np.float64], patch: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image whose target, and a tenth around it, is behind the upper left of `patch`."""
    image = read_image(path).copy()
    x, y, w, h = box
    part = image[
        max(0, round(y - 0.1 * h)) : round(y + 1.1 * h),
        max(0, round(x - 0.1 * w)) : round(x + 1.1 * w),
    ]
    part[:] = patch[: part.shape[0], : part.shape[1]]
    return image


def seen(loop: Loop, image: NDArray[np.uint8], truth: NDArray[np.float64] | None) -> Frames:
    """Evidence of the next frame, unless its truth is not known; None: the target is not there."""
    box = loop.step(image).box
    if truth is None:
        return [(*loop.evidence, 0.0)]
    overlap = float(iou(box, truth))
    return [(*loop.evidence, overlap)] if np.isfinite(overlap) else []


def follow(loop: Loop, clip: Clip, start: int, most: int | None) -> Frames:
    """Evidence of a clip from a frame on."""
    loop.start(read_image(clip.paths[start]), clip.boxes[start])
    rest = list(zip(clip.paths, clip.boxes, strict=True))[start + 1 :][: most and most - 1]
    return [row for path, box in rest for row in seen(loop, read_image(path), box)]


def upset(loop: Loop, clip: Clip, other: Clip, number: int) -> Iterator[tuple[str, Frames]]:
    """The target absent or covered half-way; and the search moved aside."""
    half = min(len(clip.paths) // 2, BEFORE)
    before = follow(loop, clip, 0, half)
    rest = list(zip(clip.paths, clip.boxes, strict=True))[half:]
    shape = read_image(clip.paths[0]).shape
    lone, moved, rows = copy.copy(loop), copy.copy(loop), list(before)
    patch = fitted(other.paths[0], shape)
    if number % 2 == 0:
        for path in (other.paths * RUN)[:RUN]:
            rows += seen(lone, fitted(path, shape), None)
        back = rest[:AFTER]
    else:
        for path, box in rest[:RUN]:
            rows += seen(lone, covered(path, box, patch), None)
        back = rest[RUN : RUN + AFTER]
    for path, box in back:
        rows += seen(lone, read_image(path), box)
    yield ("absent", "covered")[number % 2], rows
    random = np.random.default_rng(number)
    angle, distance = random.uniform(0, 2 * np.pi), random.uniform(1.5, 4)
    step = distance * np.array([np.cos(angle), np.sin(angle)]) * moved.box[2:]
    moved.move_to(np.clip(moved.box[:2] + moved.box[2:] / 2 + step, 0, [shape[1], shape[0]]))
    rows = list(before)
    for path, box in rest[: 2 * RUN]:
        rows += seen(moved, read_image(path), box)
    yield "moved", rows


def runs(loop: Loop, train: Path, root: Path) -> Iterator[tuple[Row, Frames]]:
    """Everything that is tracked."""
    for clip in sequences(root, ["shared", "wtrack"]):
        yield (clip.part, clip.name, "whole"), follow(loop, clip, 0, None)
        if clip.part == "wtrack":
            for one in clip.starts(quick=True)[2:]:
                rows = follow(loop, clip, one.frame, one.frames)
                yield (clip.part, clip.name, "whole"), rows
    clips = tracks(train, "all")
    # Runway debris: a hundred tracks of one kind.
    clips = [clip for number, clip in enumerate(clips) if clip.source != "fod" or number % 5 == 0]
    for number, clip in enumerate(clips):
        yield (clip.source, clip.name, "whole"), follow(loop, clip, 0, MOST)
        strange = next(one for one in clips[number + 1 :] + clips if one.source != clip.source)
        for kind, rows in upset(loop, clip, strange, number):
            yield (clip.source, clip.name, kind), rows


def collect(args: argparse.Namespace) -> None:
    bag = plugins.parameters("et_tracker", "et_tracker")
    # Numbers that weigh nothing: evidence is gathered, boxes stay as they are.
    bag.presence = (0.0,) * PRESENCE_NUMBERS
    loop = open_loop(bag, args.checkpoint, args.engine, 1, "f32")
    rows, evidence = [], []
    for row, found in runs(loop, args.train, args.sequences):
        rows += [row] * len(found)
        evidence += found
        print(*row, len(found), flush=True)
    np.savez_compressed(args.output, rows=np.array(rows), evidence=np.array(evidence, np.float32))


def logistic(
    evidence: NDArray[np.float64], right: NDArray[np.bool_], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights of the columns, and the bias."""
    middle, spread = evidence.mean(0), evidence.std(0) + 1e-9
    terms = np.c_[(evidence - middle) / spread, np.ones(len(evidence))]
    ridge = np.diag([RIDGE * weight.sum()] * evidence.shape[1] + [0.0])
    found = np.zeros(terms.shape[1])
    for _ in range(50):
        likely = 1 / (1 + np.exp(-terms @ found))
        slope = terms.T @ (weight * (right - likely)) - ridge @ found
        curve = (terms * (weight * likely * (1 - likely))[:, None]).T @ terms + ridge
        found = found + np.linalg.solve(curve, slope)
    scaled = found[:-1] / spread
    return np.append(scaled, found[-1] - scaled @ middle)


def probability(evidence: NDArray[np.float64], numbers: NDArray[np.float64]) -> Any:
    return 1 / (1 + np.exp(-(evidence @ numbers[:-1] + numbers[-1])))


def calibration_error(score: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Mean difference between score and share of right boxes, over ten bins of equal width."""
    bins = np.minimum((score * BINS).astype(int), BINS - 1)
    return sum(
        abs(score[bins == k].mean() - right[bins == k].mean()) * float((bins == k).mean())
        for k in range(BINS)
        if (bins == k).any()
    )


def parts(names: list[str]) -> NDArray[np.intp]:
    """Part of every frame: tracks of one video (`source/video_track`) are in the same."""
    videos = [name.rsplit("_", 1)[0] if "/" in name else name for name in names]
    counts, load, part = Counter(videos), [0] * FOLDS, {}
    for video in sorted(counts, key=lambda one: (-counts[one], one)):
        part[video] = load.index(min(load))
        load[part[video]] += counts[video]
    return np.array([part[video] for video in videos])


def fit(args: argparse.Namespace) -> None:
    with np.load(args.evidence) as stored:
        sources, names, kinds = stored["rows"].T
        evidence, overlap = np.split(stored["evidence"].astype(np.float64), [-1], axis=1)
    overlap = overlap[:, 0]
    right, natural, held = overlap > RIGHT, kinds == "whole", sources == "shared"
    counts = Counter(sources.tolist())
    weight = np.where(natural, 1.0, UPSET_WEIGHT) * [counts[one] ** -POWER for one in sources]
    weight /= weight.mean()
    fold = parts(names.tolist())
    score = np.zeros(len(right))
    for part in range(FOLDS):
        chosen = ~held & (fold != part)
        judged = ~held & (fold == part)
        numbers = logistic(evidence[chosen], right[chosen], weight[chosen])
        score[judged] = probability(evidence[judged], numbers)
    numbers = logistic(evidence[~held], right[~held], weight[~held])
    score[held] = probability(evidence[held], numbers)
    raw = 1 / (1 + np.exp(-evidence[:, 0]))
    groups = {
        "training tracks": natural & ~held & (sources != "wtrack"),
        "WTRACK": sources == "wtrack",
        "tracks, upset": ~natural,
        "15 shared": held,
        "all natural": natural,
    }
    head = "frames | count | right | ECE | of the raw score | found of IoU < 0.5 | of < 0.1 | of 0"
    print(f"| {head} | false alarms | found at 5 % |\n|---|" + 9 * "---:|")
    for name, one in groups.items():
        errors = calibration_error(score[one], right[one]), calibration_error(raw[one], right[one])
        found = [
            f"{(score[bad] < 0.5).mean():.1%} of {bad.sum():,}"
            for bad in (one & ~right, one & (overlap < LOST), one & (overlap == 0))
        ]
        well = score[one & right]
        at_five = score[one & (overlap < LOST)] < np.quantile(well, 0.05)
        print(
            f"| {name} | {one.sum():,} | {right[one].mean():.1%} | {errors[0]:.3f} | "
            f"{errors[1]:.3f} | {' | '.join(found)} | {(well < 0.5).mean():.1%} | "
            f"{at_five.mean():.1%} |"
        )
    draw(args.output, {name: (score[one], raw[one], right[one]) for name, one in groups.items()})
    if args.weights:
        fields = {
            "weights_sha256": weights.fingerprint(args.weights),
            "source": f"{int((~held).sum())} frames of training tracks and WTRACK, parameter file "
            "et_tracker",
            "presence": [float(f"{number:.4g}") for number in numbers],
        }
        write_json(args.weights.with_suffix(".score.json"), fields, indent=2)


def draw(output: Path, groups: dict[str, tuple[Any, Any, Any]]) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
    for axis, which, title in ((axes[0], 0, "score"), (axes[1], 1, "raw score of the network")):
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for name in ("training tracks", "WTRACK", "15 shared"):
            score, right = groups[name][which], groups[name][2]
            bins = np.minimum((score * BINS).astype(int), BINS - 1)
            shown = [k for k in range(BINS) if (bins == k).sum() >= 20]
            points = [(score[bins == k].mean(), right[bins == k].mean()) for k in shown]
            axis.plot(*np.array(points).T, marker="o", markersize=4, label=name)
        axis.set(xlabel=title, xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes[0].set_ylabel("share of boxes with IoU > 0.5")
    axes[0].legend(frameon=False)
    figure.savefig(output, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    gather = commands.add_parser("collect")
    gather.add_argument("--train", type=Path, required=True, help="training pack")
    gather.add_argument("--sequences", type=Path, required=True, help="OTB100, UAV123, WTRACK")
    gather.add_argument("--checkpoint")
    gather.add_argument("--engine", default="auto")
    gather.add_argument("--output", type=Path, required=True)
    fitting = commands.add_parser("fit")
    fitting.add_argument("evidence", type=Path)
    fitting.add_argument("--output", type=Path, required=True, help="picture")
    fitting.add_argument("--weights", type=Path)
    args = parser.parse_args()
    {"collect": collect, "fit": fit}[args.command](args)


if __name__ == "__main__":
    main()
