import pytest
from starlette.websockets import WebSocketDisconnect

OWN = "127.0.0.1:8000"


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
