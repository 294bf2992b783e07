import pickle
import shutil

import numpy as np
import pytest

from ltr_et.data.crops import (
    TEMPLATE,
    CropStore,
    CropWriter,
    context_size,
    crop_geometry,
    cut,
    indexes,
    map_boxes,
)
from pytracking_et.errors import DatasetError
from pytracking_et.files import atomic_path

from ..tiny import scene


@pytest.mark.parametrize("box", [(40, 30, 24, 36), (5, 60, 80, 10), (100, 80, 60, 40)])
def test_the_context_square_covers_the_template(box):
    box = np.array(box, float)
    scale, origin = crop_geometry(box, width=320)
    assert context_size(box) * scale == pytest.approx(TEMPLATE)
    moved = map_boxes(box, scale, origin)
    assert moved[:2] + moved[2:] / 2 == pytest.approx([160, 160], abs=1e-3)


@pytest.mark.parametrize("box", [(40, 30, 24, 36), (10, 60, 60, 12)])
def test_the_mapped_box_frames_the_object(box):
    scale, origin = crop_geometry(np.array(box, float), width=320)
    crop = cut(scene([box]), scale, origin, 320, (0, 0, 0))
    red = (crop[..., 0] > 170) & (crop[..., 1] < 80)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    found = [columns[0], rows[0], len(columns), len(rows)]
    assert found == pytest.approx(map_boxes(np.array(box), scale, origin), abs=1.5)


def test_outside_lies_the_mean(store):
    first = int(np.flatnonzero(store.source == store.sources.index("tiny-imagenet"))[0])
    image = store.image(first)
    assert store.field["extent"][first, 2] < 150
    assert np.ptp(image[:20].reshape(-1, 3), axis=0).max() < 12
    assert image[160, 160].tolist() == pytest.approx([220, 40, 40], abs=30)


def test_fields(store):
    assert store.sources == ["coco", "davis2016", "mot_dense", "tiny-imagenet"]
    assert len(store) == 12 + 8 + 12 + 3
    sources = np.array(store.sources)[store.source]
    masked = [store.mask(index) is not None for index in range(len(store))]
    assert np.array_equal(masked, sources == "davis2016")
    crowd = np.flatnonzero(sources == "mot_dense").tolist()
    assert {len(store.others(index)) for index in crowd} == {1}
    assert set(store.field["category"][crowd]) == {"person"}
    assert sorted(store.field["frame"][store.field["track"] == "dog"]) == [0, 2, 4, 6]
    assert {store.image(index).shape for index in range(len(store))} == {(320, 320, 3)}
    centres = store.field["box"][:, :2] + store.field["box"][:, 2:] / 2
    assert centres == pytest.approx(160, abs=1e-3)


def test_masks_fill_their_boxes(store):
    index = next(i for i in range(len(store)) if store.mask(i) is not None)
    mask, box = store.mask(index), store.field["box"][index]
    assert (mask > 127).sum() == pytest.approx(box[2] * box[3], rel=0.05)
    assert store.mask(0) is None


def test_others_are_where_the_other_colour_is(store):
    for index in np.flatnonzero(store.source == store.sources.index("mot_dense")):
        (other,) = store.others(index)
        x, y = (other[:2] + other[2:] / 2).astype(int)
        colour = store.image(index)[y, x]
        assert max(colour) - min(colour) > 100


def test_a_pickled_store_reads_the_same(store):
    first = store.image(3)
    copy = pickle.loads(pickle.dumps(store))
    assert np.array_equal(copy.image(3), first)


@pytest.mark.parametrize("kept", [0.5, None])
def test_a_store_that_was_copied_by_half_is_told_at_once(tmp_path, store_folder, kept):
    folder = shutil.copytree(store_folder, tmp_path / "crops")
    packed = folder / "davis2016.bin"
    content = packed.read_bytes()
    packed.unlink() if kept is None else packed.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DatasetError, match=f"bytes, its index tells of {len(content)}; copy it"):
        CropStore(folder)


def test_an_unfinished_source_is_not_there(tmp_path):
    writer = CropWriter(tmp_path, "half", width=64)
    box = np.array([10, 10, 20, 20])
    names = {"track": "a", "clip": "a", "category": "", "frame": 0}
    flags = {"video": True, "pseudo": False, "held_out": False}
    writer.add(scene([box]), (0, 0, 0), box, np.zeros((0, 4)), None, **flags, **names)
    with pytest.raises(DatasetError, match="build_crops"):
        CropStore(tmp_path)
    assert writer.finish() == 1
    assert len(CropStore(tmp_path)) == 1


def test_what_a_killed_build_left_is_no_source(tmp_path, store_folder):
    folder = shutil.copytree(store_folder, tmp_path / "crops")
    names = [path.name for path in indexes(folder)]
    with pytest.raises(KeyboardInterrupt), atomic_path(folder / "late.npz") as partial:
        partial.write_bytes(b"half an index")
        assert [path.name for path in indexes(folder)] == names
        assert len(CropStore(folder)) == len(CropStore(store_folder))
        raise KeyboardInterrupt
