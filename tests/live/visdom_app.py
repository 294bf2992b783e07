"""`run_live` with Visdom panels, for test_visdom_browser: `python -m tests.live.visdom_app ...`."""

import sys
import time
from pathlib import Path

from pytracking_et.live import run
from tests.live.fakes import ColourTracker, write_video


class Leisurely(ColourTracker):
    """Slow enough for a browser to see single frames."""

    def update(self, image):
        time.sleep(0.05)
        return super().update(image)


def main(folder: Path, port: int, start: bool, frames: int) -> None:
    run.make_tracker = lambda options: Leisurely()
    clip = write_video(folder / "street.avi", frames=frames, size=(240, 960))
    run.run_live(
        run.LiveOptions(
            str(clip),
            boxes=[[10, 30, 20, 16]],
            debug=2,
            visdom_port=port,
            visdom_start=start,
            window=False,
            save_results=True,
            results=str(folder / "res"),
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "start", int(sys.argv[4]))
