import logging

import numpy as np
import pytest

from ltr_et.data import build_crops
from ltr_et.data.build_crops import build, held_out_clips, is_held_out, main
from ltr_et.data.crops import CropStore
from ltr_et.dataset.pack import PackStill, PackVideo, open_pack

from ..tiny import write_crowd, write_masked_video, write_stills


def test_share_of_clips_held_out():
    held = [is_held_out("coco", f"{number:05d}.jpg", 0.2) for number in range(2000)]
    assert np.mean(held) == pytest.approx(0.2, abs=0.03)
    assert held == [is_held_out("coco", f"{number:05d}.jpg", 0.2) for number in range(2000)]


def test_clips_are_held_out_whole(tmp_path):
    write_crowd(tmp_path, clips=[f"clip{number}" for number in range(12)], frames=1)
    dataset = PackVideo(tmp_path / "video" / "mot_dense")
    held = held_out_clips(dataset, 0.3)
    assert 0 < len(held) < 12
    build([dataset], tmp_path / "crops", share=0.3, width=320)
    train = CropStore(tmp_path / "crops", held_out=False)
    test = CropStore(tmp_path / "crops", held_out=True)
    assert set(test.field["clip"]) == held
    assert not set(train.field["clip"]) & held
    assert len(train) + len(test) == len(CropStore(tmp_path / "crops", held_out=None)) == 24
    for part in (train, test):
        assert all(len(part.others(index)) == 1 for index in range(len(part)))


def test_pseudo_boxes_and_short_sources_are_never_held_out(tmp_path):
    names = [f"track{number}" for number in range(8)]
    write_masked_video(tmp_path, "davis_train_pseudo", names, frames=1)
    write_masked_video(tmp_path, "yamaha", ["yamaha"], frames=1)
    for source in ("davis_train_pseudo", "yamaha"):
        assert not held_out_clips(PackVideo(tmp_path / "video" / source), 1.0)
    build(open_pack(tmp_path), tmp_path / "crops", share=1.0, width=64)
    store = CropStore(tmp_path / "crops")
    assert store.field["pseudo"].sum() == 8


def test_a_corrupt_image_is_reported_once_and_counted(tmp_path, caplog):
    write_stills(tmp_path, images=4)
    (tmp_path / "still" / "coco" / "00002.jpg").write_bytes(b"\xff\xd8 broken")
    dataset = PackStill(tmp_path / "still" / "coco")
    with caplog.at_level(logging.WARNING):
        assert build([dataset], tmp_path / "crops", width=64) == {"coco": (6, 1)}
    assert len([r for r in caplog.records if "00002.jpg" in r.message]) == 1


def test_a_second_run_builds_only_what_is_missing(tmp_path, monkeypatch):
    write_stills(tmp_path, images=2)
    write_crowd(tmp_path)
    arguments = ["--source", str(tmp_path), "--output", str(tmp_path / "crops"), "--width", "64"]
    assert main(arguments) == 0
    (tmp_path / "crops" / "mot_dense.npz").unlink()
    built = []
    once = build_crops.build_source

    def watched(dataset, *rest):
        built.append(dataset.name)
        return once(dataset, *rest)

    monkeypatch.setattr(build_crops, "build_source", watched)
    assert main(arguments) == 0
    assert built == ["mot_dense"]
    assert CropStore(tmp_path / "crops", held_out=None).sources == ["coco", "mot_dense"]
