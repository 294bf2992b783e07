import numpy as np
import pytest

from ltr_et.data.crops import CropStore
from ltr_et.data.pairs import (
    CropPairs,
    TrackTable,
    generator,
    partner,
    source_weights,
    target_boxes,
)
from pytracking_et.errors import DatasetError, ParameterError


def test_generators_depend_on_the_whole_key():
    draws = [generator(*key).random() for key in ((0, 1, 2), (0, 2, 1), (1, 1, 2), (1, 2, 0))]
    assert len(set(draws)) == 4
    assert generator(0, 1, 2).random() == draws[0]
    with pytest.raises(ParameterError, match="seed -1"):
        generator(-1, 3)


def test_weights_come_from_the_pack():
    coco, crowd, new = source_weights(["coco", "mot_dense", "new"])
    assert coco == pytest.approx(2 * crowd)
    assert 0 < new < crowd
    assert coco + crowd + new == pytest.approx(1)


def test_sources_by_weight_and_tracks_by_the_root_of_their_length():
    source = np.array([0] * 10 + [1] * 4)
    track = np.array(["a"] * 9 + ["b"] + ["a"] * 2 + ["c"] * 2)
    table = TrackTable(source, track, ["coco", "mot_dense"])
    assert table.names.tolist() == ["coco/a", "coco/b", "mot_dense/a", "mot_dense/c"]
    assert [len(rows) for rows in table.rows] == [9, 1, 2, 2]
    assert table.rows[2].tolist() == [10, 11]
    rng = np.random.default_rng(0)
    shares = np.bincount([table.draw(rng) for _ in range(8000)], minlength=4) / 8000
    assert shares == pytest.approx([2 / 3 * 3 / 4, 2 / 3 / 4, 1 / 6, 1 / 6], abs=0.02)


def test_a_source_without_rows_is_never_drawn():
    table = TrackTable(np.array([1, 1]), np.array(["a", "b"]), ["empty", "full"])
    rng = np.random.default_rng(0)
    assert {table.draw(rng) for _ in range(50)} == {0, 1}


def same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert np.array_equal(value, second[name]), name


def test_a_sample(store):
    sample = CropPairs(store)[0, 7]
    assert sample["template"].shape == (128, 128, 3)
    assert sample["search"].shape == (256, 256, 3)
    assert sample["box"].shape == (4,) and sample["box"].dtype == np.float32
    assert sample["distractors"].shape == (8, 4)
    assert (sample["index"], sample["broken"]) == (7, [])


def test_pairs_depend_on_seed_epoch_and_item_alone(store):
    pairs = CropPairs(store)
    first = pairs[2, 5]
    pairs[0, 1]
    same(first, CropPairs(store)[2, 5])
    assert not np.array_equal(first["search"], pairs[3, 5]["search"])
    other = CropPairs(store, seed=1)[2, 5]
    assert not np.array_equal(first["search"], other["search"])


def test_the_share_of_negatives(store):
    for share in (0.0, 0.5, 1.0):
        pairs = CropPairs(store, negative=share)
        samples = [pairs[0, item] for item in range(60)]
        absent = [sample for sample in samples if not sample["positive"]]
        assert len(absent) / 60 == pytest.approx(share, abs=0.2)
        for sample in absent:
            assert not sample["box"].any()
            assert (sample["distractors"][0, 2:] > 0).all()


def test_negatives_come_from_another_clip(store):
    pairs = CropPairs(store, negative=1.0)
    tracks = pairs.tracks
    rng = np.random.default_rng(0)
    for track in range(len(tracks.clip)):
        others = [tracks.stranger(rng, track) for _ in range(30)]
        assert all(tracks.clip[other] != tracks.clip[track] for other in others)
        alike = np.mean([tracks.category[other] == tracks.category[track] for other in others])
        if tracks.category[track] == "person":
            assert alike > 0.3


def test_another_frame_where_there_is_one():
    rng = np.random.default_rng(0)
    assert {partner(rng, 2, np.array([0, 2, 4, 2])) for _ in range(20)} == {0, 2}
    assert partner(rng, 0, np.array([0])) == 0


def test_target_boxes():
    box = np.array([10, 10, 20, 20], np.float32)
    others = np.array([[200, 10, 20, 20], [40, 10, 20, 20]], np.float32)
    target, distractors = target_boxes(box, others, positive=True)
    assert target.tolist() == box.tolist()
    assert distractors[:2, 0].tolist() == [40, 200]
    target, distractors = target_boxes(box, others, positive=False)
    assert not target.any()
    assert distractors[:3, 0].tolist() == [10, 40, 200]
    assert not distractors[3:].any()


def test_a_broken_crop_is_skipped_and_told(tmp_path, store_folder):
    for path in store_folder.iterdir():
        if path.name.startswith("coco"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    store = CropStore(tmp_path)
    data = bytearray((tmp_path / "coco.bin").read_bytes())
    offset, size = store.field["offset"], store.field["size"]
    for crop in range(0, len(store), 2):
        data[offset[crop] : offset[crop] + size[crop]] = bytes(size[crop])
    (tmp_path / "coco.bin").write_bytes(data)
    pairs = CropPairs(store)
    samples = [pairs[0, item] for item in range(20)]
    told = [message for sample in samples for message in sample["broken"]]
    assert told and all("coco.bin, crop" in message for message in told)
    data[:] = bytes(len(data))
    (tmp_path / "coco.bin").write_bytes(data)
    with pytest.raises(DatasetError, match="no readable pair in 20 attempts"):
        CropPairs(CropStore(tmp_path))[0, 0]
