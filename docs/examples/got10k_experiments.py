"""Run the GOT-10k toolkit's OTB or UAV123 experiment on the sequences that a folder has.

pip install "pytracking-et[got10k]"
python got10k_experiments.py otb PATH/OTB100 [--checkpoint FILE] [--parameter NAME]
python got10k_experiments.py uav PATH/UAV123 [--checkpoint FILE] [--parameter NAME]

The toolkit itself wants the whole data set: ExperimentOTB downloads what is missing, and both stop
where a folder was cut or subsampled. With the whole set, use its classes directly:

    ExperimentOTB("PATH/OTB100", version=2015).run(GOT10kTracker())
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # the report draws; without this it needs a screen
from got10k.datasets import OTB, UAV123
from got10k.experiments import ExperimentOTB, ExperimentUAV123

from pytracking_et.integrations.got10k import GOT10kTracker


class PartialOTB(OTB):
    """The sequences in a folder whose frames and annotation fit together."""

    def __init__(self, root):
        super().__init__(root, 2015, download=False)
        fitting = [index for index in range(len(self)) if self._fits(index)]
        for name in ("anno_files", "seq_dirs", "seq_names"):
            values = getattr(self, name)
            setattr(self, name, [values[index] for index in fitting])

    def _fits(self, index):
        try:
            self[index]
        except AssertionError:
            print(f"left out {self.seq_names[index]}: as many frames as rows are needed")
            return False
        return True


class PartialUAV123(UAV123):
    """The sequences that a folder annotates, with its own sequences.json where it has one."""

    def __init__(self, root):
        super().__init__(str(root))
        table = Path(root) / "sequences.json"
        if table.is_file():
            for entry in json.loads(table.read_text(encoding="utf-8")):
                meta = self.seq_metas[self.version][entry["name"].removeprefix("uav_")]
                meta.update(start_frame=entry["startFrame"], end_frame=entry["endFrame"])

    def _check_integrity(self, root_dir, version):
        """Take a part of the set; the toolkit's own check knows the whole only."""


def experiment(kind, root, output):
    """An experiment whose results go to `output`/results and `output`/reports."""
    base, dataset, folder = {
        "otb": (ExperimentOTB, PartialOTB, "OTB2015"),
        "uav": (ExperimentUAV123, PartialUAV123, "UAV123"),
    }[kind]
    made = base.__new__(base)  # its constructor would load (and download) the whole set
    made.dataset = dataset(str(root))
    made.result_dir = str(Path(output) / "results" / folder)
    made.report_dir = str(Path(output) / "reports" / folder)
    made.nbins_iou, made.nbins_ce = 21, 51  # as in the toolkit
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["otb", "uav"])
    parser.add_argument("root")
    parser.add_argument("--output", default=".")
    parser.add_argument("--checkpoint")
    parser.add_argument("--parameter", default="et_tracker")
    args = parser.parse_args()
    tracker = GOT10kTracker(checkpoint=args.checkpoint, parameter=args.parameter)
    run = experiment(args.kind, args.root, args.output)
    run.run(tracker)
    performance = run.report([tracker.name])
    print(f"success score {performance[tracker.name]['overall']['success_score']:.4f}")


if __name__ == "__main__":
    main()
