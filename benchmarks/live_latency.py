"""How old is the frame whose box is shown, and does memory stay flat?

    python benchmarks/live_latency.py --strict                 # 10,000 frames at 30 fps: 6 minutes
    python benchmarks/live_latency.py --strict --frames 1800   # one minute
    python benchmarks/live_latency.py --tracker fixed --milliseconds 60

A source makes 640x360 frames at a fixed rate, as a camera does; the live loop (reader thread,
tracker, overlay, one display) runs on it. When a picture is shown, the number of the newest frame
the source has made less the number of the frame shown is its age in frames. Exit code 1 if a box
was shown for a frame more than 2 frames old (quantile 0.99; --strict: any), or if memory grew by
more than 5 % after the first tenth.

With `--tracker et_tracker` the real tracker runs; `fixed` sleeps instead, so that the loop is
measured and not this machine's network speed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytracking_et.benchmark.measure import resident_memory
from pytracking_et.live.clip import render
from pytracking_et.live.controls import Controls, View
from pytracking_et.live.player import Player
from pytracking_et.live.reader import Reader
from pytracking_et.live.run import make_tracker
from pytracking_et.live.session import Session
from pytracking_et.live.sources import Frame
from pytracking_et.spec import TrackerSpec

MOST_FRAMES_OLD = 2
MOST_GROWTH = 0.05


class PacedSource:
    """A camera: `frames` frames at `fps`, whether or not anybody reads them."""

    name, live, length = "camera", True, None

    def __init__(self, images: list[NDArray[np.uint8]], frames: int, fps: float) -> None:
        self.images, self.frames, self.fps = images, frames, fps
        self.newest = -1

    def __enter__(self) -> PacedSource:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def __iter__(self) -> Iterator[Frame]:
        start = time.monotonic()
        # There and back, so that the target never jumps.
        cycle = [*range(len(self.images)), *range(len(self.images) - 2, 0, -1)]
        for index in range(self.frames):
            time.sleep(max(0.0, start + index / self.fps - time.monotonic()))
            self.newest = index
            # A camera hands out a new buffer for every frame.
            yield Frame(index, self.images[cycle[index % len(cycle)]].copy(), time.monotonic())


class FixedTracker:
    """Takes `milliseconds` a frame, like a network that has given the processor away."""

    def __init__(self, milliseconds: float) -> None:
        self.seconds = milliseconds / 1000
        self.box: NDArray[np.float64] = np.zeros(4)

    def init(self, image: NDArray[np.uint8], box: ArrayLike) -> None:
        self.box = np.asarray(box, np.float64)

    def update(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
        time.sleep(self.seconds)
        return self.box, 0.9


class Gauge:
    """A display that measures instead of showing."""

    how = ""

    def __init__(self, source: PacedSource) -> None:
        self.source = source
        self.ages: list[int] = []
        self.latencies: list[float] = []
        self.memory: list[float] = []

    def show(self, view: View) -> None:
        self.ages.append(self.source.newest - view.index)
        self.latencies.append(view.latency)
        if len(self.ages) % 50 == 0:
            self.memory.append(resident_memory() or 0.0)

    def poll(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--tracker", choices=["et_tracker", "fixed"], default="et_tracker")
    parser.add_argument("--milliseconds", type=float, default=25.0, help="of the fixed tracker")
    parser.add_argument("--checkpoint")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--strict", action="store_true", help="no frame at all may be older")
    args = parser.parse_args()
    clip = list(render(60))
    source = PacedSource([frame.image for frame in clip], args.frames, args.fps)
    tracker: Any = FixedTracker(args.milliseconds)
    if args.tracker == "et_tracker":
        tracker = make_tracker(
            TrackerSpec(checkpoint=args.checkpoint, engine=args.engine, threads=args.threads)
        )
        tracker.init(clip[0].image, clip[0].box)
        for frame in clip[:5]:  # first calls set up buffers
            tracker.update(frame.image)
    gauge = Gauge(source)
    started = time.monotonic()
    with Reader(source) as reader:
        player = Player(reader, Session(tracker), Controls(), [gauge], boxes=[clip[0].box])
        summary = player.run()
        dropped = reader.dropped
    return report(gauge, summary.frames, dropped, time.monotonic() - started, args.strict)


def report(gauge: Gauge, shown: int, dropped: int, seconds: float, strict: bool) -> int:
    """Print the figures; 1 if one of them is out of bounds."""
    ages = np.array(gauge.ages)
    oldest = int(ages.max()) if strict else int(np.quantile(ages, 0.99))
    settled = gauge.memory[len(gauge.memory) // 10 :] or [resident_memory() or 0.0]
    growth = settled[-1] / max(settled[0], 1) - 1
    print(f"shown {shown} frames in {seconds:.0f} s, {dropped} dropped for newer ones")
    counts = ", ".join(f"{age}: {(ages == age).sum()}" for age in np.unique(ages)[:8])
    late = [f"{i} ({ages[i]})" for i in np.flatnonzero(ages > MOST_FRAMES_OLD)[:8]]
    print(f"frames shown by age, in frames: {counts}; oldest {ages.max()}")
    print(f"more than {MOST_FRAMES_OLD} old: {', '.join(late) or 'none'}")
    latencies = np.array(gauge.latencies) * 1000
    print(
        f"latency: median {np.median(latencies):.1f} ms, 99 % {np.quantile(latencies, 0.99):.1f} ms"
    )
    megabytes = [round(value) for value in (settled[0], settled[-1], max(settled))]
    print(f"memory: {megabytes[0]} MB, at the end {megabytes[1]} MB, most {megabytes[2]} MB")
    good = oldest <= MOST_FRAMES_OLD and growth <= MOST_GROWTH
    print("within bounds" if good else f"OUT OF BOUNDS: age {oldest} frames, memory {growth:+.1%}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
