"""A real HTTP server on localhost; nothing is mocked."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading

import pytest

from pytracking_et.errors import CheckpointError
from pytracking_et.network.download import Published, catalogue, download, git_blob_id

CONTENT = bytes(range(256)) * 1000
BLOB = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, with ranges, or cuts the connection half way."""

    def __init__(self, options, *args):
        self.options = options
        super().__init__(*args)

    def do_GET(self):
        self.options["requests"].append(self.headers.get("Range"))
        start = 0
        if self.headers.get("Range") and self.options.get("ranges", True):
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(CONTENT):
                self.send_error(416)
                return
        if self.path != "/file":
            self.send_error(404)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", self.options.get("length", len(CONTENT) - start))
        self.end_headers()
        body = self.options.get("body", CONTENT)[start:]
        self.wfile.write(body[: self.options.pop("cut", len(body))])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    options = {"requests": []}
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, options)
    ) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        options["url"] = f"http://127.0.0.1:{running.server_port}"
        yield options
        running.shutdown()


def item(server, path="/file", blob=BLOB):
    return Published("x", "et_tracker", "x.pth", server["url"] + path, blob, "", "")


def test_download_verifies_and_is_not_repeated(server, tmp_path):
    path = download(item(server), tmp_path)
    assert path.read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["x.pth"]
    download(item(server), tmp_path)
    assert len(server["requests"]) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on(server, tmp_path, ranges):
    server["cut"] = 100_000
    with pytest.raises(CheckpointError, match="broke off after 100000 of 256000"):
        download(item(server), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["x.pth.part"]
    server["ranges"] = ranges
    assert download(item(server), tmp_path).read_bytes() == CONTENT
    assert server["requests"][-1] == "bytes=100000-"


def test_a_length_that_is_no_number_does_not_matter(server, tmp_path):
    server["length"] = "many"
    assert download(item(server), tmp_path).read_bytes() == CONTENT


def test_a_complete_part_needs_no_request(server, tmp_path):
    (tmp_path / "x.pth.part").write_bytes(CONTENT)
    assert download(item(server), tmp_path).read_bytes() == CONTENT
    assert server["requests"] == []


def test_wrong_content_is_never_kept(server, tmp_path):
    server["body"] = b"?" * len(CONTENT)
    with pytest.raises(CheckpointError, match=f"expected {BLOB}"):
        download(item(server), tmp_path)
    assert not list(tmp_path.iterdir())


def test_refused_and_offline_are_one_line(server, tmp_path):
    with pytest.raises(CheckpointError, match="404") as caught:
        download(item(server, "/gone"), tmp_path)
    assert "\n" not in str(caught.value)
    closed = Published("x", "n", "x.pth", "http://127.0.0.1:9/file", BLOB, "", "")
    with pytest.raises(CheckpointError, match="cannot reach") as caught:
        download(closed, tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("proxy", ["http:/proxy:8080", "http://.proxy:80"])
def test_a_proxy_without_a_name_is_told(tmp_path, monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    elsewhere = Published("x", "n", "x.pth", "http://example.invalid/file", BLOB, "", "")
    with pytest.raises(CheckpointError, match="cannot reach"):
        download(elsewhere, tmp_path)


def test_git_blob_id_is_gits(tmp_path):
    (tmp_path / "a").write_bytes(b"hello\n")
    # printf 'hello\n' | git hash-object --stdin
    assert git_blob_id(tmp_path / "a") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_catalogue():
    assert catalogue()["official"].git_blob == "7baf05c26faa7e2ad960635f0ba7ea04aca1e97a"


@pytest.mark.parametrize("place", ["x.pth.part", ""], ids=["part", "folder"])
def test_a_folder_that_cannot_be_written_is_no_fault_of_the_network(server, tmp_path, place):
    folder = tmp_path / "weights"
    if place:
        (folder / place).mkdir(parents=True)
    else:
        folder.write_text("")
    with pytest.raises(CheckpointError, match="weights cannot be written .*PYTRACKING_ET_CACHE"):
        download(item(server), folder)
