"""Web page on localhost: open a camera or a video in the browser, draw a box, watch it tracked.

from pytracking_et.live.web import serve
serve(ETTracker, "et_tracker", port=8000)

Needs the extra `web` (Starlette and uvicorn): pip install "pytracking-et[web]".
"""

from __future__ import annotations

from ...errors import DependencyError, pip_line

try:
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
    import websockets  # noqa: F401
except ImportError as error:
    raise DependencyError(
        f"the web page needs the package {error.name!r}; install it with: {pip_line('web')}"
    ) from error

from .server import create_app, qr_code, serve
from .uploads import Limits

__all__ = ["Limits", "create_app", "qr_code", "serve"]
