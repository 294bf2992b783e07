import os
import queue
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from pytracking_et import videos as module
from pytracking_et.errors import ImageError, ResultsError
from pytracking_et.live.sources import open_source
from pytracking_et.videos import VideoWriter

from .live.fakes import BLUE, RED, picture


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("tint", [RED, BLUE])
@pytest.mark.parametrize("name", ["out.mp4", "out.avi", "out.mkv", "out.webm"])
def test_what_is_written_reads_back(tmp_path, name, tint):
    with VideoWriter(tmp_path / name, fps=20) as writer:
        for index in range(8):
            writer.write(picture(index, tint=tint))
    assert leftovers(tmp_path) == [name]
    source = open_source(tmp_path / name)
    assert source.fps == pytest.approx(20)
    frames = list(source)
    assert len(frames) == 8
    assert np.abs(frames[0].image[38, 20].astype(int) - tint).max() < 60


def test_odd_and_changing_sizes(tmp_path):
    sizes = [(97, 129), (97, 129), (60, 200), (300, 50), (2, 2)]
    with VideoWriter(tmp_path / "out.mp4") as writer:
        for size in sizes:
            writer.write(np.full((*size, 3), 200, np.uint8))
    frames = list(open_source(tmp_path / "out.mp4"))
    assert [frame.image.shape for frame in frames] == [(96, 128, 3)] * len(sizes)
    assert frames[3].image[48, 64].min() > 150  # fitted in the middle ...
    assert frames[3].image[48, 4].max() < 60  # ... with black borders


def test_an_alpha_channel_is_dropped_at_any_size(tmp_path):
    with VideoWriter(tmp_path / "out.avi") as writer:
        for height in (64, 40):
            writer.write(np.full((height, 80, 4), 200, np.uint8))
    assert [frame.image.shape for frame in open_source(tmp_path / "out.avi")] == [(64, 80, 3)] * 2


def test_frames_are_taken_inside_the_block_alone(tmp_path):
    writer = VideoWriter(tmp_path / "out.avi")
    for count in (2, 3):
        with pytest.raises(ResultsError, match="inside its block"):
            writer.write(picture())
        with writer:
            for index in range(count):
                writer.write(picture(index))
        assert len(list(open_source(tmp_path / "out.avi"))) == writer.frames == count
    with pytest.raises(ResultsError, match="inside its block"):
        writer.write(picture())


def test_an_error_keeps_the_frames_so_far(tmp_path):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "out.mp4") as writer:
        writer.write(picture())
        writer.write(picture(1))
        raise KeyboardInterrupt
    assert leftovers(tmp_path) == ["out.mp4"]
    assert len(list(open_source(tmp_path / "out.mp4"))) == 2


@pytest.mark.skipif(module.h264_program() is None, reason="needs ffmpeg or imageio-ffmpeg")
def test_ctrl_c_within_a_frame_keeps_those_before(tmp_path):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "out.mp4") as writer:
        writer.write(picture())
        writer.write(picture(1))
        pipe = writer._encoder._process.stdin

        class Interrupted:
            def write(self, data):
                pipe.write(bytes(data)[:1000])
                raise KeyboardInterrupt

            def close(self):
                pipe.close()

        writer._encoder._process.stdin = Interrupted()
        writer.write(picture(2))
    assert leftovers(tmp_path) == ["out.mp4"]
    assert len(list(open_source(tmp_path / "out.mp4"))) == 2


def test_ctrl_c_while_it_is_read_back_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "video_problem", interrupt)
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "out.avi") as writer:
        writer.write(picture())
    assert leftovers(tmp_path) == []


def test_no_frame_no_file(tmp_path):
    with pytest.raises(ResultsError, match="no frame"), VideoWriter(tmp_path / "out.mp4"):
        pass
    with pytest.raises(ZeroDivisionError), VideoWriter(tmp_path / "out.mp4"):
        raise ZeroDivisionError
    assert leftovers(tmp_path) == []


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    with VideoWriter(path) as writer:
        writer.write(picture())
        assert path.read_bytes() == b"old"
    assert path.read_bytes() != b"old"


def test_a_video_whose_name_is_taken_by_a_player_is_not_lost(tmp_path, monkeypatch):
    def refuse(self, target):
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with (
        pytest.raises(ResultsError, match=r"out\.avi.* cannot be written: .* kept as ") as caught,
        VideoWriter(tmp_path / "out.avi") as writer,
    ):
        writer.write(picture())
    kept = Path(str(caught.value).partition("kept as ")[2])
    assert kept.parent == tmp_path and kept.stat().st_size > 1000


def test_unknown_suffix_lists_the_known():
    with pytest.raises(ResultsError, match=r"out\.gif.*\.mp4"):
        VideoWriter("out.gif")


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1e9, None, "25"])
def test_a_rate_that_is_none_is_told_before_a_frame_is_written(tmp_path, fps):
    with pytest.raises(ResultsError, match="fps is .*; give frames a second"):
        VideoWriter(tmp_path / "a.mp4", fps)


@pytest.mark.parametrize(
    "image",
    [
        None,
        np.zeros((48, 64, 3)),
        np.zeros((48, 64, 3), np.uint16),
        np.zeros((0, 0, 3)),
        np.zeros((48, 64), np.uint8),
        np.zeros((3, 48, 64), np.uint8),
    ],
)
def test_what_is_no_picture_is_told_and_the_frames_so_far_are_kept(tmp_path, image):
    with (
        pytest.raises(ImageError, match="frame 1 .*give HxWx3"),
        VideoWriter(tmp_path / "a.avi") as writer,
    ):
        writer.write(np.zeros((48, 64, 3), np.uint8))
        writer.write(image)
    assert len(list(open_source(tmp_path / "a.avi"))) == 1


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(ResultsError, match="cannot be written"),
        VideoWriter(tmp_path / "file" / "out.mp4"),
    ):
        pass


@pytest.mark.parametrize(
    ("known", "tried"), [(("VP80", "VP90"), ["VP80"]), (("VP90",), ["VP80", "VP90"]), ((), None)]
)
def test_webm_takes_the_quick_codec_first(tmp_path, monkeypatch, known, tried):
    asked = []

    class Encoder:
        fourcc = staticmethod(cv2.VideoWriter.fourcc)

        def __init__(self, path, code, fps, size):
            asked.append(code.to_bytes(4, "little").decode())

        def isOpened(self):  # noqa: N802 - OpenCV's name
            return asked[-1] in known

        def write(self, image):
            pass

        def release(self):
            pass

    monkeypatch.setattr(cv2, "VideoWriter", Encoder)
    writer = VideoWriter(tmp_path / "out.webm")
    if tried is None:
        with pytest.raises(ResultsError, match="VP80, VP90"), writer:
            writer.write(picture())
        return
    writer._temporary = tmp_path / "out.webm"
    writer.write(picture())
    assert asked == tried


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX systems")
@pytest.mark.parametrize("ending", ["well", "by Ctrl-C"])
@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".webm"])
def test_a_video_that_cannot_be_written_whole_leaves_the_old_file(tmp_path, suffix, ending):
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"old")
    program = f"""
import resource
import numpy as np
from pytracking_et.errors import ImageError, ResultsError
from pytracking_et.videos import VideoWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # writing fails as on a full disk
noise = np.random.default_rng(0).integers(0, 256, (40, 96, 128, 3), np.uint8)
try:
    with VideoWriter({str(path)!r}) as writer:
        for image in noise:
            writer.write(image)
        if {ending != "well"}:
            raise KeyboardInterrupt
except ResultsError as error:
    print(error)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "cannot be written whole" in done.stdout
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == [path.name]


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("chromium") is None or module.h264_program() is None,
    reason="needs chromium, and ffmpeg or imageio-ffmpeg",
)
def test_a_browser_plays_mp4(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", fps=25) as writer:
        for index in range(10):
            writer.write(picture(index))
    (tmp_path / "page.html").write_text("""<video src="out.mp4" muted autoplay></video><script>
        const video = document.querySelector("video")
        video.onended = () => fetch(`/ended-${video.videoWidth}x${video.videoHeight}`)
        video.onerror = () => fetch(`/error-${video.error.code}`)
    </script>""")
    said = queue.Queue()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):  # noqa: N802 - the library's name
            if self.path.startswith(("/ended", "/error")):
                said.put(self.path)
            super().do_GET()

    handler = partial(Handler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = f"http://127.0.0.1:{server.server_port}/page.html"
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        options = ["--headless", "--no-sandbox", "--remote-debugging-port=0", profile]
        browser = subprocess.Popen(["chromium", *options, page])
        try:
            assert said.get(timeout=60) == "/ended-128x96"
        finally:
            browser.terminate()
            browser.wait(20)
            server.shutdown()


@pytest.mark.parametrize(
    ("encoder", "code", "hint"), [("ffmpeg", "h264", False), ("OpenCV", "FMP4", True)]
)
def test_mp4_is_what_browsers_play_where_it_can_be(tmp_path, monkeypatch, encoder, code, hint):
    if encoder == "OpenCV":
        monkeypatch.setattr(module, "h264_program", lambda: None)
    elif module.h264_program() is None:
        pytest.skip("no ffmpeg with H.264: pip install imageio-ffmpeg")
    with VideoWriter(tmp_path / "out.mp4") as writer:
        writer.write(picture())
    capture = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    found = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode()
    capture.release()
    assert found == code
    assert (module.only_for_players("out.mp4") is not None) == hint
    assert module.only_for_players("out.webm") is None


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
    module.h264_program.cache_clear()
    assert (module.h264_program() == str(program)) == found
    module.h264_program.cache_clear()
