"""The WebSocket: videos and cameras tracked, wrong messages refused."""

from __future__ import annotations

import json
import struct
import threading
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from starlette.websockets import WebSocketDisconnect

from pytracking_et.boxes import iou
from pytracking_et.live.web.channel import ProtocolError, parse_command, parse_frame
from pytracking_et.live.web.page import CameraFrame, Command, pack

from ..fakes import eventually
from . import fakes


class Talk:
    """One connection, with the messages sorted out."""

    def __init__(self, socket):
        self.socket = socket
        self.rows: dict[int, list] = {}
        self.previews: list[tuple[dict, bytes]] = []
        self.texts: list[dict] = []

    def next(self) -> dict:
        message = self.socket.receive()
        if message["type"] == "websocket.close":
            raise WebSocketDisconnect(message["code"], message.get("reason"))
        if message.get("bytes") is not None:
            data = message["bytes"]
            (length,) = struct.unpack(">I", data[:4])
            header = json.loads(data[4 : 4 + length])
            self.previews.append((header, data[4 + length :]))
            return header
        event = json.loads(message["text"])
        self.texts.append(event)
        if event["type"] == "rows":
            self.rows |= {row[0]: row for row in event["rows"]}
        if event["type"] == "all":
            self.rows = {row[0]: row for row in event["rows"]}
        return event

    def until(self, kind: str, **values) -> dict:
        while True:
            event = self.next()
            if event["type"] == kind and all(event.get(k) == v for k, v in values.items()):
                return event

    def send(self, kind: str, **values) -> None:
        self.socket.send_text(json.dumps({"type": kind, **values}))


@contextmanager
def connect(client, identity):
    address = f"ws://127.0.0.1:8000/api/sessions/{identity}/socket"
    with client.websocket_connect(address) as socket:
        yield Talk(socket)


def track(client, session, box=None):
    """The talk about one target, up to the end of the video."""
    with connect(client, session["id"]) as talk:
        talk.send("target", frame=0, box=box or fakes.true_box(0))
        talk.until("state", ended=True)
    return talk


def mean_iou(rows) -> float:
    boxes = [row[2:6] for row in rows.values()]
    return float(np.mean(iou(boxes, [fakes.true_box(k) for k in rows])))


def test_video_is_tracked_to_its_end(client, session):
    with connect(client, session["id"]) as talk:
        assert talk.until("hello")["session"]["id"] == session["id"]
        talk.until("state", frame=0, playing=False)
        talk.send("target", frame=0, box=fakes.true_box(0))
        talk.until("state", ended=True)
    assert sorted(talk.rows) == list(range(20))
    assert talk.rows[0][6] is None  # drawn by the user
    assert mean_iou(talk.rows) > 0.8
    assert min(row[6] for row in talk.rows.values() if row[0]) > 0.8


def test_previews_show_the_frame_they_name(client, session):
    with connect(client, session["id"]) as talk:
        talk.until("preview")
        for frame in (7, 3, 3, 19):
            talk.send("seek", frame=frame)
            talk.until("preview", frame=frame)
            image = cv2.imdecode(np.frombuffer(talk.previews[-1][1], np.uint8), 1)[..., ::-1]
            assert abs(image.astype(int) - fakes.frame(frame)).mean() < 6


def test_correction_in_the_middle_replaces_only_what_follows(client, session):
    with connect(client, session["id"]) as talk:
        talk.send("target", frame=0, box=[100, 60, 20, 20])  # background
        talk.until("state", ended=True)
        wrong = dict(talk.rows)
        talk.send("target", frame=10, box=fakes.true_box(10), id=1)
        talk.until("state", playing=True)
        talk.until("state", ended=True)
    assert [talk.rows[k] for k in range(10)] == [wrong[k] for k in range(10)]
    assert mean_iou({k: talk.rows[k] for k in range(10, 20)}) > 0.8


def test_pause_step_and_replay(open_client, tmp_path):
    client = open_client(make_tracker=lambda: fakes.MatchTracker(0.1))
    clip = fakes.write_clip(tmp_path / "long.mp4", 300, hidden=range(20, 300))
    session = fakes.upload(client, clip)
    with connect(client, session["id"]) as talk:
        talk.send("target", frame=0, box=fakes.true_box(0))
        talk.until("rows")
        talk.send("pause")
        at = talk.until("state", playing=False, tracking=True)["frame"]
        assert at < 299
        talk.send("step")
        assert talk.until("state", frame=at + 1)["playing"] is False
        assert talk.until("preview", frame=at + 1)["rows"][0][0] == at + 1
        talk.send("seek", frame=1)  # the rows so far are shown again
        assert talk.until("preview", frame=1)["rows"] == [talk.rows[1]]


def test_seek_beyond_the_end_shows_the_last_frame(client, session):
    with connect(client, session["id"]) as talk:
        talk.send("seek", frame=500)
        assert talk.until("preview", frame=19)["rows"] == []


def test_box_outside_the_picture_is_told_and_work_goes_on(client, session):
    with connect(client, session["id"]) as talk:
        talk.send("target", frame=0, box=[500, 20, 30, 30])
        assert "outside" in talk.until("error")["message"]
        talk.send("target", frame=0, box=[5, 20, 0, 30])
        assert "area" in talk.until("error")["message"]
        talk.send("target", frame=0, box=fakes.true_box(0))
        talk.until("state", ended=True)
    assert len(talk.rows) == 20


def test_video_that_breaks_off_keeps_what_came_before(client, tmp_path):
    whole = fakes.write_clip(tmp_path / "whole.avi", 60, code="MJPG").read_bytes()
    cut = whole[: len(whole) // 2]
    session = client.post("/api/videos?name=cut.avi", content=cut).json()
    talk = track(client, session)
    assert 5 < len(talk.rows) < 60
    address = f"/api/sessions/{session['id']}"
    lines = client.get(f"{address}/boxes.csv").text.splitlines()[1:]
    assert [int(line.split(",")[0]) for line in lines] == sorted(talk.rows)
    answer = client.get(f"{address}/tracks.mot.txt")
    assert "cut-mot.txt" in answer.headers["content-disposition"]
    tracks = [int(line.split(",")[0]) for line in answer.text.splitlines()]
    assert tracks == [1 + frame for frame in sorted(talk.rows)]
    assert client.get(f"{address}/tracks.xyz.txt").status_code == 404


def test_defect_of_a_tracker_is_told_and_rows_stay(open_client, clip):
    client = open_client(make_tracker=fakes.BrokenTracker)
    session = fakes.upload(client, clip)
    with connect(client, session["id"]) as talk:
        talk.send("target", frame=0, box=fakes.true_box(0))
        assert "fell over" in talk.until("error", fatal=True)["message"]
        with pytest.raises(WebSocketDisconnect) as info:
            talk.until("never")
        assert info.value.code == 1000
    assert len(client.get(f"/api/sessions/{session['id']}").json()["rows"]) == 3


def test_rows_survive_a_lost_connection(client, session):
    track(client, session)
    with connect(client, session["id"]) as talk:
        assert len(talk.until("hello")["session"]["rows"]) == 20


@pytest.mark.parametrize(
    ("mode", "send"),
    [
        ("video", lambda socket: socket.send_text("not json")),
        ("video", lambda socket: socket.send_text('{"type": "erase"}')),
        ("video", lambda socket: socket.send_bytes(pack({"frame": 0, "time": 0}, b""))),
        ("camera", lambda socket: socket.send_bytes(pack({"frame": 0, "time": 0}, bytes(5 << 20)))),
    ],
    ids=["no JSON", "unknown type", "frame for a video", "frame too large"],
)
def test_protocol_errors_close_the_connection(client, session, camera, mode, send):
    identity = camera if mode == "camera" else session["id"]
    with connect(client, identity) as talk:
        send(talk.socket)
        with pytest.raises(WebSocketDisconnect) as info:
            talk.until("never")
    assert info.value.code == 4400
    assert info.value.reason
    assert client.get(f"/api/sessions/{identity}").status_code == 200


def test_unknown_session(client):
    with connect(client, "nothing-here") as talk, pytest.raises(WebSocketDisconnect) as info:
        talk.next()
    assert info.value.code == 4404


def test_second_tab_is_refused(client, session):
    with connect(client, session["id"]) as first:
        first.until("hello")
        with connect(client, session["id"]) as second, pytest.raises(WebSocketDisconnect) as info:
            second.next()
        assert info.value.code == 4409


# ------------------------------------------------------------------- camera
@pytest.fixture
def camera(client):
    return client.post("/api/cameras").json()["id"]


def offer(talk, number, image=None, **header):
    data = fakes.jpeg(fakes.frame(number) if image is None else image)
    talk.socket.send_bytes(pack({"frame": number, "time": number / 25, **header}, data))


def follow(talk, frames):
    """The target, drawn on frame 0, through so many, each sent when the one before is answered."""
    offer(talk, 0, box=fakes.true_box(0))
    talk.until("rows")
    for number in range(1, frames):
        offer(talk, number)
        assert talk.until("rows")["rows"][0][0] == number


def test_camera_frames_come_back_with_their_numbers(client, camera):
    with connect(client, camera) as talk:
        follow(talk, 15)
    assert mean_iou(talk.rows) > 0.8
    described = client.get(f"/api/sessions/{camera}").json()
    assert described["mode"] == "camera"
    assert [row[0] for row in described["rows"]] == list(range(15))


def test_newest_frame_wins(open_client):
    busy, gate = threading.Event(), threading.Event()

    class Gated(fakes.MatchTracker):
        def update(self, image):
            busy.set()
            assert gate.wait(60)
            return super().update(image)

    client = open_client(make_tracker=Gated)
    camera = client.post("/api/cameras").json()["id"]
    with connect(client, camera) as talk:
        offer(talk, 0, box=fakes.true_box(0))
        talk.until("rows")
        offer(talk, 1)
        assert busy.wait(60)
        source = client.app.state.server.channel._workers[camera].camera
        for number in range(2, 21):
            offer(talk, number)
        eventually(lambda: source._newest == 20)
        gate.set()
        while 20 not in talk.rows:
            talk.next()
    assert {0, 1, 20} <= set(talk.rows) and len(talk.rows) <= 5


def test_a_frame_that_was_overtaken_is_dropped(client, camera):
    with connect(client, camera) as talk:
        offer(talk, 0, box=fakes.true_box(0))
        talk.until("rows")
        for number in (2, 1, 3):
            offer(talk, number)
            if number != 1:
                assert talk.until("rows")["rows"][0][0] == number
    kept = client.app.state.server.store.get(camera).camera
    assert [number for number, _ in kept.frames()] == sorted(talk.rows) == [0, 2, 3]


def test_numbers_go_on_after_those_of_removed_rows(client, camera):
    assert client.get(f"/api/sessions/{camera}").json()["next"] == [0, 0.0]
    with connect(client, camera) as talk:
        follow(talk, 5)
        talk.send("remove", id=1)
        assert talk.until("all")["rows"] == []
    with connect(client, camera) as talk:
        assert talk.until("hello")["session"]["next"] == [5, 4 / 25]


def test_frames_without_target_are_answered_but_not_kept(client, camera):
    with connect(client, camera) as talk:
        offer(talk, 0)
        talk.until("skipped", frame=0)
        offer(talk, 1, box=fakes.true_box(1))
        talk.until("rows")
        talk.send("release")
        offer(talk, 2)
        talk.until("skipped", frame=2)
    assert list(talk.rows) == [1]


def test_camera_that_is_turned_gives_the_target_up(client, camera):
    with connect(client, camera) as talk:
        offer(talk, 0, box=fakes.true_box(0))
        talk.until("rows")
        offer(talk, 1, fakes.frame(1, size=(120, 160)))
        assert "120x160" in talk.until("lost")["message"]
        talk.until("skipped", frame=1)


def test_the_first_box_on_another_camera_is_taken(client, camera):
    with connect(client, camera) as talk:
        offer(talk, 0)
        talk.until("skipped", frame=0)
        image = np.ascontiguousarray(np.rot90(fakes.frame(0)))
        x, y, w, h = fakes.true_box(0)
        offer(talk, 1, image, box=[y, image.shape[0] - x - w, h, w])
        assert talk.until("rows")["rows"][0][0] == 1
        assert "lost" not in [message["type"] for message in talk.texts]


def test_a_camera_page_that_reloads_tracks_on(client, camera):
    for number in (0, 1):
        with connect(client, camera) as talk:
            offer(talk, number, box=fakes.true_box(number))
            talk.until("rows")
            offer(talk, number + 1)
            while (event := talk.next())["type"] not in ("rows", "skipped"):
                assert event["type"] == "state"
            assert event["type"] == "rows"


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8\xff"])
def test_frame_that_is_no_jpeg_is_told_and_work_goes_on(client, camera, data):
    with connect(client, camera) as talk:
        talk.socket.send_bytes(pack({"frame": 0, "time": 0}, data))
        assert "JPEG" in talk.until("error", frame=0)["message"]
        offer(talk, 1, box=fakes.true_box(1))
        talk.until("rows")


# ------------------------------------------------------------------- messages
BOX = (1.0, 2.5, 3.0, 4.0)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "play"}, Command("play")),
        ({"type": "step", "box": "ignored"}, Command("step")),
        ({"type": "seek", "frame": 7}, Command("seek", frame=7)),
        ({"type": "target", "frame": 2, "box": [1, 2.5, 3, 4]}, Command("target", BOX, 2)),
        ({"type": "target", "frame": 2, "box": BOX, "id": 3}, Command("target", BOX, 2, 3)),
        ({"type": "release"}, Command("release")),
        ({"type": "remove", "id": 2}, Command("remove", target=2)),
    ],
)
def test_commands(message, expected):
    assert parse_command(json.dumps(message)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "7",
        "[" * 100_000,
        "{}",
        '{"type": "stop"}',
        '{"type": ["play"]}',
        '{"type": "target"}',
        '{"type": "target", "frame": 0}',
        '{"type": "target", "box": [1, 2, 3, 4]}',
        '{"type": "target", "frame": 0, "box": [1, 2, 3]}',
        '{"type": "target", "frame": 0, "box": [1, 2, 3, NaN]}',
        '{"type": "target", "frame": 0, "box": [1, 2, 3, Infinity]}',
        '{"type": "target", "frame": 0, "box": [1, 2, 3, "4"]}',
        '{"type": "target", "frame": 0, "box": [1, 2, 3, true]}',
        '{"type": "target", "frame": 0, "box": [1, 2, 3, 4], "id": "1"}',
        '{"type": "remove", "id": -1}',
        '{"type": "remove", "id": 1.5}',
        '{"type": "seek"}',
        '{"type": "seek", "frame": -1}',
        '{"type": "seek", "frame": 1.5}',
        '{"type": "seek", "frame": 1e30}',
    ],
)
def test_bad_commands(text):
    with pytest.raises(ProtocolError):
        parse_command(text)


def test_frame():
    data = pack({"frame": 3, "time": 0.1, "box": [1, 2, 3, 4]}, b"JPEG")
    assert parse_frame(data) == CameraFrame(3, 0.1, b"JPEG", (1.0, 2.0, 3.0, 4.0))
    assert parse_frame(pack({"frame": 3, "time": 0}, b"")).box is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00",
        struct.pack(">I", 100) + b"short",
        struct.pack(">I", 2**32 - 1) + b"{}",
        struct.pack(">I", 4097) + b" " * 5000,
        struct.pack(">I", 2) + b"\xff\xfe",
        pack({}, b""),
        pack({"frame": "1", "time": 0}, b""),
        pack({"frame": -1, "time": 0}, b""),
        pack({"frame": 1}, b""),
        pack({"frame": 1, "time": 0, "box": [1]}, b""),
    ],
)
def test_bad_frames(data):
    with pytest.raises(ProtocolError):
        parse_frame(data)
