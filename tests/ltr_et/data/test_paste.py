import shutil
from dataclasses import replace

import numpy as np
import pytest

from ltr_et.data.crops import CropStore
from ltr_et.data.paste import Donors, PasteSettings, Scene, enrich
from ltr_et.data.views import SEARCH_VIEW, Flavour, crop_picture, make_view

OFF = PasteSettings(distractor=0, occluder=0, background=0, border=0)
BOX = np.array([100.0, 100.0, 50.0, 60.0], np.float32)


def plain(mask=None, extent=(0, 0, 256, 256)):
    image = np.full((256, 256, 3), 10, np.uint8)
    return Scene(image, BOX, np.zeros((0, 4), np.float32), np.array(extent, np.float32), mask)


def coloured(image):
    return np.ptp(image.astype(int), axis=2) > 100


@pytest.fixture
def donors(store):
    return Donors(store)


def test_a_distractor_stands_beside_the_target(donors):
    settings = replace(OFF, distractor=1.0)
    placed = 0
    for seed in range(10):
        scene = enrich(np.random.default_rng(seed), plain(), donors, "", settings)
        assert not coloured(scene.image[110:150, 110:140]).any()
        for box in scene.others:
            placed += 1
            low = np.clip(box[:2], 0, 256).astype(int)
            high = np.clip(box[:2] + box[2:], 0, 256).astype(int)
            assert coloured(scene.image[low[1] : high[1], low[0] : high[0]]).mean() > 0.8
            assert coloured(scene.image).sum() <= 1.3 * box[2:].prod()
    assert placed >= 8


def test_an_occluder_covers_a_part(donors):
    settings = replace(OFF, occluder=1.0)
    shares = []
    for seed in range(10):
        scene = enrich(np.random.default_rng(seed), plain(), donors, "", settings)
        if len(scene.others):
            shares.append(coloured(scene.image[100:160, 100:150]).mean())
    assert len(shares) >= 8
    assert min(shares) > 0.05 and max(shares) < 0.5


def test_a_new_background_keeps_the_target_alone(donors):
    mask = np.zeros((256, 256), np.uint8)
    mask[100:160, 100:150] = 255
    settings = replace(OFF, background=1.0)
    others = np.array([[10, 10, 20, 20]], np.float32)
    scene = enrich(
        np.random.default_rng(0), plain(mask)._replace(others=others), donors, "", settings
    )
    assert (scene.image[105:155, 105:145] == 10).all()
    assert (scene.image[:90] != 10).mean() > 0.9
    assert len(scene.others) == 0
    assert np.array_equal(scene.box, BOX)


@pytest.mark.parametrize(
    ("extent", "filled"), [((80, 80, 90, 90), True), ((0, 0, 256, 256), False)]
)
def test_the_border_is_filled_where_the_image_is_small(donors, extent, filled):
    settings = replace(OFF, border=1.0)
    scene = enrich(np.random.default_rng(0), plain(extent=extent), donors, "", settings)
    assert (scene.image[80:170, 80:170] == 10).all()
    assert ((scene.image[:80] != 10).mean() > 0.9) == filled


def test_nothing_is_pasted_from_the_clip_itself(store, donors):
    for index in donors.masked.tolist():
        avoid = store.clip_key(index)
        drawn = [
            donors.draw(np.random.default_rng(seed), donors.masked, avoid) for seed in range(20)
        ]
        clips = {store.clip_key(other) for other in drawn if other is not None}
        assert clips and avoid not in clips


def test_views_without_masks_anywhere_still_work(store_folder, tmp_path):
    for path in store_folder.glob("coco.*"):
        shutil.copy(path, tmp_path)
    store = CropStore(tmp_path)
    donors = Donors(store)
    for seed in range(20):
        picture = crop_picture(store, seed % len(store))
        view = make_view(
            np.random.default_rng(seed), picture, SEARCH_VIEW, Flavour(False, False), donors
        )
        assert view.image.shape == (256, 256, 3)
