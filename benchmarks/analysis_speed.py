"""Time of the analysis from text files: LaSOT for 1 and 20 trackers, OTB-100 for 12 with plots.

    python benchmarks/analysis_speed.py [--shared ../shared] [--work FOLDER]

Every case runs in a process of its own, so its time and memory include importing; the files are
made beforehand (ground truth plus noise, whole pixels, tabs, as pytracking writes them) and lie
in the page cache. Nothing is cached between runs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

CASES = {
    # name: (data set, trackers, plots, limit in seconds)
    "lasot-1": ("lasot", 1, False, 3.0),
    "lasot-20": ("lasot", 20, False, 20.0),
    "otb-12": ("otb", 12, True, 3.0),
}

CHILD = """
import json, resource, sys, time
start = time.perf_counter()
from pytracking_et.analysis.comparison import compare
from pytracking_et.analysis.metrics import Annotation
from pytracking_et.analysis.readers import read_ground_truth, read_visibility
from pytracking_et.analysis.summary import summary_table
job = json.loads(sys.argv[1])
truth = read_ground_truth(job["truth"])
visible = read_visibility(job["visible"]) if job["visible"] else None
annotation = Annotation.build(truth, job["dataset"], "pytracking", visible)
data = compare(job["trackers"], annotation)
summary_table(data).to_markdown()
if job["plots"]:
    from pytracking_et.analysis.figures import draw_comparison, save_figure
    for kind in ("success", "prec", "norm_prec"):
        save_figure(draw_comparison(data, kind), job["plots"] + "/" + kind)
seconds = time.perf_counter() - start
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
cpu, frames = time.process_time(), len(truth.boxes)
print(json.dumps({"seconds": seconds, "cpu": cpu, "MB": memory, "frames": frames}))
"""


def make_results(truth: Path, folder: Path, trackers: int) -> list[str]:
    """Result folders of made-up trackers; kept if they are there already."""
    folders = []
    for number in range(trackers):
        target = folder / f"tracker{number:02d}"
        folders.append(str(target))
        if target.is_dir():
            continue
        target.mkdir(parents=True)
        rng = np.random.default_rng(number)
        for file in sorted(truth.glob("*.txt")):
            boxes = np.nan_to_num(np.loadtxt(file, delimiter=",", ndmin=2))
            boxes += rng.normal(0, 4 + number, boxes.shape)
            boxes[:, 2:] = np.maximum(boxes[:, 2:], 1)
            np.savetxt(target / file.name, boxes.astype(int), fmt="%d", delimiter="\t")
    return folders


def run(case: str, shared: Path, work: Path) -> dict[str, float]:
    dataset, trackers, plots, _ = CASES[case]
    results = shared / "results"
    truth, visible = results / "gt" / "OTB100", ""
    if dataset == "lasot":
        truth = work / "LaSOT"
        visible = str(results / "attr" / "LaSOT_absent_intervals_0based.json")
        if not truth.is_dir():
            with tarfile.open(results / "gt" / "LaSOT.tar.gz") as archive:
                archive.extractall(work, filter="data")
    job = {
        "dataset": dataset,
        "truth": str(truth),
        "visible": visible,
        "trackers": make_results(truth, work / dataset, trackers),
        "plots": str(work / "plots") if plots else "",
    }
    command = [sys.executable, "-c", CHILD, json.dumps(job)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = Path(__file__).resolve().parents[2] / "shared"
    parser.add_argument("--shared", type=Path, default=shared, help="folder with real data")
    parser.add_argument("--work", type=Path, help="where made-up results are kept")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        columns = f"{'best s':>8}{'worst s':>9}{'CPU s':>7}{'MB':>7}{'limit s':>9}"
        print(f"{'case':<10}{'frames':>9}{columns}")
        for case in args.cases:
            runs = [run(case, args.shared, work) for _ in range(args.repeat)]
            seconds = [one["seconds"] for one in runs]
            frames, memory = runs[0]["frames"], max(one["MB"] for one in runs)
            cpu = min(one["cpu"] for one in runs)
            print(
                f"{case:<10}{frames:>9}{min(seconds):>8.2f}{max(seconds):>9.2f}"
                f"{cpu:>7.2f}{memory:>7.0f}{CASES[case][3]:>9.0f}"
            )


if __name__ == "__main__":
    main()
