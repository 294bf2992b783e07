"""Exports in the cache, by precision, and what each precision needs beside the weights. No torch.

* f32: nothing. bf16: nothing, it is a way to run the float32 graphs.
* int8: ranges of the activations, shipped beside the weights or measured on annotated frames
  (`--precision int8 --calibration FOLDER`).
"""

from __future__ import annotations

from pathlib import Path

from ..errors import EngineError
from . import cache, ranges
from .exported import Metadata


def folder_of(network: str, digest: str, precision: str) -> Path:
    """Folder of an export in the cache, for the weight file with sha256 `digest`."""
    return cache.export_folder(network, digest, "f32" if precision == "bf16" else precision)


def exported(
    network: str, path: Path, digest: str, precision: str, calibration: Path | None = None
) -> tuple[Path, Metadata]:
    """Folder and metadata of the graphs in the cache, built where needed.

    Args:
        path: weight file.
        digest: its sha256.
        precision: one of `select.PRECISIONS`.
        calibration: folder of annotated tracks to measure int8 ranges on; where None, those that
            are there are used.

    Raises:
        EngineError: what the precision needs is missing.
    """
    if precision == "int8":
        return _int8(network, path, digest, calibration)
    folder = folder_of(network, digest, precision)

    def build(target: Path) -> None:
        from .export import write

        write(network, path, target, progress=cache.notice)

    return folder, cache.ensure(folder, build, f"{network} for ONNX Runtime and OpenVINO")


def _int8(network: str, path: Path, digest: str, calibration: Path | None) -> tuple[Path, Metadata]:
    found = ranges.find(path, digest) if calibration is None else None
    measured = found is None
    if found is None:
        found = _measured(network, path, digest, calibration)
    # Other ranges are other graphs.
    folder = folder_of(network, digest, f"int8-{found.digest[:8]}")

    def build(target: Path) -> None:
        from .quantise import write_int8

        source, _ = exported(network, path, digest, "f32")
        write_int8(source, target, found, cache.notice)

    metadata = cache.ensure(folder, build, f"{network} (int8) for ONNX Runtime and OpenVINO")
    if measured:
        # Not before graphs made with them have passed their check.
        cache.notice(f"int8 ranges kept in {ranges.keep(found, path)}")
    return folder, metadata


def _measured(network: str, path: Path, digest: str, calibration: Path | None) -> ranges.Ranges:
    if calibration is None:
        raise EngineError(
            f"precision 'int8' needs ranges measured with {path.name} on your frames first: "
            "ettrack export --precision int8 --calibration FOLDER --output FOLDER"
        )
    from .quantise import measure

    source, _ = exported(network, path, digest, "f32")
    cache.notice(f"measuring int8 ranges on {calibration}")
    return measure(source, calibration)
