"""Accuracy against speed, and the speed table, from figures that were measured before.

    ettrack benchmark ... --json evaluation_results/speed/engines.json
    python docs/make/speed_plot.py

Speed from the JSON of `ettrack benchmark`; accuracy from `evaluation_results/speed/accuracy.json`,
whose source its README tells. Float32 engines stand at one height: their boxes are the same. Writes
`accuracy_against_speed.png`, prints Markdown.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pytracking_et.benchmark import Measurement, Subject
from pytracking_et.benchmark.report import accuracy_of, plot, read_accuracy

ROOT = Path(__file__).resolve().parents[2] / "evaluation_results" / "speed"
SUBJECT = ("kind", "name", "precision", "threads", "targets", "parameter")


def measurements(path: Path) -> list[Measurement]:
    """The rows of `ettrack benchmark --json`."""
    rows = []
    for row in json.loads(path.read_text("utf-8"))["results"]:
        subject = Subject(**{key: row.pop(key, "") for key in SUBJECT})
        fields = Measurement.__dataclass_fields__
        rows.append(Measurement(subject, **{k: v for k, v in row.items() if k in fields}))
    return rows


def markdown(rows: list[Measurement], accuracy: dict[str, float]) -> str:
    """One line a subject: AUC, fps and ratio by threads, memory and start of the first."""
    counts = sorted({row.subject.threads for row in rows})
    head = "".join(f" fps, {n} threads | ratio |" for n in counts)
    lines = [f"| | loop | AUC |{head} MB | first box |"]
    lines.append("|---|---|" + "---:|" * (2 * len(counts) + 3))
    alone = [row for row in rows if row.subject.targets == 1 and not row.error]
    names = [(row.subject.label, row.subject.parameter) for row in alone]
    for name in dict.fromkeys(names):
        by = {r.subject.threads: r for r, own in zip(alone, names, strict=True) if own == name}
        cells = "".join(
            f" {by[n].fps:.1f} | {by[n].ratio or 0:.2f} |" if n in by else " | |" for n in counts
        )
        first = by[min(by)]
        auc = accuracy_of(accuracy, first)
        shown = "" if auc is None else f"{auc:.1f}"
        memory, start = first.memory or 0, first.start
        lines.append(f"| {' | '.join(name)} | {shown} |{cells} {memory:.0f} | {start:.1f} s |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--speed", type=Path, default=ROOT / "engines.json")
    parser.add_argument("--accuracy", type=Path, default=ROOT / "accuracy.json")
    parser.add_argument("--output", type=Path, default=ROOT)
    args = parser.parse_args()
    rows, found = measurements(args.speed), read_accuracy(args.accuracy)
    about = json.loads(args.speed.read_text("utf-8"))["machine"]
    title = f"{about['cpu']}, {about['cpus']} CPUs"
    shown = plot(args.output / "accuracy_against_speed.png", rows, found, title)
    print(markdown(rows, found))
    print(f"\nAUC: {found}; in the plot: {', '.join(dict.fromkeys(shown))}")


if __name__ == "__main__":
    main()
