"""Benchmark figures as text, JSON and a plot."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..engines import catalogue
from ..engines.inference.tracing import versions
from ..errors import ParameterError, ResultsError
from ..files import atomic_path, read_json, reading
from ..files import write_json as write_whole
from ..machine import cores, cpu_flags, cpu_name
from .measure import Measurement

# What decides how fast a precision is here, by Linux's names.
INSTRUCTIONS = frozenset({"avx2", "avx512f", "asimd"}).union(*catalogue.INSTRUCTIONS.values())

HEADER = (
    f"{'subject':<18}{'loop':<22}{'threads':>8}{'targets':>8}{'crop':>8}{'network':>9}{'decode':>8}"
    f"{'total':>8}{'p95':>8}{'fps':>8}{'ratio':>7}{'MB':>7}{'start':>7}"
)


def check_output(json: Path | None, plot: Path | None) -> None:
    """Before minutes of measuring: files that can be written for all that is known yet.

    Raises:
        ParameterError: a folder, or a kind of picture that cannot be drawn.
    """
    for option, path in (("--json", json), ("--plot", plot)):
        if path is not None and path.is_dir():
            raise ParameterError(f"{option} {path} is a folder; name a file in it")
    if plot is None:
        return
    from matplotlib.backend_bases import FigureCanvasBase

    kinds = FigureCanvasBase.get_supported_filetypes()
    if plot.suffix[1:].lower() not in kinds:
        raise ParameterError(
            f"--plot {plot}: its ending decides the kind of picture; one of {', '.join(kinds)}"
        )


def read_accuracy(path: Path) -> dict[str, float]:
    """AUC in percent by what it is of: a parameter file, a label ("openvino int8"), a precision.

    Raises:
        ResultsError: no JSON object of numbers.
    """
    advice = 'it must be a JSON object like {"et_tracker": 68.1, "Nano": 62.6}'
    with reading(path, ResultsError, advice):
        return {name: float(v) for name, v in read_json(path, ResultsError, advice).items()}


def table(results: Sequence[Measurement], accuracy: Mapping[str, float] | None = None) -> str:
    """Rows of text; times in ms, start in s, ratio against the plain network's call.

    Args:
        accuracy: AUC in percent, by names as in `read_accuracy`; a last column where given.
    """
    lines = [HEADER + (f"{'AUC':>7}" if accuracy else "")]
    for r in results:
        s = r.subject
        head = f"{s.label:<18}{s.parameter or '-':<22}{s.threads:>8}{s.targets:>8}"
        if r.error:
            lines.append(f"{head}  {r.error}")
            continue
        ratio = "-" if r.ratio is None else f"{r.ratio:.2f}"
        memory = "-" if r.memory is None else f"{r.memory:.0f}"
        lines.append(
            f"{head}{r.crop:>8.2f}{r.network:>9.2f}{r.decode:>8.2f}{r.total:>8.2f}{r.p95:>8.2f}"
            f"{r.fps:>8.1f}{ratio:>7}{memory:>7}{r.start:>7.1f}{_cell(accuracy, r)}"
        )
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpu": cpu_name(),
        "cpus": cores(),
        "instructions": sorted(cpu_flags() & INSTRUCTIONS),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions(),
    }


def _from_here(path: str | None) -> str | None:
    """A path below the working directory relative to it: figures are for other machines too."""
    if path is None or not Path(path).is_relative_to(Path.cwd()):
        return path
    return Path(path).relative_to(Path.cwd()).as_posix()


def write_json(path: Path, results: Sequence[Measurement], more: Mapping[str, Any]) -> None:
    """Everything that was measured."""
    rows = [result.row() for result in results]
    for row in rows:
        row["checkpoint"] = _from_here(row["checkpoint"])
    write_whole(path, {"machine": machine(), "results": rows, **more}, indent=2)


def plot(
    path: Path,
    results: Sequence[Measurement],
    accuracy: Mapping[str, float],
    title: str | None = None,
) -> list[str]:
    """Accuracy against speed; returns the labels that had an accuracy.

    Args:
        path: image file; the ending decides the kind.
        accuracy: AUC in percent, by names as in `read_accuracy`.
        title: the machine that was measured; None: this one.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    shown = []
    for result in results:
        height = accuracy_of(accuracy, result)
        if height is None or result.error or result.subject.targets > 1:
            continue
        label, threads = result.subject.label, result.subject.threads
        if result.subject.parameter not in ("", "et_tracker"):
            label += f", {result.subject.parameter}"
        marker = "o" if threads == 1 else "s"
        axes.scatter(result.fps, height, marker=marker, color="C0" if threads == 1 else "C1")
        axes.annotate(
            f"{label} ({threads})",
            (result.fps, height),
            textcoords="offset points",
            # Float32 engines share a height: slanted, above or below, labels stay apart.
            xytext=(1, -5 if threads == 1 else 5),
            va="top" if threads == 1 else "bottom",
            rotation=-45 if threads == 1 else 45,
            rotation_mode="anchor",
            fontsize=8,
        )
        shown.append(label)
    axes.set_xscale("log")
    axes.margins(x=0.2, y=0.35)
    axes.set_xlabel("frames per second, whole loop (threads in brackets)")
    axes.set_ylabel("AUC (%)")
    axes.set_title(title or f"{cpu_name()}, {cores()} CPUs", fontsize=10)
    axes.grid(alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
    return shown


def _cell(accuracy: Mapping[str, float] | None, result: Measurement) -> str:
    found = accuracy_of(accuracy or {}, result)
    return "" if found is None else f"{found:>7.1f}"


def accuracy_of(accuracy: Mapping[str, float], result: Measurement) -> float | None:
    """By the most exact of the names that it may be known under."""
    subject = result.subject
    loop = subject.parameter or ("" if subject.kind == "peer" else "et_tracker_published")
    names = (f"{subject.label} {loop}", subject.label, loop, subject.precision)
    return next((accuracy[name] for name in names if name and name in accuracy), None)
