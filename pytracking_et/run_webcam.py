"""Track live from a camera: `python run_webcam.py ...` from inside this folder, or with -m.

The same as `ettrack webcam ...`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    # Run as a file: in place of this folder the one in which the package is found.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from pytracking_et.commands import main


def run_webcam(
    tracker_name: str,
    tracker_param: str,
    debug: int | None = None,
    visdom_info: dict[str, Any] | None = None,
) -> int:
    """pytracking's function of this name: camera 0; returns the exit code."""
    from pytracking_et.live.run import LiveOptions, run_live
    from pytracking_et.spec import TrackerSpec

    info = visdom_info or {}
    return run_live(
        LiveOptions(
            source="0",
            spec=TrackerSpec(tracker_name, tracker_param),
            debug=debug or 0,
            use_visdom=info.get("use_visdom", True),
            visdom_server=info.get("server", "127.0.0.1"),
            visdom_port=info.get("port", 8097),
        )
    )


if __name__ == "__main__":
    sys.exit(main(["webcam", *sys.argv[1:]]))
