"""The model card's table: success AUC per sequence, E.T.Track beside two small trackers.

    python docs/make/model_card_table.py --sequences ../shared/sequences

Reads the result files (both data sets, sub-pixel boxes) of `ettrack run et_tracker et_tracker`,
`... lt_mobile` and `ettrack run peers nanotrack_v2` (`benchmarks/peers`), and prints Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pytracking_et.analysis import score
from pytracking_et.evaluation import get_dataset
from pytracking_et.results.files import load_boxes

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = {
    "E.T.Track, ours": "et_tracker/et_tracker",
    "LightTrack-Mobile": "et_tracker/lt_mobile",
    "NanoTrack v2": "peers/nanotrack_v2",
}


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
            boxes = {s.name: load_boxes(results, s.name) for s in sequences}
            rows = score(boxes, truth, dataset=name).per_sequence["auc"]
            table[title] |= {key: float(value) for key, value in rows.items()}
    return table, kinds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sequences", type=Path, required=True)
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
