"""The application with a small tracker, asked by a TestClient or a browser; its folder."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack

import pytest

pytest.importorskip("starlette", reason='needs pip install "pytracking-et[web]"')
pytest.importorskip("httpx", reason="starlette's TestClient needs httpx")

from starlette.testclient import TestClient

from pytracking_et.live.web import create_app

from . import fakes
from .pages import browser
from .processes import fake_server

ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


@pytest.fixture
def open_client(folder):
    """Function that starts a server with given limits, tracker and options of `create_app`."""

    def start(limits=fakes.SMALL, make_tracker=fakes.MatchTracker, **options) -> TestClient:
        app = create_app(make_tracker, "fake", limits, **options)
        return clients.enter_context(TestClient(app, base_url=ADDRESS))

    with ExitStack() as clients:
        yield start


@pytest.fixture
def client(open_client):
    return open_client()


@pytest.fixture
def left(folder):
    """Function that lists the files under the temporary folder."""
    return lambda: sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def clip(tmp_path):
    return fakes.write_clip(tmp_path / "clip.mp4")


@pytest.fixture
def session(client, clip):
    """Description of a session with the uploaded clip."""
    return fakes.upload(client, clip)


@pytest.fixture
def server(folder, request):
    """Takes 0.01 s for a frame, or as much as its parameter says."""
    with fake_server(folder, getattr(request, "param", 0.01)) as process:
        yield process


@pytest.fixture
def page(tmp_path):
    """A page of a fresh browser, whose console must be clean at the end."""
    with browser(tmp_path) as found:
        yield found
        assert found.problems == []
