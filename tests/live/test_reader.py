import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from pytracking_et.errors import SourceError
from pytracking_et.live.controls import Pace
from pytracking_et.live.reader import FILE_QUEUE, Reader
from pytracking_et.live.sources import open_source

from .fakes import ListSource, eventually, picture, write_video


def test_a_file_loses_no_frame_however_slow_the_reader():
    source = ListSource([picture(i) for i in range(3 * FILE_QUEUE)])
    with Reader(source) as reader:
        indices = []
        for frame in reader:
            indices.append(frame.index)
            time.sleep(0.002)
    assert indices == list(range(3 * FILE_QUEUE))
    assert reader.dropped == 0
    assert source.closed.is_set()


def test_read_ahead_is_bounded():
    taken = []

    class Counting(ListSource):
        def __iter__(self):
            for frame in super().__iter__():
                taken.append(frame.index)
                yield frame

    with Reader(Counting([picture()] * 100)) as reader:
        reader.read()
        time.sleep(0.1)
        assert len(taken) <= FILE_QUEUE + 2


def test_live_the_newest_frame_wins():
    source = ListSource([picture(i) for i in range(20)], live=True, hang=True)
    with Reader(source) as reader:
        eventually(lambda: reader.dropped == 19)
        assert reader.read().index == 19
        assert reader.dropped == 19


def test_live_silence_is_an_error_and_no_hang():
    source = ListSource([picture()], live=True, hang=True)
    with Reader(source) as reader:
        assert reader.read().index == 0
        reader.patience = 0.1
        with pytest.raises(SourceError, match="no frame for 0.1 seconds"):
            reader.read()


@pytest.mark.parametrize("live", [False, True])
def test_error_of_the_source_comes_after_its_frames(live):
    failure = SourceError("camera 0 stopped")
    with Reader(ListSource([picture()], live=live, fail=failure)) as reader:
        assert reader.read().index == 0
        with pytest.raises(SourceError, match="camera 0 stopped"):
            reader.read()
        assert reader.read() is None


def test_closing_while_the_queue_is_full_ends_the_thread():
    reader = Reader(ListSource([picture()] * 50))
    with reader:
        reader.read()
    assert not reader._thread.is_alive()


def test_pace_holds_back_and_does_not_catch_up():
    pace = Pace(0.5)
    pace.done()
    assert 0.0 < pace.remaining() <= 2.0
    pace._next -= 10.0  # ten seconds late
    pace.done()
    assert pace.remaining() <= 2.0
    assert Pace(None).remaining() == 0.0
    assert np.isfinite(Pace(0.0).period)


@pytest.mark.parametrize("back", [0, 3, 8])
@pytest.mark.parametrize("kind", ["video.mp4", "video.avi", "images"])
def test_seeking_lands_on_the_frame_it_names(tmp_path, kind, back):
    if kind == "images":
        for index in range(30):
            image = cv2.cvtColor(picture(index), cv2.COLOR_RGB2BGR)
            assert cv2.imwrite(str(tmp_path / f"{index:04d}.png"), image)
        source = open_source(tmp_path)
    else:
        source = open_source(write_video(tmp_path / kind, frames=30))
    with Reader(source, back=back) as reader:
        assert reader.read().index == 0
        for goal in (7, 6, 5, 4, 20, 19, 3, 3, 29, 0, 12, 1):
            reader.seek(goal)
            for index in (goal, goal + 1)[: 30 - goal]:
                frame = reader.read()
                assert frame.index == index
                left = int(np.nonzero(frame.image[38, :, 0] > 150)[0][0])
                assert abs(left - 10 - 2 * index) <= 1
        reader.seek(25)
        assert [frame.index for frame in reader] == [25, 26, 27, 28, 29]
        for beyond in (500, 30):
            reader.seek(beyond)
            assert [frame.index for frame in reader] == [29]
        reader.seek(28)
        assert [frame.index for frame in reader] == [28, 29]


def test_the_newest_of_many_seeks_counts(tmp_path):
    with Reader(open_source(write_video(tmp_path / "a.avi", frames=60)), back=8) as reader:
        for goal in range(59, 20, -1):
            reader.seek(goal)
        assert reader.read().index == 21


def test_live_a_frame_to_be_kept_is_not_dropped():
    class Keeping(ListSource):
        def __iter__(self):
            for frame in super().__iter__():
                yield replace(frame, keep=frame.index == 4)

    with Reader(Keeping([picture()] * 20, live=True, hang=True)) as reader:
        eventually(lambda: reader.dropped == 18)
        assert [reader.read().index for _ in range(2)] == [4, 19]
        assert reader.dropped == 18
