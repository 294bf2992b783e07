"""Parsers of the training; the other rows of the table are in `parsers`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ltr_et.data.build_features import check_meta
from ltr_et.data.crops import CropStore, CropWriter
from ltr_et.data.features import _JOINED, FeatureCache
from ltr_et.dataset.official import Coco, Got10k
from ltr_et.dataset.pack import open_pack
from ltr_et.jsonl import read as read_log
from ltr_et.research.search.__main__ import Overlaps
from ltr_et.settings import Settings, override
from ltr_et.tracking_validation.__main__ import parse_grid
from ltr_et.tracking_validation.measure import Memory
from ltr_et.training import checkpoint
from pytracking_et.network.backbones.lt_mobile import LT_MOBILE, Architecture

from .table import PICTURE, STATE, Parser, as_json, got10k, picture, text


def crop_store(folder: Path) -> Path:
    writer = CropWriter(folder, "src")
    names = {"track": "t", "clip": "c", "category": "dog", "frame": 1, "video": True}
    box, others = np.array([8, 8, 20, 12], np.float32), np.array([[1, 2, 9, 9]], np.float32)
    writer.add(PICTURE, (0, 0, 0), box, others, None, pseudo=False, held_out=False, **names)
    writer.finish()
    return folder / "src.npz"


def training_checkpoint(folder: Path) -> Path:
    checkpoint.save(folder / "c.pt", {"stage": 1, "settings": "{}", "network": STATE})
    return folder / "c.pt"


COCO = {
    "images": [{"id": 1, "file_name": "a.jpg"}],
    "categories": [{"id": 2, "name": "dog"}],
    "annotations": [
        {"id": 5, "image_id": 1, "category_id": 2, "bbox": [1, 2, 30, 40], "iscrowd": 0},
        {"id": 6, "image_id": 1, "category_id": 2, "bbox": [5, 2, 30, 40]},
    ],
}
VIDEO_TABLE = "track,frame,x,y,w,h\ndog,00000,1,2,30,40\ndog,00001,2,2,,\n"
STILL_TABLE = "image,category,x,y,w,h\na.jpg,dog,1,2,30,40\n"


def use_datasets(found: Any) -> None:
    for dataset in found:
        for number in range(dataset.get_num_sequences()):
            dataset.get_sequence_info(number)
            dataset.track_name(number)
            dataset.category(number)


def tiny_imagenet(folder: Path) -> Path:
    data = np.frombuffer(picture(".png"), np.uint8)
    path = folder / "still" / "tiny-imagenet" / "tiny_imagenet.npz"
    path.parent.mkdir(parents=True)
    np.savez(
        path, webp=data, offset=np.array([0, data.size]), box=np.ones((1, 4), np.int16),
        label=np.zeros(1, np.int16), word=np.array(["goldfish, Carassius"]),
    )  # fmt: skip
    return path


def features(folder: Path) -> Path:
    path = folder / "chunk-00000" / "index.npz"
    path.parent.mkdir()
    np.savez(path, **{name: np.zeros(2, np.int64) for name in _JOINED})
    for kind in ("x", "z"):
        np.save(path.with_name(f"{kind}.npy"), np.zeros(2, np.float16))
    return path


TRAINING = [
    Parser("training checkpoint", training_checkpoint, checkpoint.load),
    Parser("training log", text(
        "log.jsonl", '{"kind": "train", "samples": 3}\n{"kind": "event", "sampl'
    ), read_log),
    Parser("training setting", text(
        "s", "seed=3"
    ), lambda path: override(Settings(), path.read_bytes().decode("utf-8", "replace"))),
    Parser("grid", text(
        "g", "lr=0.5,0.6"
    ), lambda path: list(parse_grid([path.read_bytes().decode("utf-8", "replace")]))),
    Parser("validation runs", text(
        "runs.jsonl", '{"subject": "s", "label": "l", "clip": "c", "runs": {"k": [0.5, false]}}\n'
    ), Memory),
    Parser("architecture", text(
        "a", LT_MOBILE
    ), lambda path: Architecture.parse(path.read_bytes().decode("utf-8", "replace"))),
    Parser("overlaps of the search", as_json(
        "o.json", {"supernet": "s", "values": {"a": 0.5}}
    ), lambda path: Overlaps(path, "s")),
    Parser("crop store", crop_store, lambda path: CropStore(path.parent, held_out=None).others(0)),
    Parser("feature index", features, lambda path: len(FeatureCache(path.parents[1]))),
    Parser("feature settings", as_json(
        "meta.json", {"part": "train"}
    ), lambda path: check_meta(path.parent, {"part": "train"})),
    Parser("pack, video", text(
        "video/src/annotations.csv", VIDEO_TABLE
    ), lambda path: use_datasets(open_pack(path.parents[2]))),
    Parser("pack, still", text(
        "still/src/annotations.csv", STILL_TABLE
    ), lambda path: use_datasets(open_pack(path.parents[2]))),
    Parser("pack, tiny-imagenet", tiny_imagenet, lambda p: use_datasets(open_pack(p.parents[2]))),
    Parser("COCO", as_json(
        "annotations/instances_train2017.json", COCO
    ), lambda path: use_datasets([Coco(path.parents[1])])),
    Parser("training list", got10k("list.txt"), lambda p: use_datasets([Got10k(p.parent, None)])),
]  # fmt: skip
