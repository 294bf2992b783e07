"""`python run_video.py`: the same as `ettrack video`."""

import sys
from pathlib import Path

if __package__ in (None, ""):
    # Run as a script from a bare checkout: the package's folder's parent is not on the path yet.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from pytracking_et.commands import main

if __name__ == "__main__":
    sys.exit(main(["video", *sys.argv[1:]]))
