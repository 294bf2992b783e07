"""`run_live` with a window, for test_window_screen: `python -m tests.live.window_app DIR`."""

import sys
from pathlib import Path

from pytracking_et.live import run
from tests.live.fakes import ColourTracker, write_video


def main(folder: Path) -> None:
    run.make_tracker = lambda options: ColourTracker()
    clip = write_video(folder / "street.avi", frames=60, size=(240, 320))
    run.run_live(
        run.LiveOptions(
            str(clip), save_results=True, results=str(folder / "res"), output=str(folder / "o.avi")
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
