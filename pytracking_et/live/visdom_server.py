"""A local Visdom server that starts and works without the internet.

    python -m pytracking_et.live.visdom_server --port 8097

Visdom's own command downloads jQuery, Bootstrap, Plotly and more at its first start and fails
without a network. Here the server starts as it is, listens on this machine only, and missing
scripts are answered by a small stand-in (`visdom_offline.js`), so that images, text and
checkboxes work; scripts that visdom has downloaded before are used.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from ..errors import DependencyError, PytrackingETError
from ..files import scratch_folder

HERE = Path(__file__).parent
ADDRESS = "127.0.0.1"
START_SECONDS = 60.0
# Path below static/: stand-in served when visdom has no such file.
STAND_INS = {
    "js/layout_bin_packer.js": "visdom_offline.js",
    "css/bootstrap.min.css": "visdom_offline.css",
}
# Visdom centres an image in its panel but counts clicks from the panel's upper edge.
USER_STYLE = ".content-image { margin: 0 auto; }"
# Asked for by the page, needed by nothing that is shown: answered empty to keep its console clean.
EMPTY = (
    "js/jquery.min.js",
    "js/bootstrap.min.js",
    "js/react-react.min.js",
    "js/react-dom.min.js",
    "js/mathjax/2.7.5/MathJax.js",
    "js/mathjax/2.7.5/config/TeX-AMS-MML_HTMLorMML.js",
    "js/d3.v3.min.js",
    "js/d3-selection-multi.v1.js",
    "js/saveSvgAsPng.js",
    "css/react-resizable-styles.css",
    "css/react-grid-layout-styles.css",
)


def answers(server: str, port: int, timeout: float = 1.0) -> bool:
    """Whether a Visdom server is at `server` ("127.0.0.1" or "http://host"), `port`.

    Asks for its list of environments, not for its page: with tornado 6.6 Visdom 0.2.4 answers
    clients and refuses the page.
    """
    request = Request(f"{address(server)}:{port}/env_state", data=b"{}")
    try:
        with urlopen(request, timeout=timeout) as response:
            return isinstance(json.loads(response.read()), list)
    except (URLError, OSError, ValueError, HTTPException):
        return False


def address(server: str) -> str:
    """`server` with a scheme, without a slash at the end."""
    return (server if "://" in server else f"http://{server}").rstrip("/")


def require_visdom() -> None:
    """Raise DependencyError, saying how to install it, where visdom is missing."""
    if importlib.util.find_spec("visdom") is None:
        raise DependencyError(
            "Visdom is not installed: pip install 'pytracking-et[visdom]' (where its build fails "
            "for pkg_resources, set PIP_CONSTRAINT to a file that says setuptools<81)"
        )


class LocalServer:
    """Start a Visdom server on this machine and stop it at the end of the block.

    One that already answers on the port is used and left running.

    Raises:
        DependencyError: visdom is not installed.
        PytrackingETError: the port is taken by something else, or the server does not start.
    """

    def __init__(self, port: int = 8097) -> None:
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LocalServer:
        require_visdom()
        if answers(ADDRESS, self.port):
            return self
        command = [sys.executable, "-m", __name__, "--port", str(self.port)]
        with tempfile.TemporaryFile() as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
            deadline = time.monotonic() + START_SECONDS
            while not answers(ADDRESS, self.port):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    log.seek(0)
                    text = log.read().decode(errors="replace").strip()
                    raise PytrackingETError(
                        f"Visdom does not start on port {self.port}: "
                        f"{text.splitlines()[-1] if text else 'no answer'}; try --visdom_port"
                    )
                time.sleep(0.1)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{ADDRESS}:{self.port}"


def serve(port: int) -> None:
    """Run a server until it is ended (blocks)."""
    # visdom imports torch where it is there, for its client's sake: seconds and 200 MB for nothing.
    sys.modules["torch"] = None  # type: ignore[assignment]
    import tornado.ioloop
    import tornado.web
    from visdom.server.app import Application, tornado_settings
    from visdom.utils.shared_utils import get_visdom_path

    static = Path(get_visdom_path("static"))

    class Static(tornado.web.StaticFileHandler):
        """The page asks for "static/../user/style.css", which tornado 6.6 answers with 403."""

        @classmethod
        def make_static_url(cls, settings: dict, path: str, include_version: bool = True) -> str:
            if path.startswith("../"):
                return f"/{path[3:]}"
            return f"{settings['static_url_prefix']}{path}"

    class StandIn(tornado.web.RequestHandler):
        """A text of ours in place of a file that is not there."""

        def initialize(self, text: str, kind: str) -> None:  # noqa: D102
            self.text, self.kind = text, kind

        def get(self) -> None:  # noqa: D102
            self.set_header("Content-Type", self.kind)
            self.finish(self.text)

    tornado_settings["static_handler_class"] = Static
    handlers: list[Any] = [
        ("/user/style.css", StandIn, {"text": USER_STYLE, "kind": "text/css"}),
    ]
    for name, file in {**dict.fromkeys(EMPTY), **STAND_INS}.items():
        if not (static / name).is_file():
            text = (HERE / file).read_text("utf-8") if file else ""
            kind = "text/css" if name.endswith(".css") else "text/javascript"
            handlers.append((f"/static/{name}", StandIn, {"text": text, "kind": kind}))
    with scratch_folder("visdom") as folder:
        # In a folder of its own: panels of a past run must not come back, nor mix with the user's.
        app = Application(port=port, base_url="", env_path=f"{folder}{os.sep}")
        app.add_handlers(".*", handlers)
        app.listen(port, address=ADDRESS, max_buffer_size=1 << 28)
        tornado.ioloop.IOLoop.current().start()


def main() -> None:
    """Entry point of `python -m`."""
    parser = argparse.ArgumentParser(description="Start a local Visdom server, offline.")
    parser.add_argument("--port", type=int, default=8097)
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
