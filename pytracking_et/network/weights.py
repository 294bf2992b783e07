"""Read, find, fit and write network weights; never unpickles foreign code.

Formats: `.safetensors`, `.npz`, and PyTorch files (`.pth`, `.pt`, `.tar`) holding a bare state
dict or one under `state_dict`, `net` or `model`; `module.` and `_orig_mod.` before the names, which
DataParallel and `torch.compile` put there, are dropped.
torch is imported only by the functions that make tensors, so that finding and identifying a file
stays cheap for the engines that do without it.
"""

from __future__ import annotations

import json
import os
import pickle
import pickletools
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError
from ..files import atomic_path, cache_folder, read_json, reading, sha256
from ..settings import expanded

if TYPE_CHECKING:
    from torch import Tensor, nn

ENVIRONMENT = "PYTRACKING_ET_CHECKPOINT"
PACKAGE_WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
# Stands for a folder that `ettrack export` wrote: its graphs hold the weights.
EXPORT = "metadata.json"
SUFFIXES = (".safetensors", ".npz", ".pth", ".pt", ".tar")
# Where a state dict may lie inside a PyTorch checkpoint; "net" is pytracking's ltr.
_STATE_KEYS = ("state_dict", "net", "model")
_WRAPPERS = re.compile(r"^(module\.|_orig_mod\.)+")
# Files of PyTorch before 1.6: magic number, protocol, system, content, keys of the storages.
_PICKLES_BEFORE_1_6 = 5
_LONGEST_WORD = 10_000
# How many names an error lists before it counts the rest.
_LISTED = 8
_DAMAGED = (
    "these weights are truncated or not of the kind their name says: download or copy them again"
)


def cached_weights() -> Path:
    """Folder of downloaded and converted weights."""
    return cache_folder() / "weights"


def places(network: str, checkpoint: str | os.PathLike[str] | None = None) -> list[Path]:
    """Files that `find` would look at, in order; the first that exists wins.

    Search order: an explicit checkpoint, else the environment, else the package, else the cache.
    An explicit name without a folder (`official`) may also be a file in the cache.

    Raises:
        CheckpointError: a folder that may not be entered.
        ParameterError: `~user` of a user who has no home folder.
    """
    named = checkpoint or os.environ.get(ENVIRONMENT)
    if named:
        path = expanded(named)
        try:
            folder = path.is_dir()
        except OSError as error:
            raise _forbidden(path, error) from error
        if folder:
            return [path / EXPORT, *(path / f"{network}{suffix}" for suffix in SUFFIXES)]
        if path.suffix or path.name != str(named):
            return [path]
        return [path, *(cached_weights() / f"{path.name}{suffix}" for suffix in SUFFIXES)]
    cached = [cached_weights() / f"{network}{suffix}" for suffix in SUFFIXES]
    return [PACKAGE_WEIGHTS / f"{network}.safetensors", *cached]


def find(network: str, checkpoint: str | os.PathLike[str] | None = None) -> Path:
    """The weight file of a network, or `metadata.json` of a folder of exported graphs.

    Raises:
        CheckpointError: none exists or may be read; names every place tried and what to do.
    """
    tried = places(network, checkpoint)
    for path in tried:
        try:
            if path.is_file():
                return path
        except OSError as error:
            raise _forbidden(path, error) from error
    listing = "".join(f"\n  {path}" for path in tried)
    if checkpoint:
        source, advice = "", "check the path given with --checkpoint"
    elif os.environ.get(ENVIRONMENT):
        source, advice = f" ({ENVIRONMENT} is set)", f"correct or unset {ENVIRONMENT}"
    else:
        source = ""
        advice = f"give a file with --checkpoint (or {ENVIRONMENT}); "
        advice += {
            "et_tracker": "'ettrack weights download official' fetches the published ones",
            "lt_mobile": "LightTrack-Mobile's are not shipped, github.com/researchmm/LightTrack "
            "has them",
        }.get(network, "only those of 'et_tracker' are shipped")
    raise CheckpointError(
        f"no weights for network {network!r}{source}; tried:\n{listing}\n{advice}"
    )


@lru_cache(maxsize=64)
def _digest(path: str, size: int, modified: int) -> str:
    return sha256(path)


def fingerprint(path: str | os.PathLike[str]) -> str:
    """sha256 of a weight file; names engine caches and goes into run manifests.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        status = Path(path).stat()
        return _digest(str(path), status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise _forbidden(path, error) from error


def _forbidden(path: str | os.PathLike[str], error: OSError) -> CheckpointError:
    return CheckpointError(
        f"weights {os.fspath(path)} cannot be read: {error.strerror or error}; allow it, or give "
        "another file with --checkpoint"
    )


def metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Text stored beside the tensors of a `.safetensors` file; empty for other formats.

    Keys in use: `network` (configuration name), `parameters` (JSON of the loop's constants tuned
    with these weights), `recipe`, `samples`, `license`; exported graphs have the first two.

    Raises:
        CheckpointError: the file is damaged.
    """
    if Path(path).name == EXPORT:
        advice = "write the graphs again with 'ettrack export'"
        with reading(path, CheckpointError, advice):
            content = read_json(path, CheckpointError, advice)
            return {"network": str(content["network"]), "parameters": json.dumps(content["loop"])}
    if Path(path).suffix.lower() != ".safetensors":
        return {}
    from safetensors import safe_open

    with (
        reading(path, CheckpointError, _DAMAGED),
        safe_open(str(path), framework="numpy") as stream,
    ):
        return dict(stream.metadata() or {})


def tuned_parameters(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Loop constants stored with the weights; empty where there are none.

    What makes a score a probability was fitted to finished weights. It lies beside them
    (`NAME.score.json`, written by docs/make/reliability.py) and counts for the file that it names.

    Raises:
        CheckpointError: they are no JSON object.
    """
    found: dict[str, Any] = {}
    if text := metadata(path).get("parameters"):
        advice = "the tracking constants stored in these weights are damaged; download them again"
        with reading(path, CheckpointError, advice):
            found = dict(json.loads(text).items())
    beside = Path(path).with_suffix(".score.json")
    if beside.is_file():
        advice = "delete it: scores are then the network's own"
        fitted = read_json(beside, CheckpointError, advice)
        if fitted.get("weights_sha256") == fingerprint(path):
            found["presence"] = fitted.get("presence", [])
    return found


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a weight file: (name -> float32 or int64 tensor on the CPU, metadata).

    Raises:
        CheckpointError: missing, truncated, of an unknown kind, not plain tensors, or with values
            that are not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"weights {path} do not exist")
    readers = {".safetensors": _read_safetensors, ".npz": _read_npz}
    with reading(path, CheckpointError, _DAMAGED):
        content = readers.get(path.suffix.lower(), _read_torch)(path)
    state = _unwrapped(content, path)
    return {name: _checked(value, name, path) for name, value in state.items()}, metadata(path)


def _checked(value: Tensor, name: str, path: Path) -> Tensor:
    """As float32 or int64; a kind that no network here has, and NaN or infinity, are refused."""
    import torch

    whole = value.dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
    plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
    if not plain or not (whole or value.is_floating_point()):
        raise CheckpointError(
            f"weights {path} hold {name} as {value.dtype} ({value.layout}, on {value.device}); "
            "weights are plain floating-point tensors"
        )
    if whole:
        return value.long()
    full = value.float()
    bad = int((~torch.isfinite(full)).sum())
    if bad:
        raise CheckpointError(
            f"weights {path} are not finite: {bad} of {full.numel()} values of {name} are NaN or "
            "infinite; the training that made them diverged, or the file is damaged"
        )
    return full


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors.torch import load_file

    return load_file(path)


def _read_npz(path: Path) -> Mapping[str, Any]:
    import numpy as np
    import torch

    with np.load(path, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def load_tensors(path: Path) -> Any:
    """Content of a PyTorch file: tensors, numbers and text, on the CPU.

    Raises whatever zipfile, pickletools and torch do with a damaged file.
    """
    import torch

    # torch searches its own error text, which holds the names it refused, in time that grows with
    # their length squared: in a damaged file, where a name may run on for megabytes, hours.
    try:
        words = (word for operand in _texts(path) for word in operand.split())
        if any(len(word) > _LONGEST_WORD for word in words):
            raise pickle.UnpicklingError("not a PyTorch file")
    except ValueError as error:
        raise pickle.UnpicklingError("not a PyTorch file") from error
    return torch.load(path, map_location="cpu", weights_only=True)


def _texts(path: Path) -> Iterator[str]:
    """Names and texts in the instructions of a PyTorch file's pickles; nothing is executed."""
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"PK"
        stream.seek(0)
        pickles: Iterable[Any] = repeat(stream, _PICKLES_BEFORE_1_6)
        if zipped:
            archive = zipfile.ZipFile(stream)
            names = (name for name in archive.namelist() if name.endswith("data.pkl"))
            pickles = map(archive.read, names)
        for content in pickles:
            yield from (text for _, text, _ in pickletools.genops(content) if isinstance(text, str))


def _read_torch(path: Path) -> Mapping[str, Any]:
    try:
        return load_tensors(path)
    except pickle.UnpicklingError as error:
        # torch's own text advises weights_only=False, which would run whatever the file holds.
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
        if foreign is None:
            raise pickle.UnpicklingError("not a PyTorch file") from error
        raise CheckpointError(
            f"weights {path} hold more than tensors ({foreign[1]}), and loading that would run "
            "code from the file, which is never done. Where you trust it, save its state dict "
            "alone: torch.save(checkpoint['net'], 'clean.pth')"
        ) from error
    except RuntimeError as error:
        if "TorchScript" not in str(error):
            raise
        raise CheckpointError(
            f"weights {path} are a TorchScript program; save the state dict of the network that it "
            "was made from: torch.save(network.state_dict(), 'clean.pth')"
        ) from error


def _unwrapped(content: Any, path: Path) -> dict[str, Tensor]:
    import torch

    for key in _STATE_KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and torch.is_tensor(value) for name, value in content.items()
    ):
        raise CheckpointError(
            f"weights {path} hold no state dict (name -> tensor), neither bare nor under "
            f"{', '.join(_STATE_KEYS)}"
        )
    return {_WRAPPERS.sub("", name): value for name, value in content.items()}


def load(module: nn.Module, path: str | os.PathLike[str]) -> dict[str, str]:
    """Fit a weight file into a network, all of it or nothing; returns the file's metadata.

    BatchNorm's `num_batches_tracked` may be absent (converted files leave it out).

    Raises:
        CheckpointError: unreadable, not finite, or entries missing, extra, misshapen or of another
            kind; the error lists them.
    """
    state, texts = read(path)
    wanted = module.state_dict()
    both = [k for k in wanted if k in state]
    misfits = {
        "missing": [k for k in wanted if k not in state and not k.endswith("num_batches_tracked")],
        "extra": [k for k in state if k not in wanted],
        "misshapen": [
            f"{k} {tuple(state[k].shape)}, expected {tuple(wanted[k].shape)}"
            for k in both
            if state[k].shape != wanted[k].shape
        ],
        "of another kind": [
            f"{k} {state[k].dtype}, expected {wanted[k].dtype}"
            for k in both
            if state[k].is_floating_point() != wanted[k].is_floating_point()
        ],
    }
    if any(misfits.values()):
        listing = "".join(_listing(kind, names) for kind, names in misfits.items() if names)
        raise CheckpointError(
            f"weights {path} do not fit {type(module).__name__}:{listing}{_advice(state)}"
        )
    module.load_state_dict(state, strict=False)
    return texts


def _listing(kind: str, names: list[str]) -> str:
    more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"\n  {len(names)} {kind}: {', '.join(names[:_LISTED])}{more}"


def recognised(names: Mapping[str, Any] | list[str]) -> str | None:
    """Configuration that a state dict's names belong to, where they tell."""
    if any(name.startswith("head.cls_tower.") for name in names):
        return "lt_mobile"
    if any(name.startswith("cls_branch_") for name in names):
        return "et_tracker"
    return None


def _advice(state: Mapping[str, Any]) -> str:
    kind = recognised(state)
    if kind is None:
        return "\nThe file belongs to another network; choose one that was trained as this one."
    return (
        f"\nThe names are those of {kind!r} or a variant of it: use the parameter file (or the "
        "network) it was trained for."
    )


def save(
    path: str | os.PathLike[str],
    state: Mapping[str, Tensor],
    texts: Mapping[str, str] | None = None,
    half: bool = True,
) -> None:
    """Write a `.safetensors` file, whole or not at all; floats as float16 unless `half` is off.

    Raises:
        CheckpointError: another suffix, a value that does not fit into float16, or a file that
            cannot be written.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    if Path(path).suffix != ".safetensors":
        raise CheckpointError(f"{path}: weights are written as .safetensors; name the file so")

    tensors: dict[str, Tensor] = {}
    for name, value in state.items():
        kept = value.detach().cpu().contiguous()
        if half and kept.is_floating_point():
            kept = kept.to(torch.float16)
            if not torch.isfinite(kept).all():
                raise CheckpointError(f"{name} does not fit into float16; save with half=False")
        tensors[name] = kept.clone()
    try:
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata=dict(texts or {}))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"weights {path} cannot be written ({error}); make room, or name another folder"
        ) from error
