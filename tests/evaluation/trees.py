"""Tiny copies of the benchmarks' folder layouts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

# One small real JPEG, and the same as PNG, written under every name.
_PIXELS = np.full((24, 32, 3), (200, 120, 40), dtype=np.uint8)  # BGR
JPEG = cv2.imencode(".jpg", _PIXELS)[1].tobytes()
PNG = cv2.imencode(".png", _PIXELS)[1].tobytes()


def put(path: Path, content: bytes | str) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        path.write_bytes(content)
    return path


def images(folder: Path, first: int, last: int, digits: int = 4, extension: str = "jpg") -> None:
    """Frames first .. last of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, last + 1):
        (folder / f"{number:0{digits}d}.{extension}").write_bytes(
            PNG if extension == "png" else JPEG
        )


def rows(count: int, separator: str = ",", start: float = 1.0) -> str:
    """Boxes (start + n, 2, 10, 12) for n = 0 .. count - 1."""
    return "".join(
        separator.join(map(str, (start + number, 2, 10, 12))) + "\n" for number in range(count)
    )


def otb(root: Path) -> list[str]:
    """Four OTB sequences, one for each oddity; returns their names."""
    images(root / "Skiing" / "img", 1, 81)
    put(root / "Skiing" / "groundtruth_rect.txt", rows(81, "\t"))
    images(root / "Tiger1" / "img", 1, 354)
    put(root / "Tiger1" / "groundtruth_rect.txt", rows(354))
    images(root / "KiteSurf" / "img", 1, 84, extension="jpg")
    put(root / "KiteSurf" / "groundtruth_rect.txt", rows(84, "  "))
    images(root / "Jogging" / "img", 1, 307)
    put(root / "Jogging" / "groundtruth_rect.1.txt", rows(307))
    put(root / "Jogging" / "groundtruth_rect.2.txt", rows(307, start=50))
    return ["Skiing", "Tiger1", "KiteSurf", "Jogging_1", "Jogging_2"]


def uav(root: Path) -> list[str]:
    """Parts of one folder, and NaN in the annotation."""
    images(root / "data_seq" / "UAV123" / "wakeboard7", 1, 199, 6)
    text = rows(199).splitlines()
    text[5] = "NaN,NaN,NaN,NaN"
    put(root / "anno" / "UAV123" / "wakeboard7.txt", "\n".join(text))
    images(root / "data_seq" / "UAV123" / "bird1", 1, 1477, 6)
    put(root / "anno" / "UAV123" / "bird1_1.txt", rows(253))
    put(root / "anno" / "UAV123" / "bird1_2.txt", rows(703))
    return ["uav_wakeboard7", "uav_bird1_1", "uav_bird1_2"]


def uav_10fps(root: Path) -> list[str]:
    images(root / "data_seq" / "UAV123_10fps" / "bird1", 1, 493, 6)
    put(root / "anno" / "UAV123_10fps" / "bird1_1.txt", rows(85))
    put(root / "anno" / "UAV123_10fps" / "bird1_2.txt", rows(235))
    return ["uav10fps_bird1_1", "uav10fps_bird1_2"]


def nfs_repack(root: Path) -> list[str]:
    images(root / "sequences" / "Skiing_red", 1, 69, 5)
    put(root / "anno" / "nfs_Skiing_red.txt", rows(69, "\t"))
    return ["nfs_Skiing_red"]


def nfs_official(root: Path, annotated: int = 552, frames: int = 69) -> list[str]:
    """As in the official zip: 240 Hz lines of corners, 30 fps frames, "-" in a name."""
    folder = root / "Skiing-red" / "30"
    images(folder / "Skiing-red", 1, frames, 5)
    lines = [f'0 {n} 2 {n + 10} 14 {n} 0 0 0 "person"' for n in range(annotated)]
    put(folder / "Skiing-red.txt", "\n".join(lines) + "\n")
    return ["nfs_Skiing_red"]


def lasot(
    root: Path, name="airplane-1", frames=6, occluded="0,1,0,0,0,0", outside="0,0,0,1,0,0"
) -> list[str]:
    folder = root / name.split("-")[0] / name
    images(folder / "img", 1, frames, 8)
    put(folder / "groundtruth.txt", rows(frames))
    put(folder / "full_occlusion.txt", occluded)
    put(folder / "out_of_view.txt", outside)
    return [name]


def lasot_extension(root: Path) -> list[str]:
    return lasot(root, "atv-10", 3, "0\n0\n1\n", "0\n0\n0\n")


def trackingnet(root: Path) -> list[str]:
    images(root / "TEST" / "frames" / "-abc_0", 0, 11, 1)
    put(root / "TEST" / "anno" / "-abc_0.txt", "3.5,2,10,12")
    return ["-abc_0"]


def got10k(root: Path, split: str, annotated: int) -> list[str]:
    name = "GOT-10k_Test_000001" if split == "test" else "GOT-10k_Val_000001"
    put(root / split / "list.txt", f"{name}\n")
    images(root / split / name, 1, 5, 8)
    put(root / split / name / "groundtruth.txt", rows(annotated))
    return [name]


def vot(root: Path) -> list[str]:
    """Polygons for one, plain boxes and no color/ folder for the other."""
    images(root / "ants1" / "color", 1, 4, 8)
    put(root / "ants1" / "groundtruth.txt", "1,1,5,2,4,9,0,8\n" * 4)
    images(root / "bag", 1, 4, 8)
    put(root / "bag" / "groundtruth.txt", rows(4))
    return ["ants1", "bag"]


def tpl(root: Path) -> list[str]:
    """The annotation of Yo_yos is spelled with a hyphen."""
    images(root / "tpl_Pool_ce3" / "img", 1, 124)
    put(root / "tpl_Pool_ce3" / "Pool_ce3_gt.txt", rows(124))
    return ["tpl_Pool_ce3"]
