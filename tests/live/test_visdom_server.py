import os
import re
import shutil
import subprocess
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pytracking_et import errors
from pytracking_et.errors import DependencyError, PytrackingETError
from pytracking_et.live import visdom_server as module
from pytracking_et.live.visdom_server import (
    ADDRESS,
    HERE,
    LocalServer,
    address,
    answers,
    is_ours,
    key_file,
)

from .fakes import free_port, serving


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keys of the servers do not go into the user's cache."""
    monkeypatch.setenv("PYTRACKING_ET_CACHE", str(tmp_path / "cache"))


class Stranger(BaseHTTPRequestHandler):
    """Something that is no Visdom."""

    posted, got = b"hello", b""

    def do_POST(self):
        self.answer(self.posted)

    def do_GET(self):
        self.answer(self.got)

    def answer(self, text):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


class Impostor(Stranger):
    """Answers as Visdom does, and the proof with what it can guess."""

    posted, got = b'["main"]', b"0" * 64


@pytest.fixture
def stranger():
    with serving(HTTPServer((ADDRESS, 0), Stranger)) as port:
        yield port


@pytest.fixture
def impostor():
    with serving(HTTPServer((ADDRESS, 0), Impostor)) as port:
        yield port


@pytest.mark.parametrize(
    ("given", "expected"),
    [("127.0.0.1", "http://127.0.0.1"), ("https://box/", "https://box"), ("box", "http://box")],
)
def test_address(given, expected):
    assert address(given) == expected


def test_silence_and_strangers_do_not_answer(stranger):
    assert not answers("127.0.0.1", free_port())
    assert not answers("127.0.0.1", stranger)


def test_a_taken_port_is_an_error_that_says_so(stranger):
    pytest.importorskip("visdom")
    words = rf"port {stranger}.*--visdom_port"
    with pytest.raises(PytrackingETError, match=words), LocalServer(stranger):
        pass


def test_without_visdom_the_error_tells_how_to_install(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=re.escape(errors.pip_line("visdom"))), LocalServer(1):
        pass


@pytest.mark.slow
def test_two_runs_share_one_server(tmp_path):
    pytest.importorskip("visdom")
    port = free_port()
    with LocalServer(port) as first:
        assert answers("127.0.0.1", port)
        with LocalServer(port) as second:
            assert second._process is None
        assert answers("127.0.0.1", port)
        assert first._process.poll() is None
    assert not answers("127.0.0.1", port)


@pytest.mark.parametrize("key", [None, b"left by a server of ours that has ended"])
def test_a_server_of_somebody_else_gets_no_pictures(impostor, key, monkeypatch):
    if key is not None:
        key_file(impostor).parent.mkdir(parents=True)
        key_file(impostor).write_bytes(key)
    assert answers(ADDRESS, impostor)
    assert not is_ours(impostor)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: name)
    words = f"port {impostor} was not started by ettrack"
    with pytest.raises(PytrackingETError, match=words), LocalServer(impostor):
        pass


def request(port, path, method="GET", body=None, **headers):
    """(status, headers, body) of one request; headers as given, Host too."""
    connection = HTTPConnection(ADDRESS, port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": f"{ADDRESS}:{port}", **headers}.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.putheader("Content-Length", str(len(body or b"")))
    connection.endheaders(body)
    answer = connection.getresponse()
    found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    connection.close()
    return found


SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.slow
def test_only_its_own_page_may_talk_to_the_server():
    pytest.importorskip("visdom")
    port = free_port()
    with LocalServer(port):
        own = f"http://{ADDRESS}:{port}"
        if os.name == "posix":
            assert key_file(port).stat().st_mode & 0o077 == 0
        paths = [(path, "GET") for path in ("/", "/env/main", "/static/js/main.js", "/ettrack")]
        paths += [("/user/style.css", "GET"), ("/socket_wrap", "GET"), ("/nothing", "GET")]
        paths += [(f"/{name}", "POST") for name in ("events", "win_data", "env_state", "save")]
        paths += [(f"/{name}", "POST") for name in ("vis_socket_wrap", "close", "update")]
        for path, method in paths:
            for foreign in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
                status, headers, text = request(port, path, method, **foreign)
                assert (status, headers["x-frame-options"]) == (403, "DENY"), (path, foreign)
                assert b"evil.example" in text
        for path in ("/socket", "/vis_socket"):
            assert request(port, path, Origin=own, **SOCKET)[0] == 101
            assert request(port, path, Origin="http://evil.example", **SOCKET)[0] == 403
            assert request(port, path, Host="evil.example", **SOCKET)[0] == 403
        status, headers, _ = request(port, "/env_state", "POST", b"{}", Origin=own)
        assert status == 200
        assert headers["cross-origin-resource-policy"] == "same-origin"


NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.parametrize(
    ("index", "expected"), [(0, "0,0"), (1, "40,0"), (2, "0,30"), (3, "60,30"), (4, "0,50")]
)
def test_shelves(index, expected):
    """Panels 40, 60, 60, 40, 100 wide on shelves of 100."""
    script = (HERE / "visdom_offline.js").read_text("utf-8")
    program = f"""
    global.window = global; global.fetch = () => null;
    {script}
    const items = [[40, 30], [60, 20], [60, 20], [40, 10], [100, 5]];
    const bin = new Bin.ShelfFirst(items.map(([width, height]) => ({{width, height}})), 100);
    const place = bin.position({index}, 100);
    console.log(place.x + "," + place.y);
    """
    done = subprocess.run([NODE, "-e", program], capture_output=True, text=True, check=True)
    assert re.sub(r"\s", "", done.stdout) == expected
