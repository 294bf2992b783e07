"""`ettrack benchmark`: speed of engines, precisions, threads and peers on this machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import EngineError, ParameterError, ResultsError
from .arguments import add_box_argument, path_type

if TYPE_CHECKING:
    from ..benchmark import Subject


def benchmark_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add = parser.add_argument
    add("--network", default="et_tracker", help="configuration (default: %(default)s)")
    add("--checkpoint", help="weight file (default: the one a tracker would use)")
    add("--threads", type=int, nargs="+", default=[1, 2], help="thread counts (default: 1 2)")
    add("--engines", nargs="+", default=[], help="restrict to these engines")
    add("--precisions", nargs="+", default=[], help="restrict to these precisions")
    add(
        "--parameters",
        nargs="+",
        default=["et_tracker"],
        metavar="NAME",
        help="parameter files of the loop around the engines (default: et_tracker)",
    )
    add("--targets", type=int, nargs="+", default=[], help="also track so many targets at once")
    add("--video", type=path_type, help="video or folder of frames; default: a rendered clip")
    add_box_argument(parser, "target on the first frame of --video, in pixels")
    add("--frames", type=int, default=49, help="frames of the clip (default: %(default)s)")
    add("--rounds", type=int, default=4, help="times through the clip (default: %(default)s)")
    add("--peers", type=path_type, metavar="FOLDER", help="folder of NanoTrack's two ONNX files")
    add("--roofline", action="store_true", help="also the cores' matrix product peak, batches")
    add("--accuracy", type=path_type, help='JSON {"et_tracker": AUC, "Nano": AUC, ...}: a column')
    add(
        "--again",
        action="store_true",
        help="let --engine auto choose anew instead of keeping what it measured earlier",
    )
    add("--json", type=path_type, help="write all figures")
    add("--plot", type=path_type, help="write accuracy against speed (needs --accuracy)")


def benchmark(args: argparse.Namespace) -> int:
    """Measure and print."""
    from ..benchmark import measure
    from ..benchmark.report import check_output, machine, plot, read_accuracy, table, write_json
    from ..engines.cache import notice

    if args.plot and not args.accuracy:
        raise ParameterError("--plot needs --accuracy FILE with the AUC of each parameter file")
    if (args.video is None) != (args.box is None):
        raise ParameterError(
            "--video and --box go together: --box X Y W H is the target in the first frame"
        )
    for name in ("frames", "rounds"):
        if getattr(args, name) < 1:
            raise ParameterError(f"--{name} {getattr(args, name)}: give at least 1")
    check_output(args.json, args.plot)
    accuracy = read_accuracy(args.accuracy) if args.accuracy else {}
    rows = _rows(args)
    frames, box = _clip(args)
    results = measure(rows, frames, box, args.rounds, notice)
    about = machine()
    print(f"{about['cpu']}, {about['cpus']} CPUs, {' '.join(about['instructions'])}")
    print("times in ms (medians; p95 of the whole step), ratio: fps to the plain network call's\n")
    print(table(results, accuracy))
    print("\n" + "\n".join(_auto(args)))
    covered = float(box[2] * box[3]) / (frames[0].shape[0] * frames[0].shape[1])
    more = _roofline(args, results, covered) if args.roofline else {}
    try:
        if args.json:
            write_json(args.json, results, more)
        if args.plot:
            plot(args.plot, results, accuracy)
    except OSError as error:
        where = error.filename or args.json or args.plot
        raise ResultsError(
            f"cannot write {where}: {error.strerror or error}; the figures stand above"
        ) from error
    return int(any(result.error for result in results))


def _rows(args: argparse.Namespace) -> list:
    from dataclasses import replace

    from ..benchmark import subjects
    from ..engines.catalogue import ENGINES, Model, check_names
    from ..network.weights import EXPORT

    for name in args.engines:
        check_names(name, "auto", None)
    for name in args.precisions:
        check_names("auto", name, None)
    for count in args.threads:
        check_names("auto", "auto", count)
    model = Model.find(args.network, args.checkpoint)
    if args.roofline and model.path.name == EXPORT:
        raise ParameterError(f"--roofline needs a weight file; {args.checkpoint} holds graphs")
    rows = subjects(args.threads, model, args.engines, args.precisions, args.peers, args.parameters)
    engines = [row for row in rows if row.kind == "engine"]
    first = next((name for name in ENGINES if any(row.name == name for row in engines)), None)
    quick = [row for row in engines if row.name == first]
    return rows + [replace(row, targets=n) for n in args.targets if n > 1 for row in quick]


def _auto(args: argparse.Namespace) -> list[str]:
    """What `auto` takes with each number of threads, and what it takes in evaluation."""
    from ..engines.catalogue import Model
    from ..engines.select import candidates, choose
    from ..network.weights import EXPORT

    model = Model.find(args.network, args.checkpoint)
    if model.path.name == EXPORT:
        return [f"{model.path.parent} holds exported graphs, which run as they are"]
    known = [candidates("auto", precision, model) for precision in ("auto", "f32")]
    cases = {"auto": "", "f32": "; in evaluation, which is float32, "}
    if known[0] == known[1]:
        del cases["f32"]
    lines = []
    for threads in args.threads:
        line = f"auto takes, with {threads} thread(s): "
        for precision, words in cases.items():
            try:
                found = choose("auto", precision, model, threads, args.again)
                line += words + found.name
            except EngineError as error:
                line += f"{words}nothing: {error}"
        lines.append(line)
    return lines


def _clip(args: argparse.Namespace) -> tuple:
    """Frames (H, W, 3) RGB and the box of the first."""
    import numpy as np

    if args.video is None:
        from ..live.clip import render

        clip = list(render(max(args.frames, 10)))
        return [frame.image for frame in clip], clip[0].box
    from itertools import islice

    from ..live.sources import open_source

    with open_source(args.video) as source:
        frames = [frame.image for frame in islice(source, args.frames)]
    return frames, np.array(args.box)


def _search_side(subject: Subject, covered: float) -> int | None:
    """Side of a row's search crops; None where it differs from frame to frame, as does the work.

    Args:
        covered: share of the first frame that is the target's.
    """
    from ..benchmark.subjects import constants

    loop = constants(subject)
    if loop.sure_shrink:
        return None
    return loop.small_search_size if covered < loop.small_target else loop.search_size


def _roofline(args: argparse.Namespace, results: list, covered: float) -> dict:
    from ..benchmark import roofline
    from ..network import weights

    path = weights.find(args.network, args.checkpoint)
    published, work = roofline.multiply_adds(args.network, path)
    searches = {256: work}
    counts = {"published": round(published), "engines": round(work)}
    found: dict = {"million_multiply_adds": counts, "peaks": {}, "batch_ms": {}}
    print(
        f"\n10^6 multiply-adds of a search, 256 px: {published:.0f} as published, {work:.0f} here"
    )
    print("roofline (10^9 multiply-adds per second)")
    for threads in args.threads:
        peaks = {
            "f32": roofline.f32_peak(threads),
            "bf16": roofline.bf16_peak(threads),
            "int8": roofline.int8_peak(threads),
        }
        found["peaks"][threads] = peaks
        shown = ", ".join(f"{k} {v:.1f}" for k, v in peaks.items() if v is not None)
        print(f"  {threads} thread(s), matrix product: {shown}")
        for r in results:
            s = r.subject
            if s.kind == "engine" and s.threads == threads and s.targets == 1 and r.network:
                side = _search_side(s, covered)
                if side is None:
                    print(
                        f"    {s.label:<18} crops of several sizes; for its share of the peak: "
                        "--parameters et_tracker_published"
                    )
                    continue
                if side not in searches:
                    searches[side] = roofline.multiply_adds(args.network, path, side)[1]
                rate = searches[side] / r.network
                peak = peaks[s.precision] or peaks["f32"] or rate
                share = 100 * rate / peak
                print(f"    {s.label:<18}{rate:>7.1f}  {share:.0f} % of the peak")
        batches = roofline.batch_latency(args.network, path, [1, 2, 4, 8], threads)
        found["batch_ms"][threads] = batches
        shown = ", ".join(f"{size}: {ms:.0f} ms" for size, ms in batches.items())
        print(f"    torch, batch of crops: {shown}")
    return found
