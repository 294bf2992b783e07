import struct

import pytest

from pytracking_et.errors import ImageError, SourceError
from pytracking_et.frames import jpeg_size
from pytracking_et.live.sources import CaptureSource
from pytracking_et.live.web.uploads import (
    Limits,
    decode_jpeg,
    encode_preview,
    looks_like_video,
    probe,
)

from . import fakes


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
