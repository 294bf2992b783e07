"""`run_live` without a network, in a process: `python -m tests.live.app FOLDER SECONDS OPTIONS`.

SECONDS for each frame, so that a browser sees single ones; OPTIONS are those of `LiveOptions` and,
for the clip, `frames` and `size`.
"""

import json
import sys
import time
from pathlib import Path

from pytracking_et.live import run
from tests.live.fakes import ColourTracker, write_video


class Leisurely(ColourTracker):
    def update(self, image):
        time.sleep(float(sys.argv[2]))
        return super().update(image)


def main(folder: Path, frames: int, size: tuple[int, int], **options) -> None:
    run.make_tracker = lambda spec: Leisurely()
    clip = write_video(folder / "street.avi", frames=frames, size=size)
    results = str(folder / "res")
    run.run_live(run.LiveOptions(str(clip), save_results=True, results=results, **options))


if __name__ == "__main__":
    main(Path(sys.argv[1]), **json.loads(sys.argv[3]))
