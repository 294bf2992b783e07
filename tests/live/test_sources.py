import os
import re
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from pytracking_et import frames
from pytracking_et.errors import SourceError
from pytracking_et.live.sources import breaks_off, open_source, shown_frames

from .fakes import BLUE, GREEN, RED, picture, write_video


def write_image(path, image):
    ok, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert ok
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
    return path


def at_target(image):
    return image[38, 20].astype(int)


@pytest.mark.parametrize("tint", [RED, GREEN, BLUE])
@pytest.mark.parametrize("kind", ["clip.mp4", "clip.avi", "img/00000001.jpg", "img/a.png"])
def test_every_path_delivers_rgb(tmp_path, kind, tint):
    path = tmp_path / kind
    if path.suffix in (".mp4", ".avi"):
        write_video(path, tint=tint)
        spec = path
    else:
        write_image(path, picture(tint=tint))
        spec = path.parent
    frame = next(iter(open_source(spec)))
    assert frame.index == 0
    assert frame.image.dtype == np.uint8
    assert frame.image.shape == (96, 128, 3)
    assert np.abs(at_target(frame.image) - tint).max() < 50


def test_video_gives_every_frame_in_order_and_its_rate(tmp_path):
    source = open_source(write_video(tmp_path / "clip.mp4", frames=12, fps=25))
    assert (source.name, source.live, source.length) == ("clip", False, 12)
    assert source.fps == pytest.approx(25)
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(12))
    lefts = [int(np.nonzero(frame.image[38, :, 0] > 150)[0][0]) for frame in frames]
    assert np.abs(np.diff(lefts) - 2).max() <= 1


def test_folder_in_natural_order_without_strangers(tmp_path):
    for number in (10, 2, 1):
        write_image(tmp_path / "Deer" / "img" / f"f{number}.png", picture(number))
    (tmp_path / "Deer" / "img" / "notes.txt").write_text("x")
    (tmp_path / "Deer" / "img" / ".hidden.png").write_bytes(b"x")
    source = open_source(tmp_path / "Deer" / "img")
    assert source.name == "Deer"
    assert [path.name for path in source.paths] == ["f1.png", "f2.png", "f10.png"]
    assert len(list(source)) == source.length == 3


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("img/%04d.png", 2), ("img/%d.png", 2), ("img/*.png", 3), ("img/[a-z]*.png", 1)],
)
def test_patterns(tmp_path, pattern, expected):
    for name in ("0001.png", "0002.png", "extra.png"):
        write_image(tmp_path / "img" / name, picture())
    assert open_source(str(tmp_path / pattern)).length == expected


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "absent.mp4", "does not exist"),
        (lambda p: _file(p / "empty.mp4", b""), "empty"),
        (lambda p: _file(p / "text.mp4", b"not a video" * 100), "cannot be opened"),
        (lambda p: _folder(p / "void"), "no image"),
        (lambda p: p / "no" / "%03d.png", "does not exist"),
        (lambda p: p / "%d" / "%03d_%d.png", "exactly one number"),
        (lambda p: p / "*.png", "no image"),
        (lambda p: "http://127.0.0.1:9/stream", "cannot be opened"),
        (lambda p: "97", "camera 97 cannot be opened"),
        (lambda p: 10**20, "does not exist"),
    ],
)
def test_what_cannot_be_opened_says_why(tmp_path, make, message):
    with pytest.raises(SourceError, match=message):
        open_source(make(tmp_path))


def _file(path, content):
    path.write_bytes(content)
    return path


def _folder(path):
    path.mkdir()
    return path


def test_video_that_ends_at_once(tmp_path):
    whole = write_video(tmp_path / "whole.avi", frames=6).read_bytes()
    # The list of frames begins at "movi"; a header alone opens and holds nothing.
    cut = _file(tmp_path / "cut.avi", whole[: whole.index(b"movi") + 4])
    with pytest.raises(SourceError, match="ends at once|cannot be opened"):
        list(open_source(cut))


def test_truncated_video_gives_what_it_holds(tmp_path):
    whole = write_video(tmp_path / "whole.avi", frames=40).read_bytes()
    cut = _file(tmp_path / "cut.avi", whole[: len(whole) // 2])
    frames = list(open_source(cut))
    assert 5 < len(frames) < 40


def test_damaged_frame_in_a_folder_is_named(tmp_path):
    write_image(tmp_path / "1.png", picture())
    (tmp_path / "2.png").write_bytes(b"\x89PNG broken")
    frames = iter(open_source(tmp_path))
    assert next(frames).index == 0
    with pytest.raises(SourceError, match=r"frame 1 .*2\.png"):
        next(frames)


def test_a_folder_and_a_file_without_a_rate_count_as_30_fps(tmp_path):
    write_image(tmp_path / "1.JPG", picture())
    assert (open_source(tmp_path).fps, open_source(tmp_path).length) == (30.0, 1)
    assert open_source(write_video(tmp_path / "25.mp4", fps=25)).fps == 25.0


def test_a_browser_recording_counts_as_30_fps(shared):
    assert open_source(shared / "cases" / "mediarecorder_1000fps.webm").fps == 30.0


EDITED = Path(__file__).parent / "edit_list_trimmed.mp4"


def test_an_edit_list_says_what_is_shown():
    source = open_source(EDITED)
    shown = len(list(source))
    assert source.length is not None and shown <= source.length <= shown + 1 < 40
    assert not breaks_off(shown, source.length)


@pytest.mark.parametrize("keep", [0, 6, 40, 200])
def test_no_valid_mp4_shows_all_it_holds(tmp_path, keep):
    path = _file(tmp_path / "odd.mp4", EDITED.read_bytes()[:keep])
    assert shown_frames(path, 40, 25.0) == 40
    assert shown_frames("rtsp://host/stream", 40, 25.0) == 40


@pytest.mark.parametrize(
    ("read", "announced", "expected"),
    [(40, 40, False), (38, 40, False), (20, 40, True), (20, None, False), (980, 1000, False)],
)
def test_what_breaks_off(read, announced, expected):
    assert breaks_off(read, announced) is expected


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("me:secret@127.0.0.1:1/a", "me:***@127.0.0.1:1/a"),
        ("me:se@cret@127.0.0.1:1/a", "me:***@127.0.0.1:1/a"),
        ("me:se]cret@127.0.0.1:1/a", "me:***@127.0.0.1:1/a"),
        (":secret@127.0.0.1:1/a", ":***@127.0.0.1:1/a"),
        ("127.0.0.1:1/a?user=me&pwd=secret", "127.0.0.1:1/a?***"),
    ],
)
def test_passwords_are_not_shown(address, shown):
    with pytest.raises(SourceError, match=re.escape(f"stream 'http://{shown}'")):
        open_source(f"http://{address}")


def test_an_unset_variable_is_not_the_folder_we_are_in(tmp_path, monkeypatch):
    write_image(tmp_path / "1.png", picture())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match="'' does not exist; give a camera index"):
        open_source("")


@pytest.mark.skipif(sys.platform == "win32", reason="device files are of Unix")
def test_a_device_path_is_a_live_camera():
    # /dev/null stands for a device that is there but is no camera.
    with pytest.raises(SourceError, match="camera '/dev/null' cannot be opened"):
        open_source("/dev/null")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX systems")
def test_a_pipe_is_read_as_it_comes(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = write_video(tmp_path / "clip.avi").read_bytes()
    threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True).start()
    assert len(list(open_source(pipe))) == 12


def test_superscripts_in_names_are_no_numbers(tmp_path):
    for name in ("1²3.png", "2.png", "10.png"):
        write_image(tmp_path / name, picture())
    names = [path.name for path in open_source(tmp_path).paths]
    assert sorted(names) == sorted(["1²3.png", "2.png", "10.png"])
    assert names.index("2.png") < names.index("10.png")


def test_a_folder_with_a_number_for_a_name_is_no_camera(tmp_path, monkeypatch):
    (tmp_path / "0001").mkdir()
    cv2.imwrite(str(tmp_path / "0001" / "1.png"), picture(0))
    monkeypatch.chdir(tmp_path)
    assert len(list(open_source("0001"))) == 1


@pytest.mark.parametrize("kind", ["clip.mp4", "img/a.png"])
def test_too_large_a_frame_is_refused_before_it_is_decoded(tmp_path, monkeypatch, kind):
    path = tmp_path / kind
    write_image(path, picture()) if path.suffix == ".png" else write_video(path)
    monkeypatch.setattr(frames, "MAX_PIXELS", 128 * 96 - 1)
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(SourceError, match="128x96 pixels"):
        next(iter(open_source(path if path.suffix == ".mp4" else path.parent)))
