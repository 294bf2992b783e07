"""`ettrack export`: graphs in a folder of the user's, checked before it says done."""

from __future__ import annotations

import dataclasses
import importlib
import shutil
import tempfile
from pathlib import Path

from ..errors import EngineError
from ..files import sha256
from ..network import weights
from .exported import METADATA, REFERENCE, Metadata, Reference, agrees
from .files_runtime import GraphRuntime
from .prepare import exported
from .select import ENGINES, installed

FORMATS = ("onnx", "openvino")
PRECISIONS = ("f32", "int8")


def deliver(
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
        calibration: folder of annotated tracks (see `calibration.py`) to measure int8 ranges on;
            where None, those beside the weight file are used.

    Returns:
        The metadata written, and the largest differences to the plain network (score in 0..1,
        distances in pixels of the crop).

    Raises:
        EngineError: something to write or to check with is missing, or parity fails; `output`
            is then left as it was.
    """
    if form not in FORMATS:
        raise EngineError(f"unknown format {form!r}; one of: {', '.join(FORMATS)}")
    if precision not in PRECISIONS:
        raise EngineError(
            f"there are no graphs of precision {precision!r}; one of: {', '.join(PRECISIONS)} "
            "(bf16 is a way to run those of f32)"
        )
    if calibration is not None and precision != "int8":
        raise EngineError(f"calibration frames are for precision 'int8', not {precision!r}")
    if form == "openvino" and not installed("openvino"):
        raise EngineError("--format openvino needs openvino; install 'pytracking-et[openvino]'")
    path = weights.find(network, checkpoint)
    digest = weights.fingerprint(path)
    source, metadata = exported(network, path, digest, precision, calibration)
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        names = _copy(source, metadata, temporary, form)
        files = {name: sha256(temporary / name) for name in names}
        metadata = dataclasses.replace(metadata, format=form, files=files)
        reference = Reference.read(temporary / REFERENCE)
        difference = reference.difference(_reader(temporary, metadata))
        if not agrees(difference, precision):
            raise EngineError(f"the {form} graphs differ from the network: {difference}")
        metadata = dataclasses.replace(metadata, parity=difference)
        metadata.write(temporary)
        output.mkdir(exist_ok=True)
        # Metadata last: a folder without it is recognised as incomplete.
        for name in (*names, METADATA):
            (temporary / name).replace(output / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return metadata, difference


def _copy(source: Path, metadata: Metadata, target: Path, form: str) -> list[str]:
    names = []
    for name in metadata.files:
        if form == "onnx" or name == REFERENCE:
            shutil.copyfile(source / name, target / name)
            names.append(name)
            continue
        import openvino

        stem = Path(name).stem
        model = openvino.Core().read_model(str(source / name))
        openvino.save_model(model, str(target / f"{stem}.xml"), compress_to_fp16=False)
        names += [f"{stem}.xml", f"{stem}.bin"]
    return names


def _reader(folder: Path, metadata: Metadata) -> GraphRuntime:
    """The graphs in their format's own runtime."""
    readers = ("openvino",) if metadata.format == "openvino" else ("onnx", "openvino")
    for engine in readers:
        if installed(engine):
            module = importlib.import_module(f"{__package__}.{ENGINES[engine][0]}")
            return module.open_folder(folder, metadata)
    raise EngineError(
        "the graphs cannot be checked: neither onnxruntime nor openvino is installed; "
        "install 'pytracking-et[onnx]'"
    )
