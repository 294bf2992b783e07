"""Server processes: one port, signals, many clients, clients that go away."""

from __future__ import annotations

import json
import mimetypes
import signal
import socket
import sys
import threading
import urllib.request
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.sync.client import connect

from pytracking_et.boxes import iou
from pytracking_et.errors import CheckpointError, ParameterError
from pytracking_et.live import clip as demo
from pytracking_et.live.web import create_app
from pytracking_et.live.web.server import bind, qr_code
from pytracking_et.network import weights

from ..fakes import eventually
from . import fakes
from .processes import ServerProcess, fake_server


@pytest.mark.parametrize("port", [-1, 65536])
def test_impossible_port(port):
    with pytest.raises(ParameterError, match=str(port)):
        bind(port)


def test_port_in_use_names_another():
    with bind(0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ParameterError, match=rf"{port}.*--port {port + 1}"):
            bind(port)


def test_only_this_machine_can_connect():
    with bind(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def post(server, path, content=b"") -> dict:
    with urllib.request.urlopen(f"{server.address}{path}", data=content) as answer:
        return json.loads(answer.read())


def track(server, session, frame, box) -> dict[int, list]:
    """Rows of a target from `frame` to the end of the video."""
    rows = {}
    address = f"ws{server.address[4:]}/api/sessions/{session}/socket"
    with connect(address, max_size=None) as client:
        client.send(json.dumps({"type": "target", "frame": frame, "box": box}))
        for message in client:
            event = {"type": "preview"} if isinstance(message, bytes) else json.loads(message)
            if event["type"] == "rows":
                rows |= {row[0]: row for row in event["rows"]}
            if event["type"] == "state" and event["ended"]:
                return rows
    raise AssertionError("the connection ended before the video")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_end_it_without_a_trace(folder, clip, how):
    with fake_server(folder, 0.05) as server:
        session = post(server, "/api/videos?name=a.mp4", clip.read_bytes())
        address = f"ws{server.address[4:]}/api/sessions/{session['id']}/socket"
        with connect(address) as client:
            client.send(json.dumps({"type": "target", "frame": 0, "box": fakes.true_box(0)}))
            client.recv()
            assert server.files()
            assert server.stop(getattr(signal, how)) == 0
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_client_that_closes_in_the_middle_of_an_upload(folder, clip):
    with fake_server(folder) as server:
        connection = socket.create_connection(("127.0.0.1", server.port))
        head = f"POST /api/videos?name=a.mp4 HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        connection.sendall(head.encode() + b"Content-Length: 1000000\r\n\r\n")
        connection.sendall(clip.read_bytes()[:3000])
        eventually(lambda: server.files() == ["upload.bin"])
        connection.close()
        eventually(lambda: server.files() == [])
        assert post(server, "/api/videos?name=a.mp4", clip.read_bytes())["id"]


@pytest.mark.slow
def test_ten_clients_at_once_do_not_mix(folder, tmp_path):
    """Each tracks from another frame on; each gets its own boxes; the eleventh is told."""
    clip = fakes.write_clip(tmp_path / "clip.mp4", 40).read_bytes()
    found: dict[int, dict[int, list]] = {}

    def run(server, session, start):
        found[start] = track(server, session, start, fakes.true_box(start))

    with fake_server(folder, 0.002) as server:
        sessions = [post(server, "/api/videos?name=a.mp4", clip)["id"] for _ in range(10)]
        with pytest.raises(urllib.error.HTTPError) as info:
            post(server, "/api/videos?name=a.mp4", clip)
        assert info.value.code == 503
        threads = [
            threading.Thread(target=run, args=(server, session, start))
            for start, session in enumerate(sessions)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    for start in range(10):
        assert sorted(found[start]) == list(range(start, 40))
        overlap = iou(
            [row[2:6] for row in found[start].values()], [fakes.true_box(k) for k in found[start]]
        )
        assert overlap.mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("file", [None, "lighttrack_mobile.npz"])
def test_serve_command_tracks_for_real(folder, request, file):
    """`ettrack serve` on the demo clip, whose true boxes are known; by default our weights."""
    arguments = ["serve", "--port", "0"]
    if file is not None:
        arguments += ["--checkpoint", str(request.getfixturevalue("shared") / "weights" / file)]
    else:
        try:
            weights.find("et_tracker")
        except CheckpointError as error:
            pytest.skip(str(error))
    code = (
        f"import sys, tempfile; tempfile.tempdir = {str(folder)!r}; "
        f"from pytracking_et.commands import main; sys.exit(main({arguments!r}))"
    )
    server = ServerProcess(["-c", code], folder)
    try:
        session = post(server, "/api/demo")
        rows = track(server, session["id"], 0, session["suggestion"])
        assert server.stop() == 0
    finally:
        server.process.kill()
    assert list(folder.iterdir()) == []
    truth = [frame.box for frame in demo.render(session["clip"]["frames"])]
    assert sorted(rows) == list(range(len(truth)))
    overlap = iou([rows[k][2:6] for k in range(len(truth))], truth)
    assert overlap.mean() > 0.6


OWN = "127.0.0.1:8000"


@pytest.mark.parametrize("name", ["main.js", "style.css", "icon.svg"])
def test_types_do_not_depend_on_the_registry_of_windows(open_client, name):
    mimetypes.add_type("text/plain", Path(name).suffix)
    answer = open_client().get(f"/static/{name}")
    assert "plain" not in answer.headers["content-type"]


@pytest.mark.parametrize("path", ["/", "/api/info", "/static/main.js", "/api/sessions/x"])
def test_foreign_host_is_refused_everywhere(client, path):
    answer = client.get(path, headers={"host": "evil.example"})
    assert answer.status_code == 403
    assert "evil.example" in answer.json()["error"]


def test_cross_site_upload_is_refused(client, clip, left):
    answer = client.post(
        "/api/videos?name=a.mp4",
        content=clip.read_bytes(),
        headers={"origin": "http://evil.example"},
    )
    assert answer.status_code == 403
    assert left() == []


def test_cross_site_websocket_is_refused(client, session):
    path = f"/api/sessions/{session['id']}/socket"
    headers = {"origin": "http://evil.example"}
    with (
        pytest.raises(WebSocketDisconnect) as info,
        client.websocket_connect(f"ws://{OWN}{path}", headers=headers),
    ):
        pass
    assert info.value.code == 1008


def test_every_answer_carries_the_security_headers(client):
    for path in ("/", "/static/main.js", "/api/info", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_with_a_token_nothing_is_answered_without_it(folder):
    app = create_app(fakes.MatchTracker, "fake", fakes.SMALL, token="secret")
    with TestClient(app, base_url="http://192.168.1.5:8000", follow_redirects=False) as client:
        for path in ("/", "/api/info", "/static/main.js", "/?token=wrong"):
            answer = client.get(path)
            assert answer.status_code == 403
            assert "open the link" in answer.json()["error"]
        with (
            pytest.raises(WebSocketDisconnect) as info,
            client.websocket_connect("ws://192.168.1.5:8000/api/sessions/x/socket"),
        ):
            pass
        assert info.value.code == 1008
        answer = client.get("/?token=secret")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "samesite=strict" in answer.headers["set-cookie"].lower()
        assert client.get("/api/info").status_code == 200  # with the cookie
        assert client.get("/api/info", headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("host", ["999.1.1.1", "no such host", "x" * 300])
def test_a_host_that_is_none_is_quoted(host):
    with pytest.raises(ParameterError, match="--host"):
        bind(0, host)


def test_the_link_is_a_qr_code():
    pytest.importorskip("segno")
    lines = qr_code("http://192.168.1.5:8000/?token=secret").splitlines()
    assert len(lines) > 10
