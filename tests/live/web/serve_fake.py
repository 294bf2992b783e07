"""A server process for the slow tests: python -m tests.live.web.serve_fake SECONDS_PER_FRAME."""

from __future__ import annotations

import sys
import tempfile

from pytracking_et import process
from pytracking_et.live.web import Limits, serve

from .fakes import MatchTracker


def main() -> int:
    tempfile.tempdir = sys.argv[2]
    serve(
        lambda: MatchTracker(float(sys.argv[1])),
        "template matching",
        port=0,
        limits=Limits(upload_bytes=5 << 20),
        announce=lambda address: print(address, flush=True),
        host=sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1",
    )
    return 0


if __name__ == "__main__":
    sys.exit(process.run("serve", main))
