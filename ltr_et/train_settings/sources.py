"""Where a settings script finds its data and teacher, and how it makes what is missing."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from pytracking_et import network
from pytracking_et.errors import CheckpointError, DatasetError

from ..settings import Settings

log = logging.getLogger(__name__)


def shared_folder() -> Path | None:
    """Folder of data and weights beside the repository (PYTRACKING_ET_SHARED or ../shared)."""
    named = os.environ.get("PYTRACKING_ET_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared"
    return folder if folder.is_dir() else None


def find_teacher(settings: Settings) -> Path | None:
    """LT-Mobile's weights: as set, beside the repository, or where `network.weights.find` looks."""
    if settings.teacher is not None:
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
) -> None:
    """Fill in data, crops, features and teacher; build crop store and feature cache if missing.

    Args:
        views: search views of a new feature cache.
        sources: names of the sources that a new crop store is cut from; None: all.
        teacher: whether LT-Mobile's weights are needed.

    Raises:
        DatasetError: no data, or several processes and something still to build.
        CheckpointError: no teacher.
    """
    settings.teacher = find_teacher(settings) if teacher else None
    if teacher and settings.teacher is None:
        raise CheckpointError(
            "no LT-Mobile weights to learn from; give them with --teacher FILE "
            "(LightTrack's 'lighttrack_mobile.npz' or its published .pth)"
        )
    shared = shared_folder()
    if settings.data is None and shared is not None and (shared / "train").is_dir():
        settings.data = shared / "train"
    _prepare_crops(settings, sources)
    if any(stage.source == "features" for stage in settings.stages):
        _prepare_features(settings, views)


def _alone(what: str) -> None:
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise DatasetError(
            f"{what} is not built yet; run this once in one process, without torchrun"
        )


def _prepare_crops(settings: Settings, sources: Sequence[str] | None) -> None:
    settings.crops = settings.crops or settings.workspace / "crops"
    if any(settings.crops.glob("*.npz")):
        return
    if settings.data is None or not settings.data.is_dir():
        raise DatasetError(
            f"no crop store at {settings.crops} and no data at {settings.data}; give the folder "
            "that holds video/ and still/ with --data"
        )
    _alone(f"the crop store {settings.crops}")
    from ..data.build_crops import build
    from ..dataset.pack import open_pack

    log.info("building the crop store %s from %s", settings.crops, settings.data)
    found = [data for data in open_pack(settings.data) if not sources or data.name in sources]
    build(found or open_pack(settings.data), settings.crops)


def _prepare_features(settings: Settings, views: int) -> None:
    settings.features = settings.features or settings.workspace / "features"
    if any(settings.features.glob("chunk-*")):
        return
    _alone(f"the feature cache {settings.features}")
    from ..data.build_features import main as build_features

    log.info("building the feature cache %s (%d search views)", settings.features, views)
    arguments = ["--crops", settings.crops, "--output", settings.features, "--views", views]
    arguments += ["--weights", settings.teacher, "--threads", max(1, settings.threads)]
    build_features([str(argument) for argument in arguments])
