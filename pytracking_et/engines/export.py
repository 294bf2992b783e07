"""Exported graphs: in the cache, by precision, and in a folder of the user's. No torch at import.

What a precision needs beside the weights:

* f32: nothing. bf16: nothing, it is a way to run the float32 graphs.
* int8: ranges of the activations, shipped beside the weights or measured on annotated frames
  (`--precision int8 --calibration FOLDER`).
"""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import tempfile
from pathlib import Path

from ..errors import EngineError, pip_line
from ..files import move, sha256
from ..network import weights
from ..tracking.parameters import Parameters
from . import cache
from .catalogue import READERS, Model, installed, module
from .int8 import Ranges, find_ranges, keep_ranges
from .package import METADATA, Metadata, Reference, agrees, reference_names
from .runtimes import GraphRuntime, c_numbers

PRECISIONS = ("f32", "int8")


def cached_graphs(
    model: Model, precision: str, calibration: Path | None = None
) -> tuple[Path, Metadata]:
    """Folder and metadata of the graphs in the cache, built where needed.

    Args:
        model: what the graphs are of.
        precision: one of `catalogue.PRECISIONS`.
        calibration: folder of annotated tracks to measure int8 ranges on; where None, those that
            are there are used.

    Raises:
        EngineError: what the precision needs is missing.
    """
    if precision == "int8":
        return _int8(model, calibration)
    folder = cache.export_folder(model, precision)

    def build(target: Path) -> None:
        from .inference.tracing import write

        write(model, target, progress=cache.notice)

    return folder, cache.ensure(folder, build, f"{model.network} for ONNX Runtime and OpenVINO")


def _int8(model: Model, calibration: Path | None) -> tuple[Path, Metadata]:
    found = find_ranges(model) if calibration is None else None
    measured = found is None
    if found is None:
        found = _measured(model, calibration)
    # Other ranges are other graphs.
    folder = cache.export_folder(model, f"int8-{found.digest[:8]}")

    def build(target: Path) -> None:
        from .int8.quantise import write_int8

        source, _ = cached_graphs(model, "f32")
        write_int8(source, target, found, cache.notice)

    metadata = cache.ensure(folder, build, f"{model.network} (int8) for ONNX Runtime and OpenVINO")
    if measured:
        # Not before graphs made with them have passed their check.
        cache.notice(f"int8 ranges kept in {keep_ranges(found, model)}")
    return folder, metadata


def _measured(model: Model, calibration: Path | None) -> Ranges:
    if calibration is None:
        raise EngineError(
            f"precision 'int8' needs ranges measured with {model.path.name} on your frames first: "
            "ettrack export --precision int8 --calibration FOLDER --output FOLDER"
        )
    from .int8.quantise import measure

    source, _ = cached_graphs(model, "f32")
    cache.notice(f"measuring int8 ranges on {calibration}")
    return measure(source, calibration)


def export(
    form: str,
    output: Path,
    network: str = "et_tracker",
    checkpoint: str | Path | None = None,
    precision: str = "f32",
    calibration: Path | None = None,
) -> tuple[Metadata, dict[str, float]]:
    """Write template and search graphs, reference and metadata; run them and compare.

    Args:
        form: "onnx" or "openvino".
        output: folder, made where absent; files of an earlier export are replaced.
        network: as for `engines.create`.
        checkpoint: as for `engines.create`.
        precision: of the graphs.
        calibration: folder of annotated tracks (see `engines.int8`) to measure int8 ranges
            on; where None, those beside the weight file are used.

    Returns:
        The metadata written, and the largest differences to the plain network (score in 0..1,
        distances in pixels of the crop).

    Raises:
        EngineError: something to write or to check with is missing, parity fails (`output` is
            then left as it was), or `output` cannot be written.
    """
    if form not in READERS:
        raise EngineError(f"unknown format {form!r}; one of: {', '.join(READERS)}")
    if precision not in PRECISIONS:
        raise EngineError(
            f"there are no graphs of precision {precision!r}; one of: {', '.join(PRECISIONS)} "
            "(bf16 is a way to run those of f32)"
        )
    if calibration is not None and precision != "int8":
        raise EngineError(f"calibration frames are for precision 'int8', not {precision!r}")
    if form == "openvino" and not installed("openvino"):
        raise EngineError(f"--format openvino needs openvino; {pip_line('openvino')}")
    model = Model.find(network, checkpoint)
    try:
        # Now, not after the minutes that the graphs may take.
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.is_file():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        temporary = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    except OSError as error:
        raise _unwritable(output, error) from error
    try:
        source, metadata = cached_graphs(model, precision, calibration)
        with c_numbers():
            names = _copy(source, metadata, temporary, form)
        files = {name: sha256(temporary / name) for name in names}
        # Constants that lie beside the weights may have come after the graphs were cached.
        loop = dataclasses.asdict(Parameters.from_fields(weights.tuned_parameters(model.path)))
        metadata = dataclasses.replace(metadata, format=form, files=files, loop=loop)
        found = _differences(temporary, metadata)
        difference = {
            key: max(one[key] for one in found.values()) for key in ("score", "distances")
        }
        if not all(agrees(one, metadata.precision, name) for name, one in found.items()):
            raise EngineError(f"the {form} graphs differ from the network: {difference}")
        metadata = dataclasses.replace(metadata, parity=difference)
        metadata.write(temporary)
        output.mkdir(exist_ok=True)
        # Metadata last: a folder without it is recognised as incomplete.
        for name in (*names, METADATA):
            move(temporary / name, output / name)
    except OSError as error:
        raise _unwritable(output, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return metadata, difference


def _unwritable(output: Path, error: OSError) -> EngineError:
    return EngineError(
        f"{output} cannot be written ({error.strerror or error}); make room, or name another "
        "folder with --output"
    )


def _copy(source: Path, metadata: Metadata, target: Path, form: str) -> list[str]:
    names = []
    for name in metadata.files:
        if form == "onnx" or name.endswith(".npz"):
            shutil.copyfile(source / name, target / name)
            names.append(name)
            continue
        openvino, stem = module("openvino").openvino, Path(name).stem
        model = openvino.Core().read_model(str(source / name))
        try:
            openvino.save_model(model, str(target / f"{stem}.xml"), compress_to_fp16=False)
        except RuntimeError as error:  # what it makes of a full disk
            raise OSError(f"openvino: {error}") from error
        names += [f"{stem}.xml", f"{stem}.bin"]
    return names


def _differences(folder: Path, metadata: Metadata) -> dict[str, dict[str, float]]:
    """What the graphs answer against each reference.

    The runtime is gone afterwards: OpenVINO maps its files, which Windows would not move then.
    """
    reader = _reader(folder, metadata)
    names = reference_names(metadata)
    return {name: Reference.read(folder / name).difference(reader) for name in names}


def _reader(folder: Path, metadata: Metadata) -> GraphRuntime:
    """The graphs in their format's own runtime, if it is installed."""
    for engine in reversed(READERS[metadata.format]):
        if installed(engine):
            return module(engine).open_folder(folder, metadata)
    raise EngineError(
        "the graphs cannot be checked: neither onnxruntime nor openvino is installed; "
        f"{pip_line('onnx')}"
    )
