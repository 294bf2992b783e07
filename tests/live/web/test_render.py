"""The annotated video, with and without the ffmpeg program."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from pytracking_et import videos
from pytracking_et.live.draw import LOW_SCORE, Mark
from pytracking_et.live.sources import open_source

from ..fakes import eventually
from . import fakes
from .test_channel import connect, offer, track


def finish(client, identity) -> dict:
    path = f"/api/sessions/{identity}"
    assert client.post(f"{path}/render").status_code == 202

    def finished():
        state = client.get(path).json()["rendering"]
        return state if state["state"] != "running" else None

    return eventually(finished)


def frames(data: bytes, path) -> list[np.ndarray]:
    path.write_bytes(data)
    return [frame.image for frame in open_source(path)]


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_annotated_video_shows_every_frame_with_its_box(
    client, session, tmp_path, monkeypatch, suffix
):
    if suffix == "webm":
        monkeypatch.setattr(videos, "h264_program", lambda: None)
    elif videos.h264_program() is None:
        pytest.skip("H.264 needs the ffmpeg program with libx264")
    track(client, session)
    state = finish(client, session["id"])
    assert state["state"] == "done", state
    answer = client.get(state["url"])
    assert f"clip-tracked.{suffix}" in answer.headers["content-disposition"]
    found = frames(answer.content, tmp_path / f"out.{suffix}")
    assert len(found) == 20
    x, y, w, h = fakes.true_box(15)
    # On the lower edge of the box: far from the picture without it.
    edge = found[15][y + h - 2 : y + h + 2, x + 4 : x + w - 4].astype(int)
    plain = fakes.frame(15)[y + h - 2 : y + h + 2, x + 4 : x + w - 4].astype(int)
    assert abs(edge - plain).mean() > 25
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
        offer(talk, 0, box=fakes.true_box(0))
        talk.until("rows")
        for number in range(1, 12):
            offer(talk, number)
            talk.until("rows")
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


@pytest.mark.parametrize(
    ("encoders", "found"), [("V....D libx264  libx264 H.264", True), ("V....D libvpx", False)]
)
def test_ffmpeg_without_h264_is_not_used(tmp_path, monkeypatch, encoders, found):
    if os.name == "nt":
        pytest.skip("a shell script stands for ffmpeg")
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\necho '{encoders}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    videos.h264_program.cache_clear()
    assert (videos.h264_program() == str(program)) == found
    videos.h264_program.cache_clear()
