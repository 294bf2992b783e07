from __future__ import annotations

import builtins
import io
import struct
import sys
import threading
import time
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from pytracking_et import frames
from pytracking_et.errors import ImageError, ParameterError
from pytracking_et.frames import (
    AHEAD,
    check_encoded,
    decode_image,
    frame_rate,
    prefetch,
    read_image,
    read_size,
    reader,
)

RED = (255, 0, 0)


@pytest.fixture(autouse=True)
def fresh_readers():
    """The choice of reader is remembered for the process; every test makes its own."""
    frames.reader.cache_clear()
    yield
    frames.reader.cache_clear()


def noise(height=40, width=56) -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def encoded(extension: str, image: np.ndarray | None = None, **options) -> bytes:
    """Image file content, made with Pillow from RGB."""
    stream = io.BytesIO()
    Image.fromarray(noise() if image is None else image).save(stream, extension, **options)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["frame.png", "frame.bmp", "Bäume & 木/рамка 1.png"])
def test_lossless_images_come_as_rgb(tmp_path, name):
    image = np.zeros((6, 9, 3), dtype=np.uint8)
    image[:, :4] = RED
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encoded(path.suffix[1:], image))
    read = read_image(path)
    assert (read.dtype, read.shape) == (np.uint8, (6, 9, 3))
    np.testing.assert_array_equal(read, image)
    assert read.flags.writeable


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.full((4, 5), 77, np.uint8), (77, 77, 77)),
        (np.full((4, 5), 77 * 256, np.uint16), (77, 77, 77)),
        (np.full((4, 5, 4), (9, 8, 7, 100), np.uint8), (7, 8, 9)),  # BGRA for OpenCV
        (np.full((4, 5, 3), (9 * 256, 8 * 256, 7 * 256), np.uint16), (7, 8, 9)),
    ],
)
def test_other_depths_and_channels_are_converted(tmp_path, pixels, expected):
    path = tmp_path / "frame.png"
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    read = read_image(path)
    assert (read.dtype, read.shape) == (np.uint8, (4, 5, 3))
    assert tuple(read[2, 3]) == expected


def test_jpeg_equals_opencv(tmp_path):
    path = tmp_path / "frame.jpg"
    path.write_bytes(encoded("jpeg"))
    np.testing.assert_array_equal(read_image(path), cv2.imread(str(path))[..., ::-1])


def test_without_the_rgb_flag_of_new_opencv(tmp_path, monkeypatch):
    path = tmp_path / "frame.jpg"
    path.write_bytes(encoded("jpeg"))
    expected = read_image(path)
    monkeypatch.setattr(frames, "DECODES_RGB", False)
    monkeypatch.setattr(frames, "FLAGS", cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(read_image(path), expected)


@pytest.mark.parametrize("name", frames.READERS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_as_imread_does(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "frame.jpg"
    path.write_bytes(encoded("jpeg", exif=exif))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # jpeg4py may be absent here
        read = reader(name)(path)
    np.testing.assert_array_equal(read, cv2.imread(str(path))[..., ::-1])
    assert read.shape == ((40, 56, 3) if orientation < 5 else (56, 40, 3))
    assert read_size(path) == read.shape[1::-1]


@pytest.mark.parametrize("kind", ["png", "tiff", "webp"])
def test_the_size_told_is_that_of_the_picture_read(tmp_path, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / f"frame.{kind}"
    path.write_bytes(encoded(kind, exif=exif))
    assert read_size(path) == read_image(path).shape[1::-1]


def test_a_side_beyond_opencvs_limit_is_no_image():
    data = b"BM" + bytes(12) + struct.pack("<IiiHHIIIIII", 40, 2**20 + 1, 1, 1, 24, *bytes(6))
    with pytest.raises(ImageError, match="not an image that can be decoded"):
        decode_image(data, "a.bmp")


def test_every_mode_sees_the_turned_picture(tmp_path):
    from pytracking_et.engines.int8 import read_image as calibration
    from pytracking_et.live.sources import open_source

    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "set" / "a" / "1.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(encoded("jpeg", exif=exif))
    expected = cv2.imread(str(path))[..., ::-1]
    for image in (
        read_image(path),
        next(iter(open_source(path.parent))).image,
        calibration(path),
    ):
        np.testing.assert_array_equal(image, expected)


def test_size_of_what_only_opencv_reads(tmp_path, monkeypatch):
    path = tmp_path / "frame.png"
    path.write_bytes(encoded("png"))
    monkeypatch.setattr(Image, "open", lambda path: (_ for _ in ()).throw(OSError("unknown")))
    assert read_size(path) == (56, 40)
    with pytest.raises(ImageError, match="does not exist"):
        read_size(tmp_path / "gone.png")


def test_a_size_beyond_what_is_read_is_an_error_of_ours(tmp_path):
    (tmp_path / "frame.png").write_bytes(png(14000, 14000))
    with pytest.raises(ImageError, match="pixels"):
        read_size(tmp_path / "frame.png")


@pytest.mark.parametrize(
    ("announced", "rate"),
    [
        *((value, value) for value in (1.0, 12.5, 29.97, 240.0)),
        *((value, 30.0) for value in (None, 0.0, -1.0, 0.5, 1000.0, 90000.0, float("nan"))),
    ],
)
def test_unknown_rates_count_as_30(announced, rate):
    assert frame_rate(announced) == rate


COMPLETE = [
    ("jpeg", {}, b""),
    ("jpeg", {"progressive": True}, b""),
    ("jpeg", {}, b"\0" * 100),  # padded
    ("jpeg", {}, b"maker's data" * 10),
    ("png", {}, b""),
    ("png", {}, b"\n"),
]


@pytest.mark.parametrize("name", frames.READERS)
@pytest.mark.parametrize(("extension", "options", "tail"), COMPLETE)
def test_complete_files_are_read(tmp_path, name, extension, options, tail):
    path = tmp_path / f"frame.{extension}"
    path.write_bytes(encoded(extension, **options) + tail)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # jpeg4py may be absent here
        assert reader(name)(path).shape == (40, 56, 3)


@pytest.mark.parametrize("name", frames.READERS)
@pytest.mark.parametrize("keep", [0.05, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize(
    ("extension", "options"), [row[:2] for row in COMPLETE[:2] + COMPLETE[4:5]]
)
def test_truncated_files_are_named(tmp_path, name, extension, options, keep):
    whole = encoded(extension, **options)
    path = tmp_path / f"frame.{extension}"
    path.write_bytes(whole[: int(len(whole) * keep)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(ImageError, match=rf"frame\.{extension}' is truncated"):
            reader(name)(path)


def test_tracking_alone_does_without_pillow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    picture = np.zeros((8, 8, 3), np.uint8)
    for name in ("a.bmp", "a.webp", "a.tif", "a.jpg"):
        (tmp_path / name).write_bytes(cv2.imencode(name[1:], picture)[1].tobytes())
        assert read_image(tmp_path / name).shape == (8, 8, 3)
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-2])
    with pytest.raises(ImageError, match="truncated"):
        read_image(tmp_path / "a.jpg")


def test_a_thumbnail_does_not_hide_a_truncated_image(tmp_path):
    exif = b"Exif\0\0" + encoded("jpeg", noise(16, 16))
    whole = encoded("jpeg", exif=exif)
    path = tmp_path / "frame.jpg"
    path.write_bytes(whole)
    assert read_image(path).shape == (40, 56, 3)
    path.write_bytes(whole[:-60])
    with pytest.raises(ImageError, match="truncated"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"not an image", "is not an image that can be decoded"),
        (b"\xff\xd8\xff" + b"junk" * 30, "truncated"),
    ],
)
def test_what_is_no_image_is_named(tmp_path, content, message):
    path = tmp_path / "odd name.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError, match=message) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


def test_a_folder_is_no_frame(tmp_path):
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path)


def test_unknown_reader(monkeypatch):
    monkeypatch.setenv("PYTRACKING_ET_READER", "turbo")
    with pytest.raises(ParameterError, match="'turbo'; use one of opencv, jpeg4py"):
        read_image("frame.jpg")


def test_jpeg4py_that_cannot_load_is_said_once(tmp_path, monkeypatch):
    def refuse(name, *args, **keywords):
        if name == "jpeg4py":
            raise OSError("libturbojpeg.so.0: cannot open shared object file")
        return real(name, *args, **keywords)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setenv("PYTRACKING_ET_READER", "jpeg4py")
    (tmp_path / "frame.jpg").write_bytes(encoded("jpeg"))
    with pytest.warns(RuntimeWarning, match="libturbojpeg0") as notices:
        for _ in range(3):
            assert read_image(tmp_path / "frame.jpg").shape == (40, 56, 3)
    assert len(notices) == 1


def test_jpeg4py_gives_the_same_pixels(tmp_path, monkeypatch):
    try:
        import jpeg4py  # noqa: F401
    except (ImportError, OSError) as error:
        pytest.skip(f"jpeg4py does not load here: {error}")
    path = tmp_path / "frame.jpg"
    for options in ({}, {"progressive": True}, {"subsampling": 0}):
        path.write_bytes(encoded("jpeg", **options))
        np.testing.assert_array_equal(reader("jpeg4py")(path), reader("opencv")(path))
    path.write_bytes(encoded("jpeg", noise()[..., 0]))  # grey
    np.testing.assert_array_equal(reader("jpeg4py")(path), reader("opencv")(path))


def numbered(tmp_path, count: int) -> list[str]:
    paths = []
    for number in range(count):
        path = tmp_path / f"{number}.png"
        path.write_bytes(encoded("png", np.full((4, 4, 3), number, np.uint8)))
        paths.append(str(path))
    return paths


@pytest.mark.parametrize("count", [0, 1, 20])
def test_prefetch_keeps_the_order(tmp_path, count):
    values = [int(image[0, 0, 0]) for image in prefetch(numbered(tmp_path, count))]
    assert values == list(range(count))


def test_prefetch_raises_at_the_frame_that_is_bad(tmp_path):
    paths = numbered(tmp_path, 5)
    paths[3] = str(tmp_path / "gone.png")
    seen = []
    with pytest.raises(ImageError, match=r"gone\.png' does not exist"):
        for image in prefetch(paths):
            seen.append(int(image[0, 0, 0]))
    assert seen == [0, 1, 2]


def test_prefetch_raises_errors_of_the_list_itself(tmp_path):
    def paths():
        yield from numbered(tmp_path, 1)
        raise ValueError("the list breaks")

    images = prefetch(paths())
    next(images)
    with pytest.raises(ValueError, match="the list breaks"):
        next(images)


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "frame reader" in thread.name]


def test_prefetch_reads_ahead_and_no_further(tmp_path):
    read, enough = [], threading.Event()

    def paths():
        for path in numbered(tmp_path, AHEAD + 20):
            read.append(path)
            if len(read) == AHEAD + 1:
                enough.set()
            yield path

    images = prefetch(paths())
    assert int(next(images)[0, 0, 0]) == 0
    # One is handed out, the others wait.
    assert enough.wait(10)
    time.sleep(0.05)
    assert len(read) == AHEAD + 1
    images.close()
    assert reading_threads() == []


def test_an_abandoned_iteration_ends_its_thread(tmp_path):
    paths = numbered(tmp_path, 30)
    for image in prefetch(paths):
        assert image.shape == (4, 4, 3)
        break
    deadline = time.monotonic() + 10
    while reading_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert reading_threads() == []


def test_an_interrupt_while_its_thread_starts_leaves_none(tmp_path, monkeypatch):
    def interrupted(thread, start=threading.Thread.start):
        start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(prefetch(numbered(tmp_path, 30)))
    # One that is left, within OpenCV when Python ends, would abort it.
    for thread in reading_threads():
        thread.join(10)
    assert reading_threads() == []


def test_real_frames(shared):
    folder = shared / "sequences" / "UAV123" / "data_seq" / "UAV123" / "boat1"
    paths = sorted(map(str, folder.glob("*.jpg")))[:6]
    for path, image in zip(paths, prefetch(paths), strict=True):
        assert image.shape == (720, 1280, 3)
        np.testing.assert_array_equal(image, cv2.imread(path)[..., ::-1])


def png(width, height):
    """A PNG of a few bytes that announces any size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def jpeg(width, height, before=b""):
    """The same for a JPEG; `before` stands where a decoder looks for the next marker."""
    frame = struct.pack(">HBHHB", 8, 8, height, width, 0)
    return b"\xff\xd8\xff\xe0\x00\x04ab" + before + b"\xff\xc2" + frame


@pytest.mark.parametrize(
    "data",
    [
        png(30000, 30000),
        png(9000, 9000),
        jpeg(30000, 30000),
        jpeg(65535, 2000, before=b"junk\xff\x00\xff\xff"),
        b"P6 30000 30000 255\n",
        b"BM" + bytes(12) + struct.pack("<IiiHHIIIIII", 40, 30000, 30000, 1, 24, *bytes(6)),
    ],
)
def test_more_pixels_than_are_read_are_refused_before_decoding(data):
    with pytest.raises(ImageError, match="pixels"):
        check_encoded(data, "frame 'a.png'")


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"text", png(8192, 8192), jpeg(8192, 8192)])
def test_the_rest_is_for_the_decoder(data):
    check_encoded(data, "frame 'a.png'")
