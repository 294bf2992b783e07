"""Which image decoder is faster: OpenCV or jpeg4py (libturbojpeg)?

    python benchmarks/frame_reading.py FOLDER_OF_JPEGS [--frames 100] [--rounds 5]

Every round decodes the same frames with each reader, one after the other, so that a busy machine
slows both; printed are milliseconds per frame (minimum and median over the rounds), the ratio to
OpenCV of each round, and how far the pixels differ.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import cv2
import numpy as np

from pytracking_et import frames


def bgr_then_swap(path: str) -> np.ndarray:
    """What most harnesses do: cv2.imread, then cvtColor."""
    image = cv2.imread(path, cv2.IMREAD_COLOR)
    assert image is not None, path
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def seconds(reader, paths: list[str]) -> float:
    start = time.perf_counter()
    for path in paths:
        reader(path)
    return (time.perf_counter() - start) / len(paths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    found = sorted(str(path) for path in args.folder.rglob("*.jpg"))
    if not found:
        raise SystemExit(f"no *.jpg below {args.folder}")
    paths = found[:: max(1, len(found) // args.frames)][: args.frames]
    cv2.setNumThreads(1)
    readers = {"opencv": frames.reader("opencv"), "cv2.imread + cvtColor": bgr_then_swap}
    jpeg4py = frames.reader("jpeg4py")
    if jpeg4py is not readers["opencv"]:
        readers["jpeg4py"] = jpeg4py
    times: dict[str, list[float]] = {name: [] for name in readers}
    for name, reader in readers.items():
        seconds(reader, paths)  # files into the page cache, libraries loaded
        worst = max(int(np.abs(reader(p).astype(int) - bgr_then_swap(p)).max()) for p in paths[:10])
        print(f"{name}: largest difference to cv2.imread {worst}")
    for _ in range(args.rounds):
        for name, reader in readers.items():
            times[name].append(seconds(reader, paths))
    print(f"{len(paths)} frames of {readers['opencv'](paths[0]).shape}, {args.rounds} rounds")
    for name, values in times.items():
        ratio = statistics.median(o / v for o, v in zip(times["opencv"], values, strict=True))
        print(
            f"{name:>24}: {min(values) * 1e3:6.2f} ms min {statistics.median(values) * 1e3:6.2f} ms"
            f" median, {ratio:.2f} times the speed of opencv"
        )


if __name__ == "__main__":
    main()
