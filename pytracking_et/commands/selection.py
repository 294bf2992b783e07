"""Arguments that say which results and which ground truth: shared by `results` and `report`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ParameterError

if TYPE_CHECKING:
    from ..analysis.metrics import Annotation
    from ..analysis.trackers import ResultTracker

RULES = ("pytracking", "ettrack", "lasot-toolkit")


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `select` reads."""
    where = "data set name (otb, uav, lasot, ...), or the path of a folder of frames"
    parser.add_argument(
        "dataset", nargs="?", action=_Dataset, default=argparse.SUPPRESS, help=where
    )
    parser.add_argument(
        "--dataset",
        "--dataset_name",
        action=_Dataset,
        metavar="NAME|PATH",
        help="the same, as `run` takes it",
    )
    parser.add_argument(
        "--trackers",
        nargs="+",
        default=[],
        metavar="[LABEL=]NAME:PARAM[:RUN]",
        help="trackers or result folders (default: all below --results); runs: NAME:PARAM:0-2",
    )
    parser.add_argument("--results", metavar="DIR", help="folder of results (default: settings)")
    parser.add_argument("--dataset-root", metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--ground-truth",
        metavar="DIR",
        help="folder of <sequence>.txt annotations, instead of the data set's own",
    )
    parser.add_argument(
        "--visibility",
        metavar="PATH",
        help="with --ground-truth: JSON of absent intervals, or a LaSOT root",
    )
    parser.add_argument(
        "--attributes",
        nargs="?",
        const="",
        metavar="JSON",
        help="figures per attribute: those in the data set's folder, or a file "
        '{"order": [codes], "sequences": {name: [codes]}}',
    )
    parser.add_argument(
        "--rule", default="pytracking", choices=RULES, help="which frames are valid"
    )
    parser.add_argument(
        "--skip-missing", action="store_true", help="leave out sequences that a tracker lacks"
    )
    parser.add_argument("--merge-runs", action="store_true", help="average the runs of one tracker")
    parser.add_argument(
        "--subpixel", action="store_true", help="prefer <sequence>_float.txt (sub-pixel boxes)"
    )
    parser.add_argument(
        "--exclude-invalid-frames",
        action="store_true",
        help="take frames without a valid annotation out of every count",
    )


class _Dataset(argparse.Action):
    """The data set, by position or by option; both only where they agree."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        former = getattr(namespace, "dataset", None)
        if former not in (None, values):
            parser.error(f"two data sets, {former!r} and {values!r}; give one")
        namespace.dataset = values


@dataclass(frozen=True)
class Selection:
    """What the arguments name.

    Attributes:
        trackers: result folders.
        annotation: ground truth under the rule.
        sequences: the data set's sequence objects, empty with --ground-truth.
        options: keywords of `analysis.compare`.
        attributes: attribute -> names of sequences; empty where none were given.
    """

    trackers: list[ResultTracker]
    annotation: Annotation
    sequences: list[Any]
    options: dict[str, Any]
    attributes: dict[str, list[str]]


def select(args: argparse.Namespace) -> Selection:
    """Find trackers and ground truth."""
    from ..analysis.rules import refuse_hidden
    from ..analysis.trackers import find_trackers

    if args.dataset is None:
        raise ParameterError("which data set? Name it: `otb`, or `--dataset otb` as for `run`")
    refuse_hidden(args.dataset)
    annotation, sequences = _ground_truth(args)
    results = args.results
    if results is None:
        from ..evaluation import env_settings

        results = env_settings().results_path
    options = {
        "merge_results": args.merge_runs,
        "skip_missing_seq": args.skip_missing,
        "subpixel": args.subpixel,
        "exclude_invalid_frames": args.exclude_invalid_frames,
    }
    trackers = find_trackers(results, args.trackers)
    return Selection(trackers, annotation, sequences, options, _attributes(args, annotation))


def _attributes(args: argparse.Namespace, annotation: Annotation) -> dict[str, list[str]]:
    if args.attributes is None:
        return {}
    if args.attributes:
        from ..analysis.attributes import read_attributes

        return read_attributes(args.attributes, annotation.truth)
    if args.ground_truth:
        raise ParameterError("--attributes with --ground-truth needs the name of a JSON file")
    from ..evaluation import get_dataset_attributes

    groups = get_dataset_attributes(args.dataset, root=args.dataset_root)
    return {code: [one.name for one in sequences] for code, sequences in groups.items()}


def _ground_truth(args: argparse.Namespace) -> tuple[Annotation, list[Any]]:
    from ..analysis.comparison import annotate
    from ..analysis.metrics import Annotation
    from ..analysis.readers import read_ground_truth, read_visibility

    if args.ground_truth:
        if args.dataset_root:
            raise ParameterError(
                f"--ground-truth {args.ground_truth} and --dataset-root {args.dataset_root} both "
                "name annotations; give one"
            )
        visible = read_visibility(args.visibility) if args.visibility else None
        truth = read_ground_truth(args.ground_truth)
        return Annotation.build(truth, args.dataset, args.rule, visible), []
    if args.visibility:
        raise ParameterError(
            "--visibility goes with --ground-truth; a data set brings its own flags"
        )
    from ..evaluation import get_dataset

    sequences = list(get_dataset(args.dataset, root=args.dataset_root))
    return annotate(sequences, args.rule), sequences
