"""Milliseconds of core time to make training data: views, pairs, batches, augmentation.

    python benchmarks/training_data.py --crops STORE [--features CACHE]

Core time (of one thread), so other work on the machine disturbs it little. Where albumentations is
installed its colour and blur are measured in the same run, as a ratio to ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ltr_et.data.crops import CropStore
from ltr_et.data.features import FeatureCache
from ltr_et.data.pairs import CropPairs, FeaturePairs
from ltr_et.data.paste import Donors
from ltr_et.data.views import (
    SEARCH_VIEW,
    TEMPLATE_VIEW,
    Appearance,
    change,
    crop_picture,
    draw_flavour,
    make_view,
)
from ltr_et.settings import Settings, Stage
from ltr_et.training.data import PairData
from ltr_et.training.distributed import Group


def core_ms(work: Callable[[], Any], repeats: int) -> float:
    """Core time of one call in milliseconds, after one that is not counted."""
    work()
    began = time.process_time()
    for _ in range(repeats):
        work()
    return 1000 * (time.process_time() - began) / repeats


def views(store: CropStore, repeats: int) -> None:
    """Stored crop -> view, all augmentation on."""
    donors, rng = Donors(store), np.random.default_rng(0)

    def make(settings: Any) -> Any:
        picture = crop_picture(store, int(rng.integers(len(store))))
        return make_view(rng, picture, settings, draw_flavour(rng), donors)

    for name, settings in (("search", SEARCH_VIEW), ("template", TEMPLATE_VIEW)):
        print(f"{name} view: {core_ms(lambda s=settings: make(s), repeats):.2f} ms")


def batches(name: str, pairs: Any, repeats: int) -> None:
    """Batches of 32 without workers."""
    source = PairData(pairs, Stage("benchmark", 4096, batch=32), Settings(), Group()).batches(0)
    cost = core_ms(lambda: next(source), repeats)
    print(f"{name}: {cost / 32:.2f} ms a pair, {32000 / cost:.0f} pairs a core second")


def libraries(repeats: int) -> None:
    """Our colour and blur beside albumentations' on one 256 x 256 view."""
    try:
        import albumentations
    except ImportError:
        print("albumentations is not installed: no comparison")
        return
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8), (0, 0), 3)
    blurs = [
        albumentations.GaussianBlur(blur_limit=0, sigma_limit=(0.5, 2.5)),
        albumentations.MotionBlur(blur_limit=(5, 17)),
    ]
    theirs = albumentations.Compose(
        [
            albumentations.ColorJitter(0.25, 0.25, 0.25, 0.08, p=1),
            albumentations.OneOf(blurs, p=0.25),
        ]
    )
    ours = Appearance(occlusion=0, low_light=0, jpeg=0)
    cost = [
        core_ms(lambda: theirs(image=image), repeats),
        core_ms(lambda: change(rng, image, None, ours), repeats),
    ]
    print(f"colour and blur: {cost[1]:.2f} ms, albumentations {cost[0] / cost[1]:.1f} x that")


def main() -> None:
    """Print one line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crops", type=Path, required=True)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--repeats", type=int, default=300)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    store = CropStore(options.crops)
    views(store, options.repeats)
    batches("pairs from crops", CropPairs(store), max(2, options.repeats // 32))
    if options.features is not None:
        batches(
            "pairs from features", FeaturePairs(FeatureCache(options.features)), options.repeats
        )
    libraries(options.repeats)


if __name__ == "__main__":
    main()
