"""Where a settings script finds its data and teacher, and how it makes what is missing.

Where there is no data at all, clips are rendered in the training pack's layout.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import pandas as pd
import torch

from pytracking_et import network
from pytracking_et.errors import CheckpointError, DatasetError, ResultsError
from pytracking_et.files import atomic_open
from pytracking_et.live.clip import render

from ..data import build_crops, build_features
from ..data.crops import indexes
from ..dataset.pack import open_pack
from ..settings import Settings, apply_overrides

log = logging.getLogger(__name__)


def shared_folder() -> Path | None:
    """Folder of data and weights beside the repository (PYTRACKING_ET_SHARED or ../shared)."""
    named = os.environ.get("PYTRACKING_ET_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared"
    return folder if folder.is_dir() else None


def find_teacher(settings: Settings) -> Path | None:
    """LT-Mobile's weights: as set, beside the repository, or where `network.weights.find` looks.

    Raises:
        CheckpointError: those that are set do not exist.
    """
    if settings.teacher is not None:
        if not settings.teacher.is_file():
            raise CheckpointError(
                f"no LT-Mobile weights at {settings.teacher}; give them with --teacher FILE"
            )
        return settings.teacher
    shared = shared_folder()
    beside = shared / "weights" / "lighttrack_mobile.npz" if shared else None
    if beside is not None and beside.is_file():
        return beside
    try:
        return network.weights.find("lt_mobile")
    except CheckpointError:
        return None


def prepare(
    settings: Settings,
    views: int = 60_000,
    sources: Sequence[str] | None = None,
    teacher: bool = True,
    folder: Path | None = None,
) -> None:
    """Fill in data, crops, features and teacher; finish the crop store and the feature cache.

    The overrides are applied first. What is there of crops and features is kept. A store or cache
    that the user names is taken as it is, unless a training began to build it and did not finish.

    Args:
        views: search views of the feature cache.
        sources: names of the sources that the crop store is cut from; None: all.
        teacher: whether LT-Mobile's weights are needed.
        folder: where crops and features go unless they are set; None: the workspace.

    Raises:
        DatasetError: no data, data that do not belong together, or several processes and
            something still to build.
        CheckpointError: no teacher, or weights to start from that do not exist.
    """
    # Data, folders and threads may be among them; `train` applies what a script sets after this.
    apply_overrides(settings)
    _check_start(settings)
    settings.teacher = find_teacher(settings) if teacher else None
    if teacher and settings.teacher is None:
        raise CheckpointError(
            "no LT-Mobile weights to learn from; give them with --teacher FILE "
            "(LightTrack's 'lighttrack_mobile.npz' or its published .pth)"
        )
    shared = shared_folder()
    if settings.data is None and shared is not None and (shared / "train").is_dir():
        settings.data = shared / "train"
    read = {stage.source for stage in settings.stages}
    folder = folder or settings.workspace
    if read & {"crops", "features"}:
        _prepare_crops(settings, sources, folder)
    if "features" in read:
        _prepare_features(settings, views, folder)


def _check_start(settings: Settings) -> None:
    """Before minutes of building; a run that goes on does not need these files any more."""
    if (settings.folder / "latest.pth").is_file() and not settings.fresh:
        return
    for name in ("initial", "backbone"):
        path = getattr(settings, name)
        if path is not None and not path.is_file():
            raise CheckpointError(f"no weights at {path}; correct --{name}")


def _alone(what: str) -> None:
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise DatasetError(
            f"{what} is not complete yet; run this once in one process, without torchrun"
        )


# Lies in a folder that a training builds, until that is complete.
_UNFINISHED = "unfinished"


def _to_complete(folder: Path | None) -> bool:
    """Whether a store or cache is one of ours: not named by the user, or begun here and stopped."""
    return folder is None or (folder / _UNFINISHED).is_file()


@contextmanager
def _building(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / _UNFINISHED
    mark.touch()
    yield
    mark.unlink(missing_ok=True)


def _prepare_crops(settings: Settings, sources: Sequence[str] | None, folder: Path) -> None:
    ours = _to_complete(settings.crops)
    settings.crops = settings.crops or folder / "crops"
    there = [path.stem for path in indexes(settings.crops)]
    if there and not ours:
        log.info("crop store %s as it is: %d sources", settings.crops, len(there))
        return
    if settings.data is None or not settings.data.is_dir():
        if there:
            log.warning(
                "no data at %s to compare the crop store %s with; it is taken as it is: %d sources",
                settings.data, settings.crops, len(there),
            )  # fmt: skip
            return
        raise DatasetError(
            f"no crop store at {settings.crops} and no data at {settings.data}; give the folder "
            "that holds video/ and still/ with --data"
        )
    pack = open_pack(settings.data)
    wanted = [dataset for dataset in pack if not sources or dataset.name in sources] or pack
    names = [dataset.name for dataset in wanted]
    strange = [name for name in there if name not in names]
    if strange:
        # Left by another --data, or by an earlier version's `smoke`: it would be trained on.
        raise DatasetError(
            f"the crop store {settings.crops} holds {strange[0]!r}, which is no source of "
            f"{settings.data}; delete {strange[0]}.npz and .bin there, or name the store with "
            "--crops to train on all of it"
        )
    if len(there) < len(names):
        _alone(f"the crop store {settings.crops}")
        log.info("building the crop store %s from %s", settings.crops, settings.data)
        with _building(settings.crops):
            build_crops.build(wanted, settings.crops)


def _prepare_features(settings: Settings, views: int, folder: Path) -> None:
    ours = _to_complete(settings.features)
    settings.features = settings.features or folder / "features"
    there = sum(1 for _ in settings.features.glob("chunk-*"))
    if there and not ours:
        if settings.teacher is not None:
            check_features(settings.features, settings.teacher)
        log.info("feature cache %s as it is: %d chunks", settings.features, there)
        return
    assert settings.crops is not None
    before = torch.get_num_threads()
    build = partial(
        build_features.build, settings.crops, settings.features, views, settings.teacher,
        threads=settings.threads or before,
    )  # fmt: skip
    if there >= build_features.chunks_of(views):
        build()  # of a complete cache this compares the settings and no more
        return
    _alone(f"the feature cache {settings.features}")
    log.info("building the feature cache %s (%d search views)", settings.features, views)
    try:
        with _building(settings.features):
            build()
    finally:
        # PyTorch, where it extracts them, sets them for the whole process.
        torch.set_num_threads(before)


def check_features(features: Path, teacher: Path) -> None:
    """Whether a given cache was made for training, with LT-Mobile's backbone as in `teacher`.

    Raises:
        DatasetError: it was not, or does not tell.
    """
    digest = network.weights.fingerprint(teacher)
    build_features.compare_meta(
        features,
        {"network": "lt_mobile", "weights": digest, "part": "train"},
        "give the --teacher it was made with, or another --features folder (one that is missing "
        "is built)",
    )


SOURCE = "rendered"
# The demo shows seed 0; training on it would make the demo prove nothing.
FIRST_SEED = 1000
# So many that some of their names are drawn for validation (`build_crops.is_held_out`).
CLIPS = 40


def write_clips(root: Path, clips: int = CLIPS, frames: int = 15, every: int = 2) -> Path:
    """Render clips into `root/video/rendered` unless they are there; returns `root`.

    Args:
        clips: number of clips, one target each.
        frames: frames kept of each clip, every `every`-th one.

    Raises:
        ResultsError: an image cannot be written.
    """
    folder = Path(root) / "video" / SOURCE
    table = folder / "annotations.csv"
    if table.is_file():
        return Path(root)
    rows = []
    for clip in range(clips):
        track = f"clip{clip:03d}"
        (folder / track).mkdir(parents=True, exist_ok=True)
        for number, frame in enumerate(render(frames * every, FIRST_SEED + clip)):
            if number % every:
                continue
            path = folder / track / f"{number:05d}.jpg"
            done, data = cv2.imencode(".jpg", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
            if not done:
                raise ResultsError(f"OpenCV cannot encode {path} as JPEG")
            data.tofile(path)
            rows.append([track, f"{number:05d}", *(round(float(v), 2) for v in frame.box)])
    columns = ["track", "frame", "x", "y", "w", "h"]
    # Last of all: the table's presence says that the clips are complete.
    with atomic_open(table) as stream:
        pd.DataFrame(rows, columns=columns).to_csv(stream, index=False)
    return Path(root)
