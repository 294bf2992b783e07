"""Track in a video file: `python run_video.py ...` from inside this folder, or with -m.

The same as `ettrack video ...`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):
    # Run as a file: in place of this folder the one in which the package is found.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from pytracking_et.commands import main


def run_video(
    tracker_name: str,
    tracker_param: str,
    videofile: str,
    optional_box: Sequence[float] | None = None,
    debug: int | None = None,
    save_results: bool = False,
) -> int:
    """pytracking's function of this name; returns the exit code."""
    from pytracking_et.live.run import LiveOptions, run_live
    from pytracking_et.spec import TrackerSpec

    return run_live(
        LiveOptions(
            source=videofile,
            spec=TrackerSpec(tracker_name, tracker_param),
            boxes=[optional_box] if optional_box is not None else (),
            debug=debug or 0,
            save_results=save_results,
        )
    )


if __name__ == "__main__":
    sys.exit(main(["video", *sys.argv[1:]]))
