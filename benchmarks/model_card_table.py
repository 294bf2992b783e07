"""The model card's table: success AUC per sequence, E.T.Track beside two small trackers.

    python benchmarks/model_card_table.py --sequences ../shared/sequences --peers ../shared/peers

Reads the result files of `ettrack run et_tracker et_tracker` and `... lt_mobile` (both data sets,
sub-pixel boxes), runs NanoTrack v2 in `cv2.TrackerNano` where its results are not there yet, and
prints Markdown. NanoTrack's boxes are whole pixels: OpenCV returns nothing finer.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from pytracking_et.analysis import score
from pytracking_et.evaluation import get_dataset
from pytracking_et.evaluation.results import Result, load_boxes, save
from pytracking_et.evaluation.sequence import Sequence
from pytracking_et.frames import read_image

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = {
    "E.T.Track, ours": "et_tracker/et_tracker",
    "LightTrack-Mobile": "et_tracker/lt_mobile",
    "NanoTrack v2": "opencv/nano",
}


def nano(models: Path) -> cv2.TrackerNano:
    """A fresh `cv2.TrackerNano` on the two ONNX files of a folder."""
    settings = cv2.TrackerNano_Params()
    settings.backbone = str(next(models.glob("*backbone*.onnx")))
    settings.neckhead = str(next(models.glob("*head*.onnx")))
    return cv2.TrackerNano.create(settings)


def track_nano(sequence: Sequence, models: Path) -> Result:
    """Boxes and times of NanoTrack on one sequence (OpenCV takes BGR)."""
    tracker, boxes, times = nano(models), [], []
    for number, path in enumerate(sequence.frames):
        frame = cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR)
        began = time.perf_counter()
        if number == 0:
            box = [float(v) for v in sequence.init_bbox()]
            tracker.init(frame, tuple(round(v) for v in box))
        else:
            _, found = tracker.update(frame)
            box = [float(v) for v in found]
        times.append(time.perf_counter() - began)
        boxes.append(box)
    return Result(boxes, times, [])


def columns(args: argparse.Namespace) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """AUC (percent) by column and sequence, and the data set of each sequence."""
    table: dict[str, dict[str, float]] = {title: {} for title in COLUMNS}
    kinds: dict[str, str] = {}
    for name, folder in (("otb", "OTB100"), ("uav", "UAV123")):
        sequences = get_dataset(name, root=args.sequences / folder)
        truth = {s.name: np.asarray(s.ground_truth_rect) for s in sequences}
        kinds |= dict.fromkeys(truth, name)
        for title, place in COLUMNS.items():
            results = args.results / place
            for sequence in sequences:
                if place.startswith("opencv") and not (results / f"{sequence.name}.txt").is_file():
                    save(results, sequence.name, track_nano(sequence, args.peers))
            boxes = {s.name: load_boxes(results, s.name) for s in sequences}
            rows = score(boxes, truth, dataset=name).per_sequence["auc"]
            table[title] |= {key: float(value) for key, value in rows.items()}
    return table, kinds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sequences", type=Path, required=True)
    parser.add_argument(
        "--peers", type=Path, required=True, help="folder of NanoTrack's ONNX files"
    )
    parser.add_argument("--results", type=Path, default=ROOT / "evaluation_results")
    args = parser.parse_args()
    table, kinds = columns(args)
    print(f"| sequence | {' | '.join(table)} |\n|---|{'---:|' * len(table)}")
    for name in kinds:
        print(f"| {name} | {' | '.join(f'{column[name]:.1f}' for column in table.values())} |")
    for label, chosen in (
        ("mean of OTB", [n for n in kinds if kinds[n] == "otb"]),
        ("**mean of all**", list(kinds)),
    ):
        means = (np.mean([column[name] for name in chosen]) for column in table.values())
        print(f"| {label} | {' | '.join(f'{value:.1f}' for value in means)} |")


if __name__ == "__main__":
    main()
