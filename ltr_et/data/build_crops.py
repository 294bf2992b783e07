"""Build a crop store: `python -m ltr_et.data.build_crops --source DATA --output STORE`.

Resumable: a source whose index exists is left alone; delete `STORE/SOURCE.npz` to build it again.
"""

from __future__ import annotations

import argparse
import logging
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pytracking_et import process
from pytracking_et.errors import DatasetError, ImageError

from ..dataset.base import MINIMUM_SIDE, BaseDataset
from ..dataset.pack import is_pseudo, open_pack
from ..locks import alone
from ..settings import ONE_OR_MORE, SHARE, check_numbers
from .crops import WIDTH, CropWriter, indexes, read_meta

log = logging.getLogger(__name__)

HELD_OUT = 0.06
# With fewer clips than this a held-out one would be a large part of what the source can teach.
FEWEST_CLIPS = 5
# Chosen so that the pack's held-out part has a dog, a horse, a crowd, a bike and a ship.
SALT = 3013


def is_held_out(source: str, clip: str, share: float = HELD_OUT) -> bool:
    """Whether a clip belongs to the validation part: by hash, so it never moves between builds."""
    return zlib.crc32(f"{SALT}/{source}/{clip}".encode()) / 2**32 < share


def held_out_clips(dataset: BaseDataset, share: float = HELD_OUT) -> set[str]:
    """Clips (videos, or still images) of a set that are kept for validation."""
    if is_pseudo(dataset.name):
        return set()
    clips = {dataset.clip_name(seq_id) for seq_id in range(len(dataset))}
    if len(clips) < FEWEST_CLIPS:
        return set()
    return {clip for clip in clips if is_held_out(dataset.name, clip, share)}


def build_source(
    dataset: BaseDataset, output: Path, share: float = HELD_OUT, width: int = WIDTH
) -> tuple[int, int]:
    """Write the crops of one data set; returns (crops, images that could not be read).

    An object whose mask cannot be read is left out, too.
    """
    writer = CropWriter(output, dataset.name, width)
    held_out = held_out_clips(dataset, share)
    broken: set[str] = set()
    name = ""
    for path, seq_id, frame_id, box in tqdm(_usable_boxes(dataset), dataset.name, mininterval=2):
        if path in broken:
            continue
        if path != name:
            try:
                image = dataset.read_frame(seq_id, frame_id)
            except ImageError as error:
                broken.add(path)
                log.warning("skipped: %s", error)
                continue
            name, mean = path, tuple(int(value) for value in image.mean((0, 1)))
        try:
            mask = dataset.mask(seq_id, frame_id, image)
        except ImageError as error:
            broken.add(str(error))
            log.warning("skipped: %s", error)
            continue
        clip = dataset.clip_name(seq_id)
        writer.add(
            image, mean, box, dataset.others(seq_id, frame_id),
            None if mask is None else np.uint8(255) * mask,
            track=dataset.track_name(seq_id), clip=clip, category=dataset.category(seq_id),
            frame=dataset.frame_number(seq_id, frame_id), video=dataset.is_video_sequence(),
            pseudo=is_pseudo(dataset.name), held_out=clip in held_out,
        )  # fmt: skip
    count = writer.finish(unreadable_images=len(broken), held_out_clips=sorted(held_out))
    return count, len(broken)


def _usable_boxes(dataset: BaseDataset) -> list[tuple[str, int, int, NDArray]]:
    """(image, sequence, frame, box) of every usable box, sorted by image."""
    rows = []
    for seq_id in range(len(dataset)):
        info = dataset.get_sequence_info(seq_id)
        for frame_id in np.flatnonzero(info["valid"] & info["visible"]).tolist():
            path = str(dataset.frame_path(seq_id, frame_id))
            rows.append((path, seq_id, frame_id, info["bbox"][frame_id]))
    return sorted(rows, key=lambda row: row[:3])


def build(
    datasets: list[BaseDataset], output: Path, share: float = HELD_OUT, width: int = WIDTH
) -> dict[str, tuple[int, int]]:
    """Write every source that is not finished yet; {source: (crops, unreadable images)}.

    Raises:
        DatasetError: the store has crops of another width, or other clips held out.
    """
    done: dict[str, tuple[int, int]] = {}
    with alone(output, f"another process is building {output}; waiting for it"):
        there = {path: read_meta(path) for path in indexes(output)}
        for path, meta in there.items():
            if meta["width"] != width:
                raise DatasetError(
                    f"the crops of {path} are {meta['width']} pixels wide, not {width}; "
                    "give that --width, or another --output"
                )
        for dataset in datasets:
            path = output / f"{dataset.name}.npz"
            if path in there:
                kept = there[path].get("held_out_clips")
                if kept != sorted(held_out_clips(dataset, share)):
                    raise DatasetError(
                        f"{path} was built with other clips held out than a --held-out of {share} "
                        "gives; delete it to build it again, or give another --output"
                    )
                log.info("%s: already there", dataset.name)
                continue
            done[dataset.name] = build_source(dataset, output, share, width)
            log.info("%s: %d crops, %d unreadable images", dataset.name, *done[dataset.name])
            if not done[dataset.name][0]:
                log.warning(
                    "%s: no box that can be used among its annotations; they are x, y, w, h in "
                    "pixels, at least %g on both sides", dataset.name, MINIMUM_SIDE,
                )  # fmt: skip
    return done


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source", type=Path, required=True, help="folder with video/ and still/")
    parser.add_argument("--output", type=Path, required=True, help="folder of the store")
    parser.add_argument("--width", type=int, default=WIDTH, help="side of a crop (default 480)")
    parser.add_argument("--held-out", type=float, default=HELD_OUT, help="share of clips held out")
    options = parser.parse_args(arguments)

    def work() -> int:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        numbers = {"width": options.width, "held-out": options.held_out}
        check_numbers("--", numbers, {"width": ONE_OR_MORE, "held-out": SHARE})
        build(open_pack(options.source), options.output, options.held_out, options.width)
        return 0

    return process.run("ltr_et.data.build_crops", work, lambda: "the same command goes on")


if __name__ == "__main__":
    raise SystemExit(main())
