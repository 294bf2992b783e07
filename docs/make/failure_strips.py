"""The model card's failure cases: IoU over time, and film strips of the frames that matter.

    python docs/make/failure_strips.py --sequences ../shared/sequences --output failures.png
    python docs/make/failure_strips.py --sequences ../shared/sequences --no-pictures \
        --output docs/images/failures.png

Reads the result files of the trackers, chooses the sequences on which the first one scores worst,
and draws a row of pictures above each curve (ground truth white, trackers in the curve's colours).
The frames belong to the benchmarks: with pictures the file is for looking at, not for publishing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import matplotlib
import numpy as np

from pytracking_et.analysis.strips import choose_frames, draw_boxes
from pytracking_et.boxes import iou
from pytracking_et.evaluation import get_dataset
from pytracking_et.frames import read_image
from pytracking_et.results.files import load_boxes

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TRACKERS = {
    "E.T.Track, ours": ("et_tracker/et_tracker", "#d62728"),
    "LightTrack-Mobile": ("et_tracker/lt_mobile", "#1f77b4"),
    "NanoTrack v2": ("peers/nanotrack_v2", "#9467bd"),
}
SETS = (("otb", "OTB100"), ("uav", "UAV123"))
HEIGHT = 150


def overlaps(folder: Path, sequence) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (frames, 4) of a tracker and their IoU (frames,), NaN where nothing is annotated."""
    boxes = np.asarray(load_boxes(folder, sequence.name), float)
    truth = np.asarray(sequence.ground_truth_rect, float)[: len(boxes)]
    valid = np.isfinite(truth).all(1) & (truth[:, 2:] > 0).all(1)
    values = [
        float(iou(a, b)) if ok else np.nan for a, b, ok in zip(boxes, truth, valid, strict=True)
    ]
    return boxes, np.array(values)


def strip(sequence, boxes: dict[str, np.ndarray], chosen: list[int]) -> np.ndarray:
    """Pictures side by side, RGB."""
    pictures = []
    for index in chosen:
        image = read_image(sequence.frames[index])
        scale = HEIGHT / image.shape[0]
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        drawn = [(TRACKERS[title][1], rows[index]) for title, rows in reversed(boxes.items())]
        draw_boxes(small, np.asarray(sequence.ground_truth_rect[index]), drawn, scale, 2)
        cv2.putText(small, str(index), (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
        pictures.append(small)
    return np.concatenate(pictures, axis=1)


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sequences", type=Path, required=True)
    parser.add_argument("--results", type=Path, default=ROOT / "evaluation_results")
    parser.add_argument("--count", type=int, default=4, help="sequences (4)")
    parser.add_argument("--frames", type=int, default=6, help="pictures of each (6)")
    parser.add_argument("--no-pictures", action="store_true", help="curves alone")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    found = []
    for name, folder in SETS:
        for sequence in get_dataset(name, root=args.sequences / folder):
            rows = {
                t: overlaps(args.results / place, sequence) for t, (place, _) in TRACKERS.items()
            }
            found.append((float(np.nanmean(rows["E.T.Track, ours"][1])), sequence, rows))
    worst = sorted(found, key=lambda item: item[0])[: args.count]
    kinds = 1 if args.no_pictures else 2
    figure, axes = plt.subplots(
        kinds * len(worst), 1, figsize=(10, (1.7 if kinds == 1 else 3.2) * len(worst)),
        squeeze=False,
    )  # fmt: skip
    for number, (mean, sequence, rows) in enumerate(worst):
        curve = axes[kinds * number + kinds - 1, 0]
        for title, (_, values) in rows.items():
            curve.plot(values, color=TRACKERS[title][1], linewidth=1, label=title)
        curve.set(ylim=(0, 1), xlim=(0, len(sequence.frames)), ylabel="IoU")
        curve.set_title(f"{sequence.name}: mean IoU {mean:.2f}", loc="left", fontsize=10)
        if kinds == 2:
            overlap = np.nan_to_num(rows["E.T.Track, ours"][1], nan=-1.0)
            chosen = choose_frames(overlap, args.frames)
            picture = axes[kinds * number, 0]
            picture.imshow(strip(sequence, {t: boxes for t, (boxes, _) in rows.items()}, chosen))
            picture.axis("off")
    axes[kinds - 1, 0].legend(loc="lower left", fontsize=8, ncols=3)
    axes[-1, 0].set_xlabel("frame")
    figure.tight_layout()
    figure.savefig(args.output, dpi=100)
    print(f"{args.output}: {', '.join(sequence.name for _, sequence, _ in worst)}")


if __name__ == "__main__":
    main()
