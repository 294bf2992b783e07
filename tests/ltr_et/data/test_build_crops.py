import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ltr_et.data import build_crops
from ltr_et.data.bank import FrameBank
from ltr_et.data.build_crops import build, held_out_clips, is_held_out, main
from ltr_et.data.crops import CropStore
from ltr_et.data.pairs import CropPairs
from ltr_et.dataset.pack import PackStill, PackVideo, open_pack
from ltr_et.locks import alone
from pytracking_et.errors import DatasetError

from ..tiny import write_crowd, write_image, write_masked_video, write_stills

ROOT = Path(__file__).resolve().parents[3]


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


def no_bytes(mask):
    mask.write_bytes(b"")


def half_the_size(mask):
    write_image(mask, np.full((60, 80), 255, np.uint8))


@pytest.mark.parametrize(
    ("damage", "words"),
    [(no_bytes, "cannot be decoded"), (half_the_size, "is of 80 x 60 pixels, its frame of 160 x")],
)
def test_a_mask_that_cannot_be_used_is_told_and_its_object_left_out(
    tmp_path, caplog, damage, words
):
    write_masked_video(tmp_path)
    damage(tmp_path / "video" / "davis2016" / "masks" / "dog" / "00002.png")
    assert build(open_pack(tmp_path), tmp_path / "crops", width=320) == {"davis2016": (7, 1)}
    assert f"masks/dog/00002.png {words}" in Path(caplog.messages[-1]).as_posix()
    bank = FrameBank(open_pack(tmp_path))
    assert len(bank.rows.box) == 7
    assert words in bank.unreadable[0]


def test_boxes_that_cannot_be_used_are_told(tmp_path, caplog):
    """Shares of the image, say, and not pixels."""
    write_stills(tmp_path)
    write_masked_video(tmp_path)
    table = tmp_path / "still" / "coco" / "annotations.csv"
    rows = pd.read_csv(table)
    rows[["x", "y", "w", "h"]] /= 160
    rows.to_csv(table, index=False)
    store = tmp_path / "crops"
    build(open_pack(tmp_path), store, share=0.0, width=320)
    assert "coco: no box that can be used" in caplog.text and "in pixels" in caplog.text
    assert CropPairs(CropStore(store))[0, 0]["template"].shape == (128, 128, 3)
    (store / "davis2016.npz").unlink()
    with pytest.raises(DatasetError, match="holds no crop.*'coco'.*pixels"):
        CropStore(store)


def test_nothing_but_held_out_clips(tmp_path):
    write_stills(tmp_path)
    build(open_pack(tmp_path), tmp_path / "crops", share=1.0, width=64)
    with pytest.raises(DatasetError, match="nothing to train on in .*'coco'.*--held-out"):
        CropPairs(CropStore(tmp_path / "crops"))


def test_another_share_held_out_is_another_store(tmp_path):
    write_stills(tmp_path, images=8)
    build(open_pack(tmp_path), tmp_path / "crops", share=1.0, width=64)
    with pytest.raises(DatasetError, match="coco.npz was built with other clips held out than a"):
        build(open_pack(tmp_path), tmp_path / "crops", share=0.0, width=64)
    (tmp_path / "crops" / "coco.npz").unlink()
    assert build(open_pack(tmp_path), tmp_path / "crops", share=0.0, width=64) == {"coco": (16, 0)}


def test_another_width_is_another_store(tmp_path):
    write_stills(tmp_path)
    build(open_pack(tmp_path), tmp_path / "crops", width=64)
    write_crowd(tmp_path)
    with pytest.raises(DatasetError, match="64 pixels wide, not 96; give that --width, or"):
        build(open_pack(tmp_path), tmp_path / "crops", width=96)
    build([open_pack(tmp_path)[1]], tmp_path / "other", width=96)
    for path in (tmp_path / "other").iterdir():
        path.replace(tmp_path / "crops" / path.name)
    with pytest.raises(DatasetError, match="different widths.*'coco': 64, 'mot_dense': 96"):
        CropStore(tmp_path / "crops")


@pytest.mark.slow
def test_two_processes_build_one_store(tmp_path):
    """The second waits for the first and finds its work done."""
    write_stills(tmp_path)
    command = [sys.executable, "-m", "ltr_et.data.build_crops", "--source", str(tmp_path)]
    command += ["--output", str(tmp_path / "crops"), "--width", "64"]
    with alone(tmp_path / "crops", ""):
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if "waiting for it" in line:
                break
        assert process.poll() is None
        build_crops.build_source(open_pack(tmp_path)[0], tmp_path / "crops", width=64)
    assert "coco: already there" in process.communicate(timeout=60)[1]
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--width", "0"], "--width is 0; give 1 or more"),
        (["--held-out", "nan"], "--held-out is nan; give 0 to 1"),
    ],
)
def test_a_store_of_nothing_is_refused(tmp_path, capsys, words, message):
    assert main(["--source", str(tmp_path), "--output", str(tmp_path / "crops"), *words]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "crops").exists()


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
