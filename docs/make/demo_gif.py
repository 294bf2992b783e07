"""Make the moving picture of the README from the video of `ettrack demo`; needs Pillow.

ettrack demo && python docs/make/demo_gif.py output/demo.mp4 docs/images/demo.gif
"""

from __future__ import annotations

import argparse

from PIL import Image

from pytracking_et.live.sources import open_source

EVERY = 4  # frames: a quarter of them is enough to see it move
SIZE = (384, 216)
COLORS = 48


def main() -> None:
    """Read the video, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video")
    parser.add_argument("picture")
    args = parser.parse_args()
    with open_source(args.video) as source:
        frames = [frame.image for frame in source if frame.index % EVERY == 0]
    images = [Image.fromarray(image).resize(SIZE).quantize(COLORS) for image in frames]
    images[0].save(
        args.picture, save_all=True, append_images=images[1:], loop=0, optimize=True,
        duration=round(1000 * EVERY / source.fps),
    )  # fmt: skip


if __name__ == "__main__":
    main()
