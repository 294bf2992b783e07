"""Exports in the cache, by precision, and what each precision needs beside the weights. No torch.

* f32: nothing. bf16: nothing, it is a way to run the float32 graphs.
* compact: the fits of `compact.py`, beside the weight file (`NAME.compact.safetensors`) or in the
  cache. `ettrack export --precision compact --calibration FOLDER` makes them.
* int8: calibration crops, while the graphs are made (`--precision int8 --calibration FOLDER`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import EngineError
from ..files import cache_folder
from ..network import weights
from . import cache
from .exported import Metadata

# Points of mean AUC on the shared OTB sequences that `auto` may give away for speed.
ACCURACY_BAR = 0.3


def fits_places(path: Path, digest: str) -> list[Path]:
    """Where the compact fits of a weight file may lie, in order."""
    beside = path.with_name(f"{path.stem}.compact.safetensors")
    return [beside, cache_folder() / "compact" / f"{digest}.safetensors"]


def find_fits(path: Path, digest: str) -> Path | None:
    """The compact fits of a weight file, None where there are none for exactly these weights."""
    for place in fits_places(path, digest):
        if place.is_file() and weights.metadata(place).get("weights_sha256") == digest:
            return place
    return None


def require_fits(path: Path, digest: str) -> Path:
    """The compact fits of a weight file.

    Raises:
        EngineError: there are none; says how to make them.
    """
    found = find_fits(path, digest)
    if found is None:
        tried = " nor ".join(map(str, fits_places(path, digest)))
        raise EngineError(
            f"precision 'compact' needs fits made for {path}, and neither {tried} has them; "
            "make them: ettrack export --precision compact --calibration FOLDER --output FOLDER"
        )
    return found


def measured_loss(path: Path, digest: str) -> float | None:
    """Points of mean AUC that the compact network loses; None where nobody has measured."""
    found = find_fits(path, digest)
    accuracy: dict[str, Any] = (
        json.loads(weights.metadata(found).get("accuracy", "{}")) if found else {}
    )
    return accuracy.get("auc_loss")


def folder_of(network: str, path: Path, digest: str, precision: str) -> Path:
    """Folder of an export in the cache."""
    salt = weights.fingerprint(require_fits(path, digest)) if precision == "compact" else ""
    return cache.export_folder(network, digest, "f32" if precision == "bf16" else precision, salt)


def exported(
    network: str, path: Path, digest: str, precision: str, calibration: Path | None = None
) -> tuple[Path, Metadata]:
    """Folder and metadata of the graphs in the cache, built where needed.

    Args:
        path, digest: weight file and its sha256.
        precision: one of `select.PRECISIONS`.
        calibration: folder of annotated tracks, for int8.

    Raises:
        EngineError: what the precision needs is missing.
    """
    folder = folder_of(network, path, digest, precision)
    if precision == "int8" and calibration is None and not cache.is_whole(folder):
        raise EngineError(
            "precision 'int8' needs graphs quantised on your frames first: "
            "ettrack export --precision int8 --calibration FOLDER --output FOLDER"
        )

    def build(target: Path) -> None:
        if precision == "int8":
            from .quantise import write_int8

            assert calibration is not None
            source, _ = exported(network, path, digest, "f32")
            write_int8(source, target, calibration, cache.notice)
            return
        from .export import write

        compact = precision == "compact"
        write(network, path, digest, target, compact=compact, progress=cache.notice)

    kind = "" if precision in ("f32", "bf16") else f" ({precision})"
    return folder, cache.ensure(folder, build, f"{network}{kind} for ONNX Runtime and OpenVINO")


def fit(network: str, path: Path, digest: str, calibration: Path, units: int | None = None) -> Path:
    """Fit the compact network to a folder's frames; returns the file in the cache.

    Args:
        units: hidden units kept in each feed-forward; None takes `compact.UNITS`.
    """
    from . import compact
    from .calibration import pairs
    from .export import load_network

    target = fits_places(path, digest)[1]
    cache.notice(f"fitting the compact network on {calibration} (a few minutes)")
    crops = pairs(calibration)
    module = load_network(network, path)
    if not hasattr(module, "cls_tower"):
        raise EngineError(f"precision 'compact' is for E.T.Track's towers; {network!r} has none")
    fits = compact.fit(module, crops, units or compact.UNITS)  # type: ignore[arg-type]
    compact.save(target, fits, digest, crops)
    return target
