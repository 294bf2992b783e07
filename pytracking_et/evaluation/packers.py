"""Archives for the evaluation servers of GOT-10k and TrackingNet, checked before they are written.

A server answers a bad upload with a rejection, or with a wrong number, days later; so every
sequence must be there, with a line for each frame, before the archive is made.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..boxes import unusable
from ..errors import DatasetError, ResultsError
from ..files import atomic_path
from ..frames import read_size
from ..results import files as results
from ..results.exchange import OF_THE_PICTURE, SUFFIXES, WRITERS, TrackRow
from ..results.manifest import (
    MANIFEST_FILE,
    find_manifest,
    older_settings,
    older_settings_text,
    read_manifest,
    recorded_sequences,
    settings_of,
)
from ..results.names import dataset_of, other_dataset
from ..settings import env_settings, expanded
from .datasets import get_dataset
from .tracker import Tracker, trackerlist

Folder = str | PathLike[str] | None

# Fixed by the benchmarks: the names of GOT-10k's test set, the size of TrackingNet's.
GOT10K_NAMES = tuple(f"GOT-10k_Test_{number:06d}" for number in range(1, 181))
TRACKINGNET_COUNT = 511
# How many problems an error lists before it counts the rest.
_LISTED = 10


def pack_got10k_results(
    tracker_name: str,
    param_name: str,
    output_name: str,
    *,
    runs: int = 3,
    results_path: Folder = None,
    dataset_root: Folder = None,
) -> Path:
    """Pack test results for GOT-10k's server: `SEQ/SEQ_001.txt`.. and `SEQ/SEQ_time.txt`.

    Args:
        output_name: archive `<got_packed_results_path>/<output_name>.zip`, or a path ending .zip.
        runs: 3 reads run ids 0..2, the server's protocol; 1 reads the run without an id, which
            the protocol allows for a deterministic tracker.
        results_path: of the settings where None.
        dataset_root: of the settings where None. Without the data set the number of frames cannot
            be checked, which is warned of.

    Returns:
        Path of the archive.

    Raises:
        ResultsError: sequences, lines or numbers missing or bad, or sequences of several settings;
            lists them, nothing is written.
    """
    ids = None if runs == 1 else range(runs)
    trackers = trackerlist(tracker_name, param_name, ids, results_path=results_path)
    folders = [Path(tracker.results_dir) for tracker in trackers]
    counts = _frame_counts("got10k_test", dataset_root)
    problems = [text for folder in folders for text in _mixed(folder, GOT10K_NAMES)]
    contents = [find_manifest(folder) for folder in folders if folder.is_dir()]
    if len(set[str]().union(*(settings_of(one, GOT10K_NAMES) for one in contents))) > 1:
        problems.append(
            "the runs differ in parameters, weights, engine or code (manifest.json); run them "
            "again, with --no-resume"
        )
    files: dict[str, str] = {}
    for name in GOT10K_NAMES:
        read = [_read(folder, name, counts.get(name), problems) for folder in folders]
        if len({len(boxes) for boxes, _ in read}) > 1:
            problems.append(f"{name}: runs differ in length")
            continue
        for run, (boxes, _) in enumerate(read, 1):
            files[f"{name}/{name}_{run:03d}.txt"] = _rows(boxes, "%f")
        times = np.stack([times for _, times in read], axis=1)
        # A column a run, as the benchmark's own toolkit writes it.
        files[f"{name}/{name}_time.txt"] = _rows(times, "%f")
    archive = _archive(env_settings().got_packed_results_path, output_name)
    return _write(archive, files, problems, folders)


def pack_trackingnet_results(
    tracker_name: str,
    param_name: str,
    run_id: int | None = None,
    output_name: str | None = None,
    *,
    results_path: Folder = None,
    dataset_root: Folder = None,
) -> Path:
    """Pack test results for TrackingNet's server: one `VIDEO.txt` each, x,y,w,h with two decimals.

    Arguments and errors as of `pack_got10k_results`, but for these.

    Args:
        output_name: archive `<tn_packed_results_path>/<output_name>.zip`, or a path ending .zip;
            default NAME_PARAM.
        dataset_root: without the data set only the number of videos is checked.
    """
    folder = Path(Tracker(tracker_name, param_name, run_id, results_path=results_path).results_dir)
    counts = _frame_counts("trackingnet", dataset_root)
    names = list(counts) or _sequences_in(folder, "trackingnet")
    problems = _mixed(folder, names)
    if len(names) != TRACKINGNET_COUNT:
        problems.append(f"{len(names)} videos; the test set has {TRACKINGNET_COUNT}")
    files = {}
    for name in names:
        boxes, _ = _read(folder, name, counts.get(name), problems)
        files[f"{name}.txt"] = _rows(boxes, "%.2f")
    output = output_name or f"{tracker_name}_{folder.name}"
    archive = _archive(env_settings().tn_packed_results_path, output)
    return _write(archive, files, problems, [folder])


def pack_tracks(
    kind: str,
    tracker_name: str,
    param_name: str,
    dataset: str,
    run_id: int | None = None,
    output_name: str | None = None,
    *,
    results_path: Folder = None,
    dataset_root: Folder = None,
) -> Path:
    """Pack results as tracks for other tools: a file a sequence, of one target.

    Args:
        kind: of `results.exchange.WRITERS`: mot, coco, yolo, cvat.
        output_name: archive `<output_name>.zip` here, or a path ending .zip; default
            NAME_PARAM_DATASET_KIND.

    Raises:
        ResultsError: sequences or lines missing or bad; lists them, nothing is written.
        DatasetError: the data set is not there.
    """
    folder = Path(Tracker(tracker_name, param_name, run_id, results_path=results_path).results_dir)
    sequences = get_dataset(dataset, root=dataset_root)
    problems = _mixed(folder, sequences.names)
    files = {}
    for sequence in sequences:
        boxes = _read_boxes(folder, sequence.name, len(sequence.frames), problems)
        scores = _read_scores(folder, sequence.name, len(boxes), problems)
        if problems:
            continue
        sizes = [(0, 0)] * len(boxes)
        if kind in OF_THE_PICTURE:
            sizes = [read_size(path) for path in sequence.frames]
        rows = [
            TrackRow(frame, 1, tuple(box), score, size)
            for frame, (box, score, size) in enumerate(
                zip(boxes.tolist(), scores.tolist(), sizes, strict=True)
            )
        ]
        files[f"{sequence.name}{SUFFIXES[kind]}"] = WRITERS[kind](rows)
    of = Path(dataset).name
    archive = _archive("", output_name or f"{tracker_name}_{folder.name}_{of}_{kind}")
    return _write(archive, files, problems, [folder])


def _frame_counts(dataset: str, root: Folder) -> dict[str, int]:
    """Frames of each sequence; {} with a warning where the data set is not at hand."""
    try:
        return {each.name: len(each.frames) for each in get_dataset(dataset, root=root)}
    except DatasetError as error:
        if root is not None:
            raise
        warnings.warn(f"numbers of frames are not checked: {error}", stacklevel=3)
        return {}


def _sequences_in(folder: Path, dataset: str) -> list[str]:
    """Sequences with boxes, but for those that manifest or prefix say are of another data set."""
    if not folder.is_dir():
        raise ResultsError(f"no result folder {folder}; run the tracker first")
    names = [path.name for path in sorted(folder.glob("*.txt")) if path.name[0] != "."]
    boxes = [name for name in names if results.kind_of(name, set(names)) == results.SUFFIXES[0]]
    found = [name.removesuffix(".txt") for name in boxes]
    entries = recorded_sequences(find_manifest(folder))
    of = {name: dataset_of(name) or str(entries.get(name, {}).get("dataset")) for name in found}
    return [name for name in found if not other_dataset(dataset, of[name])]


def _mixed(folder: Path, names: Sequence[str]) -> list[str]:
    """The problem of results that are partly of older settings; [] where they are of one kind."""
    path = folder / MANIFEST_FILE
    older = older_settings(read_manifest(path), names) if path.is_file() else []
    return [f"{folder.name}: {older_settings_text(older, len(names))}"] if older else []


def _read(
    folder: Path, name: str, frames: int | None, problems: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes and times of one sequence; what is wrong with them goes to `problems`."""
    boxes = _read_boxes(folder, name, frames, problems)
    if not len(boxes):
        return boxes, np.zeros(0)
    try:
        times = results.load_values(folder, name, "time")
    except ResultsError as error:
        problems.append(str(error))
        return np.zeros((0, 4)), np.zeros(0)
    if len(times) != len(boxes):
        problems.append(f"{folder.name}/{name}: {len(times)} times for {len(boxes)} boxes")
    return boxes, np.resize(times, len(boxes))


def _read_boxes(
    folder: Path, name: str, frames: int | None, problems: list[str]
) -> NDArray[np.float64]:
    try:
        boxes = results.load_boxes(folder, name)
    except ResultsError as error:
        problems.append(str(error))
        return np.zeros((0, 4))
    where = f"{folder.name}/{name}"
    if frames is not None and len(boxes) != frames:
        problems.append(f"{where}: {len(boxes)} boxes for {frames} frames")
    bad = unusable(boxes)
    if bad.any():
        line = int(np.flatnonzero(bad)[0])
        problems.append(f"{where}, line {line + 1}: bad box {boxes[line].tolist()}")
    return boxes


def _read_scores(folder: Path, name: str, frames: int, problems: list[str]) -> NDArray[np.float64]:
    """Score of each of so many frames; 1 where the tracker reports none."""
    if not results.result_paths(folder, name)["scores"].is_file():
        return np.ones(frames)
    scores = results.load_values(folder, name, "scores")
    # pytracking writes that of the first frame alone for a tracker that reports none.
    if len(scores) == 1:
        return np.ones(frames)
    if len(scores) != frames:
        problems.append(f"{folder.name}/{name}: {len(scores)} scores for {frames} boxes")
    return scores


def _rows(table: NDArray[np.float64], number: str) -> str:
    # Commas: GOT-10k's server rejects lines separated by blanks.
    return "".join(",".join(number % value for value in row) + "\n" for row in table)


def _archive(folder: str, name: str) -> Path:
    if name.endswith(".zip"):
        return expanded(name)
    return Path(folder) / f"{name}.zip"


def _write(
    archive: Path, files: Mapping[str, str], problems: list[str], folders: Iterable[Path]
) -> Path:
    if problems:
        shown = "\n  ".join(problems[:_LISTED])
        more = f"\n  and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
        raise ResultsError(
            f"results in {', '.join(map(str, folders))} are not complete; no archive was written:\n"
            f"  {shown}{more}"
        )
    try:
        with (
            atomic_path(archive) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as pack,
        ):
            for name, text in files.items():
                pack.writestr(name, text)
    except OSError as error:
        raise ResultsError(f"cannot write {archive}: {error}; name another --output") from error
    return archive
