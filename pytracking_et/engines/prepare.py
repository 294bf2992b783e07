"""Exports in the cache, by precision, and what each precision needs beside the weights. No torch.

* f32: nothing. bf16: nothing, it is a way to run the float32 graphs.
* int8: calibration crops, while the graphs are made (`--precision int8 --calibration FOLDER`).
"""

from __future__ import annotations

from pathlib import Path

from ..errors import EngineError
from . import cache
from .exported import Metadata


def folder_of(network: str, digest: str, precision: str) -> Path:
    """Folder of an export in the cache, for the weight file with sha256 `digest`."""
    return cache.export_folder(network, digest, "f32" if precision == "bf16" else precision)


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
    folder = folder_of(network, digest, precision)
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

        write(network, path, target, progress=cache.notice)

    kind = " (int8)" if precision == "int8" else ""
    return folder, cache.ensure(folder, build, f"{network}{kind} for ONNX Runtime and OpenVINO")
