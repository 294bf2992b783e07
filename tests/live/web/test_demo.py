import pytest

from pytracking_et.live.web import demo

from .test_channel import Talk, connect


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(demo, "FRAMES", 10)


def test_demo_clip_suggests_its_target(client, left):
    first, second = client.post("/api/demo").json(), client.post("/api/demo").json()
    assert left() == ["demo.mp4"]  # rendered once, for all
    assert first["id"] != second["id"]
    assert first["clip"]["frames"] == 10
    with connect(client, first["id"]) as socket:
        talk = Talk(socket)
        talk.send("target", frame=0, box=first["suggestion"])
        talk.until("state", ended=True)
    assert len(talk.rows) == 10
    client.delete(f"/api/sessions/{first['id']}")
    assert left() == ["demo.mp4"]
    assert client.get(f"/api/sessions/{second['id']}").status_code == 200
