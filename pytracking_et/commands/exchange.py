"""What leaves for other programs: `ettrack export`, `pack`, `install-into` and `vot-init`."""

from __future__ import annotations

import argparse
import sys

from ..errors import ParameterError
from ..results.exchange import WRITERS
from .arguments import add_dataset_root_argument, add_results_argument, path_type


def export_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add = parser.add_argument
    add("--format", choices=("onnx", "openvino"), default="onnx")
    add("--output", type=path_type, required=True, help="folder to write into")
    add("--network", default="et_tracker", help="configuration (default: %(default)s)")
    add("--checkpoint", help="weight file (default: the one a tracker would use)")
    add("--precision", default="f32", help="f32 (default) or int8")
    add(
        "--calibration",
        type=path_type,
        metavar="FOLDER",
        help="tracks to measure int8 ranges on (annotations.csv: track,frame,x,y,w,h); without, "
        "those of the shipped weights or measured before are used",
    )


def export(args: argparse.Namespace) -> int:
    """Write, check, say what was written."""
    from ..engines import export as graphs

    metadata, difference = graphs.export(
        args.format, args.output, args.network, args.checkpoint, args.precision, args.calibration
    )
    for name in metadata.files:
        size = (args.output / name).stat().st_size
        print(f"  {name}  {size / 1e6:.1f} MB")
    print(
        f"parity with the plain network: score {difference['score']:.1e}, distances "
        f"{difference['distances']:.1e} px\nwritten to {args.output} (metadata.json tells how to "
        "run it)"
    )
    return 0


def pack_arguments(parser: argparse.ArgumentParser) -> None:
    """Which benchmark, which results, which archive."""
    add = parser.add_argument
    add(
        "benchmark",
        choices=["got10k", "trackingnet", *WRITERS],
        help="for these servers, or as tracks for other tools (with --dataset)",
    )
    add("tracker_name", help="tracker, e.g. et_tracker")
    add("tracker_param", help="parameter file, e.g. et_tracker")
    add("--dataset", help="whose results are packed as tracks: otb, uav, ...")
    add("--runid", type=int, metavar="N", help="run to pack (not for GOT-10k)")
    add(
        "--runs",
        type=int,
        choices=[1, 3],
        help="GOT-10k: 3 packs run ids 0..2 (default); 1 the run without an id, for a "
        "deterministic tracker",
    )
    add(
        "--output",
        metavar="NAME|FILE.zip",
        help="archive NAME.zip; default NAME_PARAM, of tracks NAME_PARAM_DATASET_FORMAT",
    )
    add_results_argument(parser)
    add_dataset_root_argument(parser, "the data set, to check numbers of frames against")


def pack(args: argparse.Namespace) -> int:
    """Check and write; prints the path."""
    from ..evaluation.packers import pack_got10k_results, pack_trackingnet_results, pack_tracks

    tracker = args.tracker_name, args.tracker_param
    where = {"results_path": args.results, "dataset_root": args.dataset_root}
    if args.dataset is not None and args.benchmark not in WRITERS:
        raise ParameterError(
            f"--dataset {args.dataset} goes with tracks ({', '.join(WRITERS)}); "
            f"{args.benchmark} packs its own test set: leave it out"
        )
    if args.runs is not None and args.benchmark != "got10k":
        raise ParameterError(
            f"--runs {args.runs} is for got10k; {args.benchmark} packs one run: leave it out, or "
            "name the run with --runid"
        )
    if args.benchmark == "got10k":
        if args.runid is not None:
            raise ParameterError(
                f"--runid {args.runid}: got10k packs run ids 0 to 2 (--runs 3), or the run without "
                "an id (--runs 1); leave --runid out"
            )
        output = args.output or "_".join(tracker)
        path = pack_got10k_results(*tracker, output, runs=args.runs or 3, **where)
    elif args.benchmark in WRITERS:
        if args.dataset is None:
            raise ParameterError(f"pack {args.benchmark} of which data set? Add --dataset otb")
        path = pack_tracks(args.benchmark, *tracker, args.dataset, args.runid, args.output, **where)
    else:
        path = pack_trackingnet_results(*tracker, args.runid, args.output, **where)
    print(path)
    return 0


def install_into_arguments(parser: argparse.ArgumentParser) -> None:
    """PATH, --link, --undo."""
    add = parser.add_argument
    add("path", help="pytracking repository (the folder with pytracking/ and ltr/)")
    add("--link", action="store_true", help="link the folders instead of copying")
    add("--undo", action="store_true", help="remove what was installed")


def install_into(args: argparse.Namespace) -> int:
    """Install or undo; exit code 1 where something had to be kept."""
    from ..integrations.pytracking_checkout import install, undo

    change = undo(args.path) if args.undo else install(args.path, args.link)
    verb = "removed" if args.undo else "linked" if args.link else "wrote"
    for path in change.files:
        print(f"{verb} {path}")
    for text in change.kept:
        print(f"kept {text}")
    if not args.undo:
        print(
            f"\nnow, in {change.package}:\n  python run_tracker.py et_tracker et_tracker "
            "--dataset_name otb\n(the Python that runs it needs pytracking_et installed)"
        )
    elif not change.files and not change.kept:
        print(f"nothing of ours in {change.package}")
    return 1 if change.kept else 0


def vot_init_arguments(parser: argparse.ArgumentParser) -> None:
    """FOLDER, --name, and the tracker's own arguments."""
    from ..integrations.vot_registry import add_tracker_arguments

    parser.add_argument(
        "folder", nargs="?", default=".", help="workspace, where trackers.ini goes (here)"
    )
    parser.add_argument(
        "--name",
        help="name in the toolkit (default: pytracking_et_PARAMETER, TRACKER_PARAMETER of others)",
    )
    add_tracker_arguments(parser)


def vot_init(args: argparse.Namespace) -> int:
    """Write trackers.ini for the interpreter that runs this."""
    from ..engines.catalogue import check_names
    from ..integrations.vot_registry import make_entry, toolkit_notice, tracker_words, write_entry
    from ..live.run import refuse_options
    from ..spec import TrackerSpec
    from ..tracker import plugins

    # What is wrong is better told now than by the toolkit, which shows a tracker's own words only
    # at the end of a long log.
    check_names(args.engine, args.precision or "auto", args.threads)
    spec = TrackerSpec.fitting(
        args.tracker, args.parameter, args.checkpoint, args.engine, args.precision, args.threads
    )
    kind = plugins.tracker_class(spec.tracker)
    refuse_options(spec)
    bag = spec.parameters()
    if hasattr(kind, "weights_file"):
        kind.weights_file(bag)
    ours = spec.tracker == "et_tracker"
    name = args.name or f"{'pytracking_et' if ours else spec.tracker}_{spec.parameter}"
    entry = make_entry(name, tracker_words(args))
    path = write_entry(args.folder, entry)
    print(f"wrote [{entry.name}] into {path}:\n  {entry.command}")
    print(
        f"\nnow, in {path.parent.resolve()}:\n  vot test {entry.name}\n  vot evaluate {entry.name}"
    )
    if notice := toolkit_notice():
        print(notice, file=sys.stderr)
    return 0
