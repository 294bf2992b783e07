"""A vot-toolkit workspace on disk, and the toolkit's command run in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

ANALYSES = {
    "unsupervised": """
      - {type: average_accuracy, name: Quality, burnin: 0}
      - {type: average_success_plot, name: Success, burnin: 0}""",
    "multistart": """
      - {type: multistart_average_ar, name: AR}
      - {type: multistart_eao_score, name: EAO, low: 2, high: 6}""",
}


def write_sequence(
    folder: Path,
    images: Iterable[NDArray[np.uint8]],
    boxes: Mapping[str, Sequence[Sequence[float]]],
    anchors: Sequence[int] | None = None,
) -> None:
    """One sequence in VOT layout; `boxes` by object id, "" where there is one object.

    Args:
        images: BGR, HxWx3.
        boxes: x, y, w, h a frame.
        anchors: 1 (forwards), -1 (backwards) or 0 a frame, for multistart experiments.
    """
    (folder / "color").mkdir(parents=True)
    for number, image in enumerate(images, start=1):
        cv2.imwrite(str(folder / "color" / f"{number:08d}.jpg"), image)
    for key, rows in boxes.items():
        text = "".join(",".join(f"{value:.2f}" for value in row) + "\n" for row in rows)
        name = f"groundtruth_{key}.txt" if key else "groundtruth.txt"
        (folder / name).write_text(text)
    if anchors is not None:
        (folder / "anchor.value").write_text("".join(f"{value}\n" for value in anchors))
    (folder / "sequence").write_text(
        f"channels.color=color/%08d.jpg\nfps=30\nformat=default\nname={folder.name}\n"
    )
    with (folder.parent / "list.txt").open("a") as stream:
        stream.write(f"{folder.name}\n")


def write_stack(
    folder: Path, kind: str = "unsupervised", multiobject: bool = False, realtime: bool = False
) -> None:
    """config.yaml and a stack with one experiment "baseline" of a kind in ANALYSES."""
    (folder / "config.yaml").write_text("stack: ./stack.yaml\nregistry: [./trackers.ini]\n")
    more = "    multiobject: True\n" if multiobject else ""
    more += "    realtime: {grace: 3}\n" if realtime else ""
    (folder / "stack.yaml").write_text(
        f'title: Small\ndataset: ""\nexperiments:\n  baseline:\n    type: {kind}\n{more}'
        f"    analyses:{ANALYSES[kind]}\n"
    )


def vot(folder: Path, *words: str) -> str:
    """Run `vot WORDS` in a workspace; its output. Results are written as text."""
    environment = {**os.environ, "VOT_RESULTS_BINARY": "false", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "vot", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def session(*words: str, **options: Any) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """Python with these words as a tracker of the toolkit: its process, and TraX's client."""
    from trax.client import Client

    child = subprocess.Popen(
        [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options
    )
    try:
        streams = (child.stdin.fileno(), child.stdout.fileno())
        # Without a log function the client (vot-trax 4.0.2) fails with a ctypes.ArgumentError.
        yield child, Client(stream=streams, timeout=300, log=lambda text: None)
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


def trajectory(path: Path) -> NDArray[np.float64]:
    """Boxes (N - 1, 4) of a result file; its first line is the code for "initialised"."""
    first, *lines = path.read_text().splitlines()
    assert first == "1"
    return np.array([[float(value) for value in line.split(",")] for line in lines])
