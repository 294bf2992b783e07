from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from pytracking_et import videos
from pytracking_et.frames import DEFAULT_FPS
from pytracking_et.live.draw import LOW_SCORE, Mark
from pytracking_et.live.recording import Row
from pytracking_et.live.sources import open_source
from pytracking_et.live.web import create_app, visits
from pytracking_et.live.web.uploads import ClipInfo, Limits
from pytracking_et.live.web.visits import FOLDER_PREFIX, CameraFrames, Visits, to_csv, to_json
from pytracking_et.version import __version__

from ..fakes import eventually
from . import fakes
from .test_channel import connect, follow, offer, track


@pytest.fixture
def store(folder):
    store = Visits(Limits(sessions=2, idle_seconds=0.05, leave_seconds=0.0))
    yield store
    store.shut_down()


def test_idle_sessions_are_swept_but_not_connected_ones(store):
    idle, connected = store.open("a"), store.open("b")
    connected.connected = True
    time.sleep(0.06)
    store.sweep()
    assert store.get(idle.id) is None
    assert not idle.folder.exists()
    assert store.get(connected.id) is connected


def test_a_reload_keeps_the_session_of_a_page_that_left(folder):
    store = Visits(Limits(idle_seconds=60.0, leave_seconds=0.0))
    gone, reloaded = store.open("a"), store.open("b")
    store.leave(gone)
    store.leave(reloaded)
    store.get(reloaded.id)
    store.sweep()
    assert store.get(gone.id) is None
    assert store.get(reloaded.id) is reloaded
    store.shut_down()


def test_a_page_that_left_stays_gone_when_its_connection_ends(client, session):
    """The page closes: it says so, and its socket ends after that."""
    store = client.app.state.server.store
    visit = store.get(session["id"])
    with connect(client, session["id"]) as talk:
        talk.until("hello")
        client.post(f"/api/sessions/{session['id']}/leave")
    eventually(lambda: not visit.connected)
    assert visit.deadline - time.monotonic() <= store.limits.leave_seconds
    assert store.get(session["id"]) is visit  # a reload
    assert visit.deadline - time.monotonic() > store.limits.leave_seconds


def test_folder_removed_by_a_cleaner_comes_back(store):
    shutil.rmtree(store.folder)
    store.sweep()
    assert store.open("a").folder.is_dir()


def test_folders_of_killed_servers_are_removed_at_the_next_start(folder):
    old, fresh, foreign = (
        folder / name for name in (f"{FOLDER_PREFIX}old", f"{FOLDER_PREFIX}fresh", "other")
    )
    for path in (old, fresh, foreign):
        path.mkdir()
        (path / "upload.bin").write_bytes(b"x")
    for path in (old, foreign):
        os.utime(path, (time.time() - 7200,) * 2)
    Visits(Limits()).shut_down()
    assert sorted(path.name for path in folder.iterdir()) == [fresh.name, "other"]


# ------------------------------------------------------------ through the server
def test_server_refuses_the_session_after_the_last(client, clip, left):
    opened = [client.post("/api/cameras") for _ in range(fakes.SMALL.sessions)]
    assert [answer.status_code for answer in opened] == [201] * 3
    answer = client.post("/api/videos?name=a.mp4", content=clip.read_bytes())
    assert answer.status_code == 503
    assert "3 sessions are open" in answer.json()["error"]
    assert left() == []
    client.delete(f"/api/sessions/{opened[0].json()['id']}")
    assert client.post("/api/cameras").status_code == 201


def test_delete_removes_files(client, session, left):
    assert left() == ["upload.bin"]
    assert client.delete(f"/api/sessions/{session['id']}").status_code == 204
    assert left() == []
    assert client.get(f"/api/sessions/{session['id']}").status_code == 404


def test_idle_session_is_removed_while_the_server_runs(open_client, clip, left):
    client = open_client(Limits(idle_seconds=0.2))
    fakes.upload(client, clip)
    eventually(lambda: left() == [])


def test_closing_the_page_shortens_the_time(open_client, clip, left):
    client = open_client(Limits(idle_seconds=2.0, leave_seconds=0.0))
    session = fakes.upload(client, clip)
    client.post(f"/api/sessions/{session['id']}/leave")
    client.app.state.server.store.sweep()
    assert left() == []


def test_end_of_the_server_leaves_nothing(clip, folder):
    app = create_app(fakes.MatchTracker, "fake", fakes.SMALL)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        for _ in range(2):
            fakes.upload(client, clip)
        assert len(list(folder.rglob("upload.bin"))) == 2
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "identity", ["%2e%2e", "%2e%2e%2f%2e%2e", "..%5c..", "upload.bin", "x" * 5000, "%00"]
)
def test_session_ids_are_looked_up_and_never_paths(client, session, identity):
    for suffix in ("", "/boxes.csv", "/annotated.mp4"):
        answer = client.get(f"http://127.0.0.1:8000/api/sessions/{identity}{suffix}")
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        *("/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/..%5capp.py"),
        *("/static//etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd"),
    ],
)
def test_static_files_stay_in_their_folder(client, path):
    answer = client.get(f"http://127.0.0.1:8000{path}")
    assert answer.status_code == 404
    assert "create_app" not in answer.text


def test_the_threshold_of_grey_reaches_page_and_download(open_client, clip):
    client = open_client(low_score=0.3)
    assert client.get("/api/info").json()["low_score"] == 0.3
    address = f"/api/sessions/{fakes.upload(client, clip)['id']}"
    assert client.get(f"{address}/boxes.json").json()["low_score"] == 0.3


VISIT = visits.Visit(Path("visit"), ClipInfo("clip.mp4", 160, 120, 25.0, 2))
ROWS = [
    VISIT.line(Row(0, 1, (10.0, 20.0, 30.5, 40.0), 1.0, drawn=True)),
    VISIT.line(Row(1, 2, (10.12345, 20.0, 30.5, 40.0), 0.98765432, lost=True)),
]


def test_csv():
    assert to_csv(ROWS) == (
        "frame,time,x,y,w,h,score,id,lost\n"
        "0,0.0,10.0,20.0,30.5,40.0,,1,0\n"
        "1,0.04,10.123,20.0,30.5,40.0,0.9877,2,1\n"
    )


def test_json():
    values = json.loads(to_json(ROWS, {"name": "clip.mp4"}, "fake", 0.5))
    boxes = values.pop("boxes")
    assert values == {
        "format": "pytracking-et boxes 1",
        "version": __version__,
        "tracker": "fake",
        "source": {"name": "clip.mp4"},
        "convention": "x, y, w, h in pixels, 0-based, x y is the top-left corner",
        "low_score": 0.5,
    }
    names = ["frame", "time", "box", "score", "target", "lost"]
    assert [list(box) for box in boxes] == [names, names]
    assert [list(box.values()) for box in boxes] == [
        [0, 0.0, [10.0, 20.0, 30.5, 40.0], None, 1, False],
        [1, 0.04, [10.123, 20.0, 30.5, 40.0], 0.9877, 2, True],
    ]


# ------------------------------------------------------------------- the annotated video
def finish(client, identity) -> dict:
    path = f"/api/sessions/{identity}/render"
    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 202

    def finished():
        state = client.get(path).json()
        return state if state["state"] != "running" else None

    return eventually(finished)


def frames(data: bytes, path) -> list[np.ndarray]:
    path.write_bytes(data)
    return [frame.image for frame in open_source(path)]


def shows_box(image, index) -> bool:
    """Whether the lower edge of the box differs from the frame without it."""
    x, y, w, h = fakes.true_box(index)
    edge = np.s_[y + h - 2 : y + h + 2, x + 4 : x + w - 4]
    return abs(image[edge].astype(int) - fakes.frame(index)[edge]).mean() > 25


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_annotated_video_shows_every_frame_with_its_box(
    client, session, tmp_path, monkeypatch, suffix
):
    if suffix == "webm":
        monkeypatch.setattr(visits, "h264_program", lambda: None)
    elif videos.h264_program() is None:
        pytest.skip("H.264 needs the ffmpeg program with libx264")
    track(client, session)
    state = finish(client, session["id"])
    assert state["state"] == "done", state
    answer = client.get(state["url"])
    assert f"clip-tracked.{suffix}" in answer.headers["content-disposition"]
    found = frames(answer.content, tmp_path / f"out.{suffix}")
    assert len(found) == 20
    assert shows_box(found[15], 15)
    assert abs(found[15][:10, :60].astype(int) - fakes.frame(15)[:10, :60]).mean() < 12


def test_video_is_made_anew_only_after_new_rows(client, session):
    track(client, session)
    first = finish(client, session["id"])
    rendering = client.app.state.server.store.get(session["id"]).rendering
    assert finish(client, session["id"]) == first
    assert client.app.state.server.store.get(session["id"]).rendering is rendering
    track(client, session)
    assert finish(client, session["id"])["url"] != first["url"]


def test_nothing_tracked_means_no_video(client, session):
    path = f"/api/sessions/{session['id']}"
    assert client.post(f"{path}/render").status_code == 409
    assert client.get(f"{path}/annotated.mp4").status_code == 404


def test_camera_recording_becomes_a_video(client, tmp_path):
    identity = client.post("/api/cameras").json()["id"]
    with connect(client, identity) as talk:
        follow(talk, 12)
    state = finish(client, identity)
    assert state["fps"] == pytest.approx(25, abs=0.5)
    found = frames(client.get(state["url"]).content, tmp_path / "out.mp4")
    assert len(found) == 12


def test_recording_is_bounded_and_says_so(client):
    identity = client.post("/api/cameras").json()["id"]
    recording = client.app.state.server.store.get(identity).camera
    with connect(client, identity) as talk:
        offer(talk, 0, box=fakes.true_box(0))
        talk.until("rows")
        number = 0
        while not any(text["type"] == "notice" for text in talk.texts):
            number += 1
            offer(talk, number, fakes.frame(number % 30))
            talk.until("rows")
            assert number < 500
        offer(talk, number + 1, fakes.frame(0))
        talk.until("rows")
    assert recording.path.stat().st_size <= fakes.SMALL.upload_bytes
    assert len(talk.rows) == number + 2


def test_a_full_disk_ends_the_recording_and_not_the_tracking(client, folder):
    identity = client.post("/api/cameras").json()["id"]
    recording = client.app.state.server.store.get(identity).camera
    with connect(client, identity) as talk:
        offer(talk, 0, box=fakes.true_box(0))
        talk.until("rows")
        recording.path = folder  # no file: writing fails
        for number in (1, 2):
            offer(talk, number)
            talk.until("rows")
    notices = [text["message"] for text in talk.texts if text["type"] == "notice"]
    assert len(notices) == 1 and "the annotated video ends here" in notices[0]
    assert sorted(talk.rows) == [0, 1, 2] and len(recording) == 1


@pytest.mark.parametrize(
    ("seconds", "rate"),
    [
        ([0.0], DEFAULT_FPS),
        ([1.0, 1.0], DEFAULT_FPS),
        ([k / 10 for k in range(8)], 10),
        ([k / 10 for k in range(8)] + [60 + k / 10 for k in range(8)], 10),
        ([0.0, 1e300, 1e300], 1),
    ],
)
def test_pauses_do_not_slow_the_video_of_a_camera_down(tmp_path, seconds, rate):
    frames = CameraFrames(tmp_path / "camera.mjpeg", 100)
    for number, moment in enumerate(seconds):
        assert frames.append(number, moment, b"x") is None
    assert frames.fps == pytest.approx(rate)


def test_frames_from_before_a_turn_show_their_boxes_in_place(client, tmp_path):
    identity = client.post("/api/cameras").json()["id"]
    with connect(client, identity) as talk:
        offer(talk, 0, box=fakes.true_box(0))
        talk.until("rows")
        for number, box in ((1, {}), (2, {"box": fakes.true_box(2)})):
            offer(talk, number, fakes.frame(number, size=(120, 160)), **box)
        talk.until("rows")
    found = frames(client.get(finish(client, identity)["url"]).content, tmp_path / "o.mp4")
    assert [image.shape for image in found] == [(120, 160, 3)] * 2
    tracks = client.get(f"/api/sessions/{identity}/tracks.yolo.txt").text.splitlines()
    assert [line.split()[5:7] for line in tracks] == [
        ["0.150000", "0.200000"],
        ["0.200000", "0.150000"],
    ]
    assert shows_box(found[0], 0)


def test_low_score_is_drawn_grey(client, session, tmp_path):
    rows = client.app.state.server.store.get(session["id"]).rows
    box = np.array([60.0, 40.0, 50.0, 40.0])
    rows.add(0, Mark(1, box, LOW_SCORE + 0.01))
    rows.add(1, Mark(1, box, LOW_SCORE - 0.01))
    found = frames(client.get(finish(client, session["id"])["url"]).content, tmp_path / "o.mp4")

    def saturation(image):
        edges = np.concatenate([image[40, 62:108], image[80, 62:108]])
        hsv = cv2.cvtColor(edges[None], cv2.COLOR_RGB2HSV)
        return float(hsv[..., 1].mean())

    assert saturation(found[0]) > 2 * saturation(found[1])


def test_failure_is_told(client, session, monkeypatch):
    track(client, session)
    client.app.state.server.store.get(session["id"]).path.write_bytes(b"overwritten")
    state = finish(client, session["id"])
    assert state["state"] == "failed"
    assert state["message"]
