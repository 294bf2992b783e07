"""manifest.json of a results folder: who made these numbers, with what, on which machine.

It is also what resuming trusts. Every finished sequence has an entry with the fingerprint of the
tracker's settings and the digest of its files; a sequence counts as done only if its files still
have that digest and the settings asked for have that fingerprint.

    format      1
    tracker, parameter, run_id
    settings    fingerprint -> asked (the same before "auto" was decided), parameters, engine,
                precision, weights (file, sha256), code (of a plug-in, sha256), versions,
                machine, git revision, processes, started, earlier (machine and processes of
                runs before), wall_seconds (summed over resumes), failed
    sequences   name -> dataset, frames, init_box, pictures (root, digests: `description.Pictures`),
                fingerprint, sha256, seconds
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ResultsError
from ..files import atomic_open, reading
from .description import describe
from .files import result_paths, unwritable

MANIFEST_FILE = "manifest.json"
# First version whose code gives the boxes of today; raise it when equal settings give others.
BOXES_SINCE = "0.1.0"
FORMAT = 1

_TEXT = (str, type(None))
_SETTINGS = {
    "asked": _TEXT,
    "engine": _TEXT,
    "precision": _TEXT,
    "started": (str,),
    "wall_seconds": (int, float),
}
# What may differ between the runs that one entry of settings sums up.
_WHERE = ("machine", "processes")
_SEQUENCES = {"dataset": (str,), "fingerprint": (str,), "sha256": _TEXT, "pictures": (dict,)}

# Say how, not what, is computed: a change leaves finished sequences valid.
_NOT_IN_FINGERPRINT = {"debug", "visualization", "device", "use_gpu", "threads", "checkpoint"}


class Manifest:
    """The manifest of one results folder; change it only while holding the folder's lock."""

    def __init__(self, folder: Path, content: dict[str, Any]):
        self.folder = folder
        self.content = content

    @classmethod
    def open(
        cls, folder: Path, tracker: str, parameter: str, run_id: int | None = None
    ) -> Manifest:
        """Read the folder's manifest; a new one (not yet written) where there is none.

        Raises:
            ResultsError: not JSON, or of a format that this version does not know.
        """
        path = folder / MANIFEST_FILE
        if not path.exists():
            head = {"format": FORMAT, "tracker": tracker, "parameter": parameter, "run_id": run_id}
            return cls(folder, {**head, "settings": {}, "sequences": {}})
        return cls(folder, read_manifest(path))

    def write(self) -> None:
        """Replace the file; ResultsError where the folder cannot be written."""
        try:
            # A path that is no UTF-8 becomes an escape of JSON.
            with atomic_open(self.folder / MANIFEST_FILE, errors="backslashreplace") as stream:
                json.dump(self.content, stream, indent=1, ensure_ascii=False)
                stream.write("\n")
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def begin(self, fingerprint: str, settings: Mapping[str, Any], tracking: bool = True) -> None:
        """Enter the settings of a run; wall time of earlier runs with the same ones is kept.

        Args:
            tracking: whether there is anything to track; if not, what is written of the run that
                did it (start, machine, revision) stays.
        """
        # To the end: the last settings are those of the latest run, whatever the clock says.
        before = self.content["settings"].pop(fingerprint, {})
        entered = {**settings, "wall_seconds": before.get("wall_seconds", 0.0)}
        if "failed" in before:
            entered["failed"] = before["failed"]
        where = {name: before[name] for name in _WHERE if name in before}
        earlier = list(before.get("earlier", []))
        if any(where[name] != entered.get(name) for name in where) and where not in earlier:
            earlier.append(where)  # a part of the sequences was done there
        if earlier:
            entered["earlier"] = earlier
        self.content["settings"][fingerprint] = entered if tracking or not before else before

    def end(
        self,
        fingerprint: str,
        wall_seconds: float,
        failed: Mapping[str, str],
        finished: Collection[str] = (),
    ) -> None:
        """Add the wall time of a run (perf_counter: a clock set back does not matter).

        Args:
            failed: what failed in it; that of earlier runs stays.
            finished: but for this, which has results by now.
        """
        entry = self.content["settings"][fingerprint]
        entry["wall_seconds"] = round(entry.get("wall_seconds", 0.0) + wall_seconds, 3)
        before = entry.get("failed", {})
        entry["failed"] = {k: v for k, v in before.items() if k not in finished} | dict(failed)

    def engine_of(self, asked: str) -> tuple[str | None, str | None] | None:
        """Engine and precision that the last run settled on for the same settings, or None."""
        for entry in reversed(self.content["settings"].values()):
            if entry.get("asked") == asked:
                return entry.get("engine"), entry.get("precision")
        return None

    def is_done(
        self,
        sequence: str,
        fingerprint: str,
        dataset: str,
        frames: int,
        init_box: Sequence[float],
    ) -> bool:
        """Whether the files of `sequence` are whole and of these settings, length and first box."""
        entry = self.content["sequences"].get(sequence)
        if not entry:
            return False
        asked = {
            "fingerprint": fingerprint,
            "dataset": dataset,
            "frames": frames,
            "init_box": [float(v) for v in init_box],
        }
        if any(entry.get(key) != value for key, value in asked.items()):
            return False
        found = digest(self.folder, sequence)
        return found is not None and entry.get("sha256") == found

    def record(
        self,
        sequence: str,
        fingerprint: str,
        dataset: str,
        init_box: Sequence[float],
        times: Sequence[float],
        pictures: Mapping[str, Any],
    ) -> None:
        """Enter a sequence whose files have just been written; `pictures`: of `Pictures`."""
        self.content["sequences"][sequence] = {
            "dataset": dataset,
            "frames": len(times),
            "init_box": [float(v) for v in init_box],
            "pictures": dict(pictures),
            "seconds": round(sum(times), 6),
            "fingerprint": fingerprint,
            "sha256": digest(self.folder, sequence),
        }


def read_manifest(path: Path) -> dict[str, Any]:
    """Content of a manifest.json; ResultsError where it cannot be understood."""
    with reading(path, ResultsError, "move it away to compute its sequences again"):
        content = json.loads(path.read_text(encoding="utf-8"))
    form = content.get("format") if isinstance(content, dict) else None
    if type(form) is int and form != FORMAT:
        raise ResultsError(
            f"{path} has format {form!r}, this version knows {FORMAT}; update "
            "pytracking-et or name another folder with --results"
        )
    problem = _misshapen(content)
    if problem:
        raise ResultsError(
            f"{path} is no manifest of a run: {problem}; move it away to compute its sequences "
            "again"
        )
    return content


def find_manifest(folder: Path) -> dict[str, Any] | None:
    """What a folder of results has as manifest.json, perhaps somebody else's; None without one.

    Raises:
        ResultsError: no JSON.
    """
    path = folder / MANIFEST_FILE
    if not path.exists():
        return None
    with reading(path, ResultsError, "move it away to score the files as they are"):
        content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else None


def recorded_sequences(content: Any) -> dict[str, Any]:
    """Sequence -> entry; {} where there is no manifest, or one of somebody else."""
    named = content.get("sequences") if isinstance(content, dict) else None
    entries = named.items() if isinstance(named, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict)}


def _misshapen(content: Any) -> str:
    """What of the content has not the shape of a manifest; "" where all has."""
    if not isinstance(content, dict):
        return f"it holds a {type(content).__name__}, not an object"
    if content.get("format") != FORMAT:
        return "it names no format"
    for part, fields in (("settings", _SETTINGS), ("sequences", _SEQUENCES)):
        table = content.get(part)
        if not isinstance(table, dict):
            return f"{part!r} is no object"
        for name, entry in table.items():
            if not isinstance(entry, dict):
                return f"{part!r}: {name!r} is no object"
            for field, kinds in fields.items():
                # Older versions wrote fewer fields.
                if field in entry and not isinstance(entry[field], kinds):
                    return f"{part!r}: {field!r} of {name!r} is {str(entry[field])[:50]!r}"
    return ""


def older_settings(content: Any, names: Iterable[str]) -> list[str]:
    """Those of `names` that the latest run of any of them, with other settings, did not redo.

    Args:
        content: of a manifest.json; one of somebody else knows nothing of the names.
    """
    if _misshapen(content):
        return []
    entries, settings = content["sequences"], content["settings"]
    made = {name: entries[name].get("fingerprint", "") for name in names if name in entries}
    started = {
        one: (entry.get("started", ""), place)
        for place, (one, entry) in enumerate(settings.items())
    }
    latest = max(made.values(), key=lambda one: started.get(one, ("", -1)), default="")
    return [name for name, one in made.items() if one != latest]


def older_settings_text(older: Sequence[str], count: int) -> str:
    """What to say where `older` of `count` sequences are of other settings than the rest."""
    named = f"{', '.join(older[:10])}{' ...' if len(older) > 10 else ''}"
    return (
        f"{len(older)} of {count} sequences were tracked with older settings than the others "
        f"(parameters, weights, engine or version): {named}; run them again"
    )


def settings_of(content: Any, names: Iterable[str]) -> set[str]:
    """Fingerprints of what `names` were tracked with, run ids apart."""
    if _misshapen(content):
        return set()
    entries, settings = content["sequences"], content["settings"]
    used = {entries[name].get("fingerprint") for name in names if name in entries}
    kinds = set()
    for one in (settings[each] for each in used if each in settings):
        alone = {key: one.get(key) for key in ("engine", "precision")} | {"run_id": None}
        weights = (one.get("weights") or {}).get("sha256", "")
        described = {**(one.get("parameters") or {}), **alone}
        kinds.add(fingerprint("", "", described, weights, one.get("code")))
    return kinds


def engines_text(content: Any, names: Iterable[str]) -> str:
    """Engine and precision that `names` were tracked with, for notes; "" where nobody knows.

    Args:
        content: of a manifest.json; one of somebody else knows nothing.

    Returns:
        "openvino f32", or "MIXED, by sequences: openvino f32 (10), torch f32 (2)".
    """
    if _misshapen(content):
        return ""
    entries, settings = content["sequences"], content["settings"]
    names = list(names)
    made = [settings.get(entries[name].get("fingerprint"), {}) for name in names if name in entries]
    counts = Counter(
        f"{entry['engine']} {entry.get('precision') or ''}".strip()
        for entry in made
        if entry.get("engine")
    )
    if counts and len(made) < len(names):
        counts["not known"] = len(names) - len(made)
    if len(counts) < 2:
        return next(iter(counts), "")
    listing = ", ".join(f"{engine} ({count})" for engine, count in counts.most_common())
    return f"MIXED, by sequences: {listing}"


def digest(folder: Path, sequence: str) -> str | None:
    """sha256 over the files of one sequence; None where boxes or times are missing."""
    total = hashlib.sha256()
    for kind, path in result_paths(folder, sequence).items():
        try:
            total.update(kind.encode() + b"\0" + path.read_bytes() + b"\0")
        except FileNotFoundError:
            if kind != "scores":
                return None
        except OSError:  # a folder in its place, or not to be read
            return None
    return total.hexdigest()


def describe_parameters(parameters: Any) -> dict[str, Any]:
    """The public fields of a TrackerParams bag as JSON."""
    return {
        name: describe(value)
        for name, value in sorted(vars(parameters).items())
        if not name.startswith("_")
    }


def fingerprint(
    tracker: str,
    parameter: str,
    described: Mapping[str, Any],
    weights: str,
    code: str | None = None,
) -> str:
    """Short hash of all that decides the boxes: names, parameter values, weights, our code.

    Args:
        code: digest of a plug-in's code; ours is of `BOXES_SINCE`.
    """
    deciding = {k: v for k, v in described.items() if k not in _NOT_IN_FINGERPRINT}
    parts = [BOXES_SINCE, tracker, parameter, deciding, weights, *([code] if code else [])]
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
