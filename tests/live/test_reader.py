import time

import numpy as np
import pytest

from pytracking_et.errors import SourceError
from pytracking_et.live.reader import FILE_QUEUE, Pace, Reader

from .fakes import ListSource, picture


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
        deadline = time.monotonic() + 30
        while reader.dropped < 19 and time.monotonic() < deadline:
            time.sleep(0.01)
        frame = reader.read()
        assert frame.index == 19
        assert reader.dropped == 19


def test_live_silence_is_an_error_and_no_hang():
    source = ListSource([picture()], live=True, hang=True)
    with Reader(source) as reader:
        assert reader.read().index == 0
        with pytest.raises(SourceError, match="no frame for 0.1 seconds"):
            reader.read(timeout=0.1)


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
