from __future__ import annotations

import asyncio
import errno
import re
import struct
from dataclasses import replace

import pytest

from pytracking_et.errors import ImageError, SourceError
from pytracking_et.frames import jpeg_size
from pytracking_et.live.sources import CaptureSource
from pytracking_et.live.web import uploads
from pytracking_et.live.web.server import create_app
from pytracking_et.live.web.uploads import (
    Limits,
    RefusedError,
    checked_name,
    decode_jpeg,
    encode_preview,
    looks_like_video,
    probe,
)

from ..fakes import write_frames
from . import fakes
from .test_channel import track


@pytest.mark.parametrize(
    "name", ["clip.mp4", "Tom's & my – Ausflug #3.MOV", "12:30:05.webm", ".hidden.mp4", "日本.mkv"]
)
def test_ordinary_names_are_kept(name):
    assert checked_name(f" {name} ") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "  ",
        "..",
        "../../etc/passwd.mp4",
        "/etc/passwd",
        "a/b.mp4",
        "..\\..\\boot.mp4",
        "C:clip.mp4",
        "<script>alert(1)</script>.mp4",
        "<img src=x onerror=alert(1)>.mp4",
        "a\nb.mp4",
        "a\x00.mp4",
        "x" * 201,
    ],
)
def test_paths_and_markup_are_refused(name, client, clip, left):
    with pytest.raises(RefusedError):
        checked_name(name)
    answer = client.post("/api/videos", params={"name": name}, content=clip.read_bytes())
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert left() == []


def playlist() -> bytes:
    return b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n" * 40


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 400, "empty"),
        (b"hello", 415, "not a video"),
        (b"<html><script>alert(1)</script>" * 99, 415, "not a video"),
        (playlist(), 415, "not a video"),  # FFmpeg would open what it points to
        (b"\x89PNG\r\n\x1a\n" + bytes(2000), 415, "not a video"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(4000), 415, "decode"),
        (b"\x1a\x45\xdf\xa3" + bytes(4000), 415, "decode"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(200_000), 413, "MB"),
    ],
    ids=["empty", "text", "html", "playlist", "png", "false mp4", "false webm", "huge"],
)
def test_what_is_no_video_is_refused_without_a_trace(client, left, content, status, words):
    answer = client.post("/api/videos?name=a.mp4", content=content)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert left() == []
    assert len(client.app.state.server.store) == 0


def test_chunked_upload_is_counted_while_it_comes(client, left):
    chunks = [b"\x00\x00\x00\x18ftypmp42", *[bytes(50_000)] * 6]
    answer = client.post("/api/videos?name=a.mp4", content=iter(chunks))
    assert answer.status_code == 413
    assert left() == []


@pytest.mark.parametrize("announced", ["-1", "many", "1e9", "9" * 5000])
def test_false_content_length_is_refused(client, left, announced):
    answer = client.post(
        "/api/videos?name=a.mp4", content=b"abc", headers={"content-length": announced}
    )
    assert answer.status_code == 400
    assert left() == []


def test_frames_below_the_limit_are_refused(client, tmp_path, left):
    tiny = fakes.frame(0, hidden=True, size=(16, 16))
    path = write_frames(tmp_path / "tiny.avi", [tiny], "MJPG")
    answer = client.post("/api/videos?name=tiny.avi", content=path.read_bytes())
    assert answer.status_code == 415
    assert "16x16" in answer.json()["error"]
    assert left() == []


@pytest.mark.parametrize(
    ("suffix", "code"), [("mp4", "mp4v"), ("avi", "MJPG"), ("mkv", "mp4v"), ("webm", "VP80")]
)
def test_videos_are_recognised_by_content(client, tmp_path, suffix, code):
    path = fakes.write_clip(tmp_path / f"clip.{suffix}", code=code)
    answer = client.post("/api/videos?name=wrong.txt", content=path.read_bytes())
    assert answer.status_code == 201, answer.text
    found = answer.json()["clip"]
    assert (found["width"], found["height"]) == (fakes.WIDTH, fakes.HEIGHT)
    assert found["fps"] == pytest.approx(25, abs=0.1)


def test_the_users_name_never_becomes_a_path(client, session, left):
    assert session["clip"]["name"] == "clip.mp4"
    assert left() == ["upload.bin"]
    assert re.fullmatch(r"[\w-]{20,}", session["id"])


def test_full_disk_is_told(client, clip, left, monkeypatch):
    async def receive(request, path, limit):
        path.write_bytes(b"the first part")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(uploads, "receive", receive)
    answer = client.post("/api/videos?name=a.mp4", content=clip.read_bytes())
    assert answer.status_code == 507
    assert "No space left" in answer.json()["error"]
    assert left() == []


SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/api/videos",
    "raw_path": b"/api/videos",
    "query_string": b"name=a.mp4",
    "headers": [(b"host", b"127.0.0.1")],
}


@pytest.mark.parametrize("seconds", [60, 0.02], ids=["silent", "a byte now and then"])
@pytest.mark.parametrize("head", [b"", b"\x00\x00\x00\x18ftypmp42", b"no video"])
def test_an_upload_that_is_held_open_ends(folder, left, seconds, head):
    first, answers = [head], []

    async def receive():
        if not first:
            await asyncio.sleep(seconds)
        return {"type": "http.request", "body": first.pop() if first else b"x", "more_body": True}

    async def send(message):
        answers.append(message)

    limits = replace(fakes.SMALL, upload_stall_seconds=0.3)
    app = create_app(fakes.MatchTracker, "fake", limits)
    asyncio.run(asyncio.wait_for(app(SCOPE, receive, send), 30))
    assert answers[0]["status"] == 408
    assert b"stalled after" in answers[1]["body"]
    assert left() == []
    assert len(app.state.server.store) == 0
    app.state.server.store.shut_down()


@pytest.fixture
def short_demo(monkeypatch):
    monkeypatch.setattr(uploads, "DEMO_FRAMES", 10)


def test_demo_clip_suggests_its_target(client, left, short_demo):
    first, second = client.post("/api/demo").json(), client.post("/api/demo").json()
    assert left() == ["demo.mp4"]  # rendered once, for all
    assert first["id"] != second["id"]
    assert first["clip"]["frames"] == 10
    assert len(track(client, first, box=first["suggestion"]).rows) == 10
    client.delete(f"/api/sessions/{first['id']}")
    assert left() == ["demo.mp4"]
    assert client.get(f"/api/sessions/{second['id']}").status_code == 200


def test_demo_clip_that_a_cleaner_removed_is_made_again(client, folder, short_demo):
    assert client.post("/api/demo").status_code == 201
    next(folder.rglob("demo.mp4")).unlink()
    assert client.post("/api/demo").status_code == 201


# ------------------------------------------------------- recognised, decoded, measured
def test_jpeg_size_needs_no_decoding():
    data = fakes.jpeg(fakes.frame(0))
    assert jpeg_size(data) == (fakes.WIDTH, fakes.HEIGHT)
    assert jpeg_size(data[:700]) == (fakes.WIDTH, fakes.HEIGHT)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"GIF89a" + bytes(50), b"\xff\xd8" + bytes(99)])
def test_what_is_no_jpeg(data):
    with pytest.raises(ImageError):
        decode_jpeg(data, Limits())


def test_damaged_jpeg_is_an_error():
    data = fakes.jpeg(fakes.frame(0))
    header = data[: data.index(b"\xff\xda")]  # everything before the first scan
    with pytest.raises(ImageError, match="damaged"):
        decode_jpeg(header, Limits())


def test_announced_size_is_checked_before_memory_is_taken():
    data = bytearray(fakes.jpeg(fakes.frame(0)))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", 65535, 65535)
    with pytest.raises(SourceError, match="65535x65535"):
        decode_jpeg(bytes(data), Limits())


@pytest.mark.parametrize(("side", "expected"), [(80, (80, 60)), (500, (160, 120))])
def test_preview_is_only_scaled_down(side, expected):
    assert jpeg_size(encode_preview(fakes.frame(0), side)) == expected


def test_transport_stream_is_recognised():
    packets = (b"G" + bytes(187)) * 4
    assert looks_like_video(packets)
    assert not looks_like_video(b"Great text that starts with a G" * 30)


def test_probe_of_a_missing_file(tmp_path):
    with pytest.raises(SourceError):
        probe(tmp_path / "absent.mp4", "absent.mp4", Limits())


def test_a_video_too_large_is_refused_before_a_frame_is_decoded(clip, monkeypatch):
    monkeypatch.setattr(CaptureSource, "__iter__", None)
    with pytest.raises(SourceError, match="160x120"):
        probe(clip, "a.mp4", Limits(max_pixels=160 * 120 - 1))
