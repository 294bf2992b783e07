"""A local Visdom server that starts and works without the internet.

    python -m pytracking_et.live.visdom_server --port 8097

Visdom's own command downloads jQuery, Bootstrap, Plotly and more at its first start and fails
without a network. Here the server starts as it is, listens on this machine only, and missing
scripts are answered by a small stand-in (`visdom_offline.js`), so that images, text and
checkboxes work; scripts that visdom has downloaded before are used.

Only its own page may talk to it (`guard`), and only to a server that this user started do we send
pictures: it proves so with a key that lies in the user's cache folder, readable by nobody else.
"""

from __future__ import annotations

import argparse
import hmac
import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from .. import process
from ..errors import DependencyError, PytrackingETError, pip_line
from ..files import cache_folder, move, scratch_folder
from .guard import SECURITY_HEADERS, refusal

HERE = Path(__file__).parent
ADDRESS = "127.0.0.1"
START_SECONDS = 60.0
# Path that answers a nonce with the proof of the key.
PROOF = "/ettrack"
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


def answers(server: str, port: int) -> bool:
    """Whether a Visdom server is at `server` ("127.0.0.1" or "http://host"), `port`.

    Asks for its list of environments, not for its page: with tornado 6.6 Visdom 0.2.4 answers
    clients and refuses the page.
    """
    process.without_proxy()
    request = Request(f"{address(server)}:{port}/env_state", data=b"{}")
    try:
        with urlopen(request, timeout=1.0) as response:
            return isinstance(json.loads(response.read()), list)
    except (OSError, ValueError, RecursionError, HTTPException):
        return False


def key_file(port: int) -> Path:
    """Where the server on `port` leaves its key; the last that could listen there wrote it."""
    return cache_folder() / "visdom" / f"{port}.key"


def is_ours(port: int) -> bool:
    """Whether the server on this machine's `port` was started by this user's `ettrack`.

    Another user of the machine may listen there and collect the pictures. The key itself is never
    sent, so that such a server does not learn it.
    """
    try:
        key = key_file(port).read_bytes()
    except OSError:
        return False
    nonce = secrets.token_hex(16)
    connection = HTTPConnection(ADDRESS, port, timeout=1.0)
    try:
        connection.request("GET", f"{PROOF}?nonce={nonce}")
        # Longer than any proof: what a stranger sends is not read to its end.
        answer = connection.getresponse().read(200)
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return hmac.compare_digest(answer, _proof(key, port, nonce))


def _proof(key: bytes, port: int, nonce: str) -> bytes:
    return hmac.new(key, f"{port} {nonce}".encode(), "sha256").hexdigest().encode()


def _leave_key(port: int) -> bytes:
    key, file = secrets.token_bytes(32), key_file(port)
    file.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp, not `atomic_open`: the file stays readable by its owner alone.
    handle, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "wb") as stream:
        stream.write(key)
    move(Path(name), file)
    return key


def address(server: str) -> str:
    """`server` with a scheme, without a slash at the end."""
    return (server if "://" in server else f"http://{server}").rstrip("/")


class LocalServer:
    """Start a Visdom server on this machine and stop it at the end of the block.

    One of ours that already answers on the port is used and left running.

    Raises:
        DependencyError: visdom is not installed.
        PytrackingETError: the port is taken by something else (a Visdom server of somebody else
            too), or the server does not start.
    """

    def __init__(self, port: int = 8097) -> None:
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LocalServer:
        if importlib.util.find_spec("visdom") is None:
            raise DependencyError(
                f"Visdom is not installed: {pip_line('visdom')} (where its build fails "
                "for pkg_resources, set PIP_CONSTRAINT to a file that says setuptools<81)"
            )
        if is_ours(self.port):
            return self
        if answers(ADDRESS, self.port):
            raise PytrackingETError(
                f"the Visdom server on port {self.port} was not started by ettrack of this user; "
                "give a free port with --visdom_port, or leave out --visdom-start where you trust "
                "that server"
            )
        command = [sys.executable, "-m", __name__, "--port", str(self.port), "--until-eof"]
        with tempfile.TemporaryFile() as log:
            # The pipe ends with this process, however that ends: the server leaves then.
            # In a checkout that is not installed only this process knows where the package is.
            known = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=known
            )
            deadline = time.monotonic() + START_SECONDS
            while not is_ours(self.port):
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
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def serve(port: int, until_eof: bool = False) -> None:
    """Run a server until it is ended (blocks), or until standard input is closed."""
    # visdom imports torch where it is there, for its client's sake: seconds and 200 MB for nothing.
    sys.modules["torch"] = None  # type: ignore[assignment]
    import tornado.ioloop
    import tornado.web
    from visdom.server.app import Application, tornado_settings
    from visdom.utils.shared_utils import get_visdom_path

    static = Path(get_visdom_path("static"))

    class Text(tornado.web.RequestHandler):
        """A text of ours: why a request is refused, or in place of a file that is not there."""

        def initialize(self, text: str, kind: str, status: int = 200) -> None:  # noqa: D102
            self.set_status(status)
            self.set_header("Content-Type", f"text/{kind}; charset=utf-8")
            self.text = text

        def prepare(self) -> None:  # noqa: D102
            self.finish(self.text)

    class Headers(tornado.web.OutputTransform):
        """Adds the security headers to every answer."""

        def transform_first_chunk(  # noqa: D102
            self, status_code: int, headers: Any, chunk: bytes, finishing: bool
        ) -> tuple[int, Any, bytes]:
            headers.update(SECURITY_HEADERS)
            return status_code, headers, chunk

    class Guarded(Application):
        """Every request, sockets too, comes through here before it has a handler."""

        def find_handler(self, request: Any, **keywords: Any) -> Any:  # noqa: D102
            reason = refusal(request.headers.get("Host", ""), request.headers.get("Origin"))
            if reason is not None:
                answer = {"text": reason, "kind": "plain", "status": 403}
                return self.get_handler_delegate(request, Text, answer)
            return super().find_handler(request, **keywords)

    class Proof(tornado.web.RequestHandler):
        """Shows that this server holds the key."""

        def get(self) -> None:  # noqa: D102
            self.finish(_proof(key, port, self.get_argument("nonce")))

    class Static(tornado.web.StaticFileHandler):
        """The page asks for "static/../user/style.css", which tornado 6.6 answers with 403."""

        @classmethod
        def make_static_url(cls, settings: dict, path: str, include_version: bool = True) -> str:
            if path.startswith("../"):
                return f"/{path[3:]}"
            return f"{settings['static_url_prefix']}{path}"

    tornado_settings["static_handler_class"] = Static
    handlers: list[Any] = [
        (PROOF, Proof),
        ("/user/style.css", Text, {"text": USER_STYLE, "kind": "css"}),
    ]
    for name, file in {**dict.fromkeys(EMPTY), **STAND_INS}.items():
        if not (static / name).is_file():
            text = (HERE / file).read_text("utf-8") if file else ""
            kind = "css" if name.endswith(".css") else "javascript"
            handlers.append((f"/static/{name}", Text, {"text": text, "kind": kind}))
    with scratch_folder("visdom") as folder:
        # In a folder of its own: panels of a past run must not come back, nor mix with the user's.
        app = Guarded(port=port, base_url="", env_path=f"{folder}{os.sep}")
        app.add_handlers(".*", handlers)
        app.transforms.append(Headers)
        app.listen(port, address=ADDRESS, max_buffer_size=1 << 28)
        # Only now: a server that finds the port taken must not replace the other's key.
        key = _leave_key(port)
        loop = tornado.ioloop.IOLoop.current()
        if until_eof:
            threading.Thread(target=_stop_at_eof, args=(loop,), daemon=True).start()
        loop.start()


def _stop_at_eof(loop: Any) -> None:
    # Not through sys.stdin, whose lock a waiting thread would hold when the interpreter ends.
    while os.read(0, 1):
        pass
    loop.add_callback(loop.stop)


def main() -> int:
    """Entry point of `python -m`."""
    parser = argparse.ArgumentParser(description="Start a local Visdom server, offline.")
    parser.add_argument("--port", type=int, default=8097)
    parser.add_argument("--until-eof", action="store_true", help="end with standard input")
    options = parser.parse_args()
    if options.until_eof:
        # A terminal's Ctrl-C reaches this process too, while who started it still sends panels.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def work() -> int:
        serve(options.port, options.until_eof)
        return 0

    return process.run("visdom_server", work)


if __name__ == "__main__":
    sys.exit(main())
