"""One self-contained HTML page: tables, interactive plots, film strips, failures, manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..boxfiles import PathArgument
from ..comparison import annotate
from ..metrics import Annotation
from ..writing import write_text
from .content import build
from .page import render

__all__ = ["write_report"]


def write_report(
    trackers: Sequence[Any],
    dataset: Iterable[Any] | Annotation,
    path: PathArgument,
    rule: str = "pytracking",
    *,
    sequences: Iterable[Any] = (),
    attributes: Mapping[str, Iterable[str]] | None = None,
    title: str | None = None,
    count: int = 4,
    pictures: int = 8,
    published: bool = False,
    **options: Any,
) -> Path:
    """Write the report.

    Args:
        trackers: as `compare`; best and worst sequences and film strips are those of the first.
        dataset: sequence objects, or a prepared Annotation (then `sequences` bring the frames).
        path: the .html file. It refers to nothing else: no network, no other file.
        sequences: objects with name and frames, for the film strips; taken from `dataset` where
            that holds sequence objects. Without frames there are timelines only.
        attributes: attribute -> names of sequences.
        count: best and worst sequences shown.
        pictures: frames in each strip.
        options: of `compare` (skip_missing_seq, merge_results, subpixel, ...).

    Raises:
        ResultsError: as `compare`.
        DatasetError: as `compare`.
    """
    if isinstance(dataset, Annotation):
        annotation = dataset
    else:
        sequences = list(dataset)
        annotation = annotate(sequences, rule)
    content = build(
        trackers, annotation, sequences, attributes or {}, options, count, pictures, published
    )
    target = Path(path)
    write_text(target, render(content, title))
    return target
