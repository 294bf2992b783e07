"""Accuracy against speed, and the speed table, from figures that were measured before.

    ettrack benchmark ... --json evaluation_results/speed/engines.json
    python docs/make/speed_plot.py --sequences ../shared/sequences/OTB100

Speed from the JSON of `ettrack benchmark`; accuracy (mean success AUC of the sequences) from the
result files in `evaluation_results`, where float32 engines stand at one height: their boxes are the
same. Writes `speed/accuracy.json` and `speed/accuracy_against_speed.png`, prints Markdown.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from pytracking_et.analysis import score
from pytracking_et.benchmark import Measurement, Subject
from pytracking_et.benchmark.report import plot
from pytracking_et.evaluation import load_dataset
from pytracking_et.results.files import load_boxes

ROOT = Path(__file__).resolve().parents[2] / "evaluation_results"
# Label in the benchmark: results.
RESULTS = {"f32": "et_tracker/et_tracker", "Nano": "opencv/nano"}
SUBJECT = ("kind", "name", "precision", "threads", "targets")


def accuracies(root: Path, dataset: str) -> dict[str, float]:
    """Mean AUC in percent by label, of the results that are there."""
    truth = {s.name: np.asarray(s.ground_truth_rect) for s in load_dataset(dataset, root=root)}
    found = {}
    for label, place in RESULTS.items():
        if (ROOT / place).is_dir():
            boxes = {name: load_boxes(ROOT / place, name) for name in truth}
            found[label] = round(float(score(boxes, truth, dataset=dataset).auc), 2)
    return found


def measurements(path: Path) -> list[Measurement]:
    """The rows of `ettrack benchmark --json`."""
    rows = []
    for row in json.loads(path.read_text("utf-8"))["results"]:
        subject = Subject(**{key: row.pop(key) for key in SUBJECT})
        fields = Measurement.__dataclass_fields__
        rows.append(Measurement(subject, **{k: v for k, v in row.items() if k in fields}))
    return rows


def markdown(rows: list[Measurement]) -> str:
    """One line a subject: fps and ratio by threads, memory and start of the first."""
    counts = sorted({row.subject.threads for row in rows})
    head = "".join(f" fps, {n} threads | ratio |" for n in counts)
    lines = [f"| |{head} MB | first box |", "|---|" + "---:|" * (2 * len(counts) + 2)]
    alone = [row for row in rows if row.subject.targets == 1 and not row.error]
    for label in dict.fromkeys(row.subject.label for row in alone):
        by = {row.subject.threads: row for row in alone if row.subject.label == label}
        cells = "".join(
            f" {by[n].fps:.1f} | {by[n].ratio or 0:.2f} |" if n in by else " | |" for n in counts
        )
        first = by[min(by)]
        lines.append(f"| {label} |{cells} {first.memory or 0:.0f} | {first.start:.1f} s |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sequences", type=Path, required=True, help="folder of the sequences")
    parser.add_argument("--dataset", default="otb")
    parser.add_argument("--speed", type=Path, default=ROOT / "speed" / "engines.json")
    parser.add_argument("--output", type=Path, default=ROOT / "speed")
    args = parser.parse_args()
    rows, found = measurements(args.speed), accuracies(args.sequences, args.dataset)
    (args.output / "accuracy.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    about = json.loads(args.speed.read_text("utf-8"))["machine"]
    title = f"{about['cpu']}, {about['cpus']} CPUs"
    shown = plot(args.output / "accuracy_against_speed.png", rows, found, title)
    print(markdown(rows))
    print(f"\nAUC: {found}; in the plot: {', '.join(dict.fromkeys(shown))}")


if __name__ == "__main__":
    main()
