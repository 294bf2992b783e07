"""Result folders and ground-truth folders on disk.

A result folder holds `<sequence>.txt`, optionally `<sequence>_float.txt` (sub-pixel boxes),
`<sequence>_time.txt` and `<sequence>_object_presence_scores.txt`; pytracking's place for it is
`<results>/NAME/PARAMETER` or `<results>/NAME/PARAMETER_000` with a run number.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..boxtables import read_flags
from ..errors import DatasetError, ResultsError
from ..files import read_json, reading
from ..results.files import FLOAT_SUFFIX, SCORE_SUFFIX, TIME_SUFFIX
from ..results.manifest import (
    MANIFEST_FILE,
    engines_text,
    older_settings,
    older_settings_text,
)
from ..results.names import Matcher, other_dataset
from .boxfiles import Array, BoxSet, PathArgument, read_boxes, read_numbers
from .rules import refuse_hidden

Missing = Literal["error", "skip"]
# `_time` and the others, as parts of a stem.
_SUFFIXES = tuple(Path(suffix).stem for suffix in (SCORE_SUFFIX, TIME_SUFFIX, FLOAT_SUFFIX))


@dataclass(frozen=True)
class ResultFolder:
    """The files of one run, by kind.

    Attributes:
        path: the folder.
        files: kind ("", "_float", "_time", "_object_presence_scores") -> sequence -> file.
        dataset: data set the folder was opened for, "" for any.
        others: sequences left out because the manifest has them of another data set -> which.
        content: of manifest.json, None where there is none.
    """

    path: Path
    files: Mapping[str, Mapping[str, Path]] = field(repr=False)
    dataset: str = ""
    others: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: Any = field(default=None, repr=False)

    @classmethod
    def open(cls, path: PathArgument, dataset: str = "") -> ResultFolder:
        """List a folder once. Raises ResultsError where it does not exist.

        Args:
            dataset: leave out what the manifest says is of another data set: one folder holds
                the results of all, and their sequences may have the same names.
        """
        folder = Path(path)
        if not folder.is_dir():
            raise ResultsError(
                f"no result folder {folder}; expected <results>/NAME/PARAMETER[_RUN] "
                "with one <sequence>.txt per sequence"
            )
        files: dict[str, dict[str, Path]] = {kind: {} for kind in ("", *_SUFFIXES)}
        for file in sorted(folder.iterdir()):
            if file.name.startswith(".") or file.suffix.lower() != ".txt":
                continue
            kind = next((suffix for suffix in _SUFFIXES if file.stem.endswith(suffix)), "")
            files[kind][file.stem.removesuffix(kind)] = file
        content = _read_manifest(folder)
        others = {
            name: str(entry["dataset"])
            for name, entry in _recorded_sequences(content).items()
            if other_dataset(dataset, str(entry.get("dataset", "")))
        }
        kept = {
            kind: {name: file for name, file in named.items() if name not in others}
            for kind, named in files.items()
        }
        return cls(folder, kept, dataset, others, content)

    def sequences(self) -> list[str]:
        """Names of the sequences that have boxes."""
        return sorted(set(self.files[""]) | set(self.files["_float"]))

    def find(self, names: Iterable[str], kind: str = "") -> dict[str, Path | None]:
        """Map each of `names` to its file of one kind, whatever the spelling, or to None."""
        matcher, files = Matcher(self.files[kind]), self.files[kind]
        found = {name: matcher.find(name) for name in names}
        return {name: files[match] if match else None for name, match in found.items()}

    def boxes(
        self, names: Iterable[str], subpixel: bool = False, missing: Missing = "error"
    ) -> BoxSet:
        """Read boxes of the sequences `names`, keyed by those names.

        Args:
            names: sequence names as the data set spells them.
            subpixel: prefer `_float.txt`; a sequence without it is read from the whole-pixel
                file, with a warning, since mixing the two is no clean comparison.
            missing: "error" lists what is missing and raises; "skip" leaves it out.

        Sequences that the manifest has of older settings than the others are warned of.

        Raises:
            ResultsError: sequences are missing (missing="error"), or a file cannot be parsed.
        """
        chosen = self._chosen(list(names), subpixel)
        absent = [name for name, path in chosen.items() if path is None]
        if absent and missing == "error":
            raise ResultsError(
                f"{self.path} lacks {len(absent)} of {len(chosen)} sequences: "
                f"{', '.join(absent[:10])}{' ...' if len(absent) > 10 else ''}"
                f"{self._instead(absent)}; "
                "run them, or skip them (skip_missing_seq=True, --skip-missing)"
            )
        return read_boxes({name: path for name, path in chosen.items() if path is not None})

    def _instead(self, absent: list[str]) -> str:
        """What an error says of files that seem to be the ones it misses."""
        matcher = Matcher(self.others)
        of = {self.others[match] for name in absent if (match := matcher.find(name))}
        return f" (there are some of {', '.join(sorted(of))}, not {self.dataset})" if of else ""

    def _chosen(self, names: list[str], subpixel: bool) -> dict[str, Path | None]:
        """The box file of each sequence."""
        plain = self.find(names)
        self._warn_of_older(plain)
        if not subpixel:
            return plain
        fine = self.find(names, "_float")
        without = [name for name in names if fine[name] is None and plain[name] is not None]
        if without:
            warnings.warn(
                f"{self.path}: no sub-pixel file for {len(without)} of {len(names)} sequences "
                f"({', '.join(without[:5])}); their whole-pixel boxes are used",
                stacklevel=3,
            )
        return {name: fine[name] or plain[name] for name in names}

    def _warn_of_older(self, found: Mapping[str, Path | None]) -> None:
        """Warn where the sequences are of several settings: no figure over them is of a run."""
        stems = [path.stem for path in found.values() if path is not None]
        older = older_settings(self.content, stems)
        if older:
            text = older_settings_text(older, len(stems))
            warnings.warn(f"{self.path}: {text}", stacklevel=4)

    def engines(self, names: Iterable[str]) -> str:
        """Engine and precision of the sequences `names` by the manifest; see `engines_text`."""
        stems = [path.stem for path in self.find(names).values() if path is not None]
        return engines_text(self.content, stems)

    def fingerprint(self, names: Iterable[str], subpixel: bool = False) -> bytes:
        """SHA-256 over the bytes of the box files of `names`; files that lack count as such."""
        digest = hashlib.sha256()
        for name, path in self._chosen(list(names), subpixel).items():
            content = b"" if path is None else path.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        return digest.digest()

    def times(self, names: Iterable[str]) -> dict[str, Array]:
        """Seconds per frame of the sequences that have a `_time.txt`."""
        return self._numbers(names, "_time")

    def presence(self, names: Iterable[str]) -> dict[str, Array]:
        """Object presence scores of the sequences that have them."""
        return self._numbers(names, "_object_presence_scores")

    def _numbers(self, names: Iterable[str], kind: str) -> dict[str, Array]:
        found = self.find(names, kind)
        return read_numbers({name: path for name, path in found.items() if path is not None})

    def manifest(self) -> dict[str, Any] | None:
        """manifest.json of the run, or None where there is none."""
        return self.content


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    path = folder / MANIFEST_FILE
    if not path.exists():
        return None
    with reading(path, ResultsError, "move it away to score the files as they are"):
        return json.loads(path.read_text(encoding="utf-8"))


def _recorded_sequences(content: Any) -> dict[str, Any]:
    """Sequence -> entry of the manifest; {} where there is no manifest, or one of somebody else."""
    named = content.get("sequences") if isinstance(content, dict) else None
    entries = named.items() if isinstance(named, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict)}


def read_results(
    folder: PathArgument,
    names: Iterable[str] | None = None,
    subpixel: bool = False,
    missing: Missing = "error",
) -> BoxSet:
    """Read the boxes of a result folder: the sequences `names`, or all it has."""
    opened = ResultFolder.open(folder)
    return opened.boxes(opened.sequences() if names is None else names, subpixel, missing)


def read_ground_truth(folder: PathArgument) -> BoxSet:
    """Read a folder of `<sequence>.txt` annotations."""
    root = Path(folder)
    listed = sorted(root.iterdir()) if root.is_dir() else []
    files = {file.stem: file for file in listed if file.suffix.lower() == ".txt"}
    if not files:
        raise DatasetError(f"no annotations at {root}; expected a folder of <sequence>.txt files")
    return read_boxes(files)


def read_visibility(path: PathArgument) -> dict[str, NDArray[np.bool_]]:
    """Read visibility flags: sequence -> (frames,) True where the target can be seen.

    Args:
        path: JSON {sequence: {"frames": n, "absent": [[first, last], ...]}} (0-based, inclusive),
            or a LaSOT root, whose full_occlusion.txt and out_of_view.txt are read.
    """
    source = Path(path)
    if source.is_dir():
        folders = sorted(file.parent for file in source.rglob("full_occlusion.txt"))
        if not folders:
            raise DatasetError(f"no full_occlusion.txt below {source}; expected a LaSOT root")
        return {one.name: read_lasot_visibility(one) for one in folders}
    advice = (
        'expected JSON {sequence: {"frames": n, "absent": [[first, last], ...]}} or a LaSOT root'
    )
    with reading(source, DatasetError, advice):
        table = read_json(source, DatasetError, advice)
        flags = {name: np.ones(entry["frames"], bool) for name, entry in table.items()}
        for name, entry in table.items():
            for first, last in entry["absent"]:
                flags[name][first : last + 1] = False
    return flags


def read_lasot_visibility(folder: PathArgument) -> NDArray[np.bool_]:
    """Flags of one LaSOT sequence folder: neither fully occluded nor out of view."""
    root = Path(folder)
    names = ("full_occlusion.txt", "out_of_view.txt")
    occluded, outside = (read_flags(root / name, DatasetError) for name in names)
    if len(occluded) != len(outside):
        raise DatasetError(f"{' and '.join(names)} in {root}: {len(occluded)} and {len(outside)}")
    return ~(occluded | outside)


def gather(dataset: Iterable[Any]) -> tuple[str, BoxSet, dict[str, NDArray[np.bool_]] | None]:
    """Take ground truth from sequence objects (name, ground_truth_rect, target_visible, dataset).

    Returns:
        Name of the data set, boxes, and visibility flags or None where no sequence has any.

    Raises:
        DatasetError: no sequences, several data sets in one list, or hidden ground truth.
    """
    sequences = list(dataset)
    if not sequences:
        raise DatasetError("the data set has no sequences")
    tags = sorted({str(one.dataset) for one in sequences})
    if len(tags) > 1:
        raise DatasetError(
            f"sequences of several data sets in one table: {', '.join(tags)}; their frames are "
            "scored by different habits, so score one data set at a time"
        )
    refuse_hidden(tags[0])
    for one in sequences:
        if isinstance(one.ground_truth_rect, Mapping):
            raise DatasetError(
                f"sequence {one.name!r} has {len(one.ground_truth_rect)} targets; one target a "
                "sequence can be scored: make a sequence of each"
            )
        # Listing frames may touch the disk, so only where one row makes it suspicious.
        if len(one.ground_truth_rect) == 1 and len(getattr(one, "frames", ())) > 1:
            raise DatasetError(
                f"sequence {one.name!r} has {len(one.frames)} frames and one annotated: its ground "
                "truth is hidden, and any tracker would score 95.24; use the server of the set"
            )
    boxes = BoxSet.of({str(one.name): np.asarray(one.ground_truth_rect) for one in sequences})
    flags = {str(one.name): getattr(one, "target_visible", None) for one in sequences}
    given = {name: np.asarray(one).astype(bool) for name, one in flags.items() if one is not None}
    if given and len(given) < len(flags):
        raise DatasetError(
            f"{len(flags) - len(given)} of {len(flags)} sequences have no visibility flags, "
            f"e.g. {next(name for name in flags if name not in given)!r}"
        )
    return tags[0], boxes, given or None
