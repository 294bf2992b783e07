"""Tracks as text of other tools: MOT challenge, COCO, YOLO, CVAT; starts from MOT and CVAT."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..errors import ResultsError

# A class for everything: what a single-object tracker follows has no name.
LABEL = "target"


class TrackRow(NamedTuple):
    """One box: frame from 0, target from 1, x, y, w, h in pixels, 0-based, score 0..1.

    size: (width, height) of its frame in pixels; they differ where a phone was turned. (0, 0) where
        it is not known: of `starts`.
    """

    frame: int
    target: int
    box: tuple[float, float, float, float]
    score: float
    size: tuple[int, int]


def mot_text(rows: Iterable[TrackRow]) -> str:
    """MOT challenge: `frame,id,left,top,width,height,confidence,-1,-1,-1`, counted from 1."""
    return "".join(
        f"{row.frame + 1},{row.target},{row.box[0] + 1:.3f},{row.box[1] + 1:.3f},"
        f"{row.box[2]:.3f},{row.box[3]:.3f},{row.score:.4f},-1,-1,-1\n"
        for row in sorted(rows)
    )


def coco_text(rows: Iterable[TrackRow]) -> str:
    """COCO: an image for every frame with a box, `track_id` and `score` in the annotations."""
    ordered = sorted(rows)
    sizes = {row.frame: row.size for row in ordered}
    images = [
        {"id": frame + 1, "file_name": f"{frame:06d}.jpg", "width": width, "height": height}
        for frame, (width, height) in sizes.items()
    ]
    annotations = [
        {
            "id": number,
            "image_id": row.frame + 1,
            "category_id": 1,
            "bbox": [round(value, 3) for value in row.box],
            "area": round(row.box[2] * row.box[3], 3),
            "iscrowd": 0,
            "track_id": row.target,
            "score": round(row.score, 4),
        }
        for number, row in enumerate(ordered, 1)
    ]
    categories = [{"id": 1, "name": LABEL}]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


def yolo_text(rows: Iterable[TrackRow]) -> str:
    """YOLO with frame and track before it: `frame id 0 center_x center_y width height score`.

    Centre and size are shares of the picture, as in YOLO's one file a frame.
    """
    lines = []
    for row in sorted(rows):
        x, y, w, h = row.box
        width, height = row.size
        place = ((x + w / 2) / width, (y + h / 2) / height, w / width, h / height)
        numbers = " ".join(f"{value:.6f}" for value in place)
        lines.append(f"{row.frame} {row.target} 0 {numbers} {row.score:.4f}\n")
    return "".join(lines)


def cvat_text(rows: Iterable[TrackRow]) -> str:
    """CVAT for video 1.1: a track for every target, with a box that ends it.

    After the last frame of all there is none: CVAT refuses frames that its video has not.
    """
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    by_target: dict[int, list[TrackRow]] = {}
    ordered = sorted(rows)
    for row in ordered:
        by_target.setdefault(row.target, []).append(row)
    for target, track in sorted(by_target.items()):
        element = ET.SubElement(root, "track", id=str(target), label=LABEL)
        known = {row.frame for row in track}
        for row in track:
            _cvat_box(element, row.frame, row, "0")
            if row.frame + 1 not in known and row.frame < ordered[-1].frame:
                _cvat_box(element, row.frame + 1, row, "1")
    return ET.tostring(root, encoding="unicode") + "\n"


def _cvat_box(track: ET.Element, frame: int, row: TrackRow, outside: str) -> None:
    x, y, w, h = row.box
    corners = {"xtl": x, "ytl": y, "xbr": x + w, "ybr": y + h}
    values = {name: f"{value:.2f}" for name, value in corners.items()}
    state = {"outside": outside, "occluded": "0", "keyframe": "1"}
    ET.SubElement(track, "box", {"frame": str(frame), **state, **values})


WRITERS: dict[str, Callable[[Iterable[TrackRow]], str]] = {
    "mot": mot_text,
    "coco": coco_text,
    "yolo": yolo_text,
    "cvat": cvat_text,
}
OF_THE_PICTURE = ("coco", "yolo")  # need the sizes of the frames
SUFFIXES = {"mot": ".txt", "coco": ".json", "yolo": ".txt", "cvat": ".xml"}


def starts(text: str) -> list[TrackRow]:
    """The first box of every target in MOT challenge text or CVAT XML.

    Raises:
        ResultsError: neither of them; quotes the line.
    """
    rows = _read_cvat(text) if text.lstrip().startswith("<") else _read_mot(text)
    first: dict[int, TrackRow] = {}
    for row in sorted(rows):
        first.setdefault(row.target, row)
    return sorted(first.values())


def _read_mot(text: str) -> list[TrackRow]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            frame, target, x, y, w, h = (float(field) for field in line.split(",")[:6])
            # -1 is MOT's number of detections, which nothing has joined to tracks.
            if frame < 1 or target < 0 or not (frame.is_integer() and target.is_integer()):
                raise ValueError(f"frame {frame:g}, id {target:g}")
            rows.append(TrackRow(int(frame) - 1, int(target), (x - 1, y - 1, w, h), 1.0, (0, 0)))
        except (ValueError, OverflowError) as error:
            raise ResultsError(
                f"line {number}: {line!r} is not MOT's frame,id,left,top,width,height,... with "
                "frames counted from 1 and the numbers of tracks"
            ) from error
    return rows


def _read_cvat(text: str) -> list[TrackRow]:
    if "<!DOCTYPE" in text:
        raise ResultsError("the XML declares a document type, which CVAT's does not; not read")
    try:
        rows = []
        tracks = list(ET.fromstring(text).iter("track"))
        for number, track in zip(_cvat_numbers(tracks), tracks, strict=True):
            for box in track.iter("box"):
                if box.get("outside") == "1":
                    continue
                x, y, right, bottom = (float(box.attrib[k]) for k in ("xtl", "ytl", "xbr", "ybr"))
                place = (x, y, right - x, bottom - y)
                frame = int(box.attrib["frame"])
                rows.append(TrackRow(frame, number, place, 1.0, (0, 0)))
    except (ET.ParseError, KeyError, ValueError) as error:
        raise ResultsError(f"not XML of CVAT for video: {error}") from error
    return rows


def _cvat_numbers(tracks: list[ET.Element]) -> Iterable[int]:
    """Number of each track: its id, where CVAT's own begin with 0, one more."""
    ids = [track.get("id", "") for track in tracks]
    if len(set(ids)) < len(ids) or not all(one.isascii() and one.isdigit() for one in ids):
        return range(1, len(ids) + 1)
    numbers = [int(one) for one in ids]
    return [number + (0 in numbers) for number in numbers]
