"""Tiny training data written into a folder: textured images with a bright box that moves."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

COLOURS = [(220, 40, 40), (40, 220, 40), (40, 40, 220), (220, 220, 40)]


def scene(boxes, size=(120, 160), seed=0):
    """Grey noise with one coloured rectangle per box (x, y, w, h); RGB."""
    noise = np.random.default_rng(seed).integers(90, 130, (*size, 1), dtype=np.uint8)
    image = np.repeat(noise, 3, axis=2)
    for box, colour in zip(boxes, COLOURS, strict=False):
        x, y, w, h = (round(value) for value in box)
        image[y : y + h, x : x + w] = colour
    return image


def write_image(path: Path, image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    extension = ".png" if path.suffix == ".png" else ".jpg"
    bgr = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    cv2.imencode(extension, bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tofile(path)
    return path


def write_rows(path: Path, header, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def write_masked_video(root: Path, source="davis2016", tracks=("dog", "cows"), frames=4) -> None:
    """A video source with one clip per track and masks."""
    rows = []
    for number, track in enumerate(tracks):
        for frame in range(frames):
            box = (40 + 3 * frame, 30 + 2 * number, 24, 36)
            name = f"{2 * frame:05d}"
            image = scene([box], seed=10 * number + frame)
            write_image(root / "video" / source / track / f"{name}.jpg", image)
            mask = np.zeros(image.shape[:2], np.uint8)
            mask[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = 255
            write_image(root / "video" / source / "masks" / track / f"{name}.png", mask)
            rows.append([track, name, *box])
    table = root / "video" / source / "annotations.csv"
    write_rows(table, ["track", "frame", "x", "y", "w", "h"], rows)


def write_crowd(root: Path, source="mot_dense", clips=("A", "B"), frames=3) -> None:
    """A video source whose tracks share a clip's frames (column `image`)."""
    rows = []
    for number, clip in enumerate(clips):
        for frame in range(frames):
            boxes = [(20 + 2 * frame, 30, 16, 40), (60 - 2 * frame, 32, 16, 40)]
            name = f"{clip}/{frame:05d}.jpg"
            write_image(root / "video" / source / name, scene(boxes, seed=50 * number + frame))
            for person, box in enumerate(boxes):
                rows.append([f"{clip}_{person}", f"{frame:05d}", *box, name])
    table = root / "video" / source / "annotations.csv"
    write_rows(table, ["track", "frame", "x", "y", "w", "h", "image"], rows)


def write_stills(root: Path, source="coco", images=6) -> None:
    """A still source with two boxes an image."""
    rows = []
    for number in range(images):
        boxes = [(30, 20, 40, 30), (90, 60, 30, 40)]
        write_image(root / "still" / source / f"{number:05d}.jpg", scene(boxes, seed=number))
        for label, box in zip(("cat", "cup"), boxes, strict=True):
            rows.append([f"{number:05d}.jpg", label, *box])
    header = ["image", "category", "x", "y", "w", "h"]
    write_rows(root / "still" / source / "annotations.csv", header, rows)


def write_tiny_imagenet(root: Path, images=3) -> None:
    """The .npz of 64x64 WebP images."""
    folder = root / "still" / "tiny-imagenet"
    folder.mkdir(parents=True)
    data = []
    for number in range(images):
        image = scene([(16, 12, 30, 36)], size=(64, 64), seed=number)
        data.append(cv2.imencode(".webp", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].ravel())
    np.savez(
        folder / "tiny_imagenet.npz",
        webp=np.concatenate(data),
        offset=np.cumsum([0, *map(len, data)]),
        box=np.tile(np.array([16, 12, 30, 36], np.int16), (images, 1)),
        label=np.arange(images, dtype=np.int16) % 2,
        word=np.array(["goldfish, Carassius auratus", "bullfrog"]),
        wnid=np.array(["n1", "n2"]),
        source_index=np.arange(images, dtype=np.int16),
    )


def write_pack(root: Path) -> Path:
    """All of the above."""
    write_masked_video(root)
    write_crowd(root)
    write_stills(root)
    write_tiny_imagenet(root)
    return root
