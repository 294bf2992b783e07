import gc
import threading
import time
import weakref

import numpy as np
import pytest

from pytracking_et.errors import BoxError, ImageError, SourceError
from pytracking_et.live.controls import Controls, Edit
from pytracking_et.live.player import Player, settled_objects
from pytracking_et.live.reader import Reader
from pytracking_et.live.recording import Recording, Rows
from pytracking_et.live.session import Session
from pytracking_et.live.sources import Frame, open_source
from pytracking_et.results.exchange import TrackRow
from pytracking_et.videos import VideoWriter

from .fakes import ColourTracker, ListSource, eventually, picture

BOX = (10.0, 30.0, 20.0, 16.0)


class Script:
    """A display that plays a user: after frame n it does what `acts[n]` says."""

    how = "draw"

    def __init__(self, controls, acts=None):
        self.controls, self.acts = controls, {} if acts is None else acts
        self.views, self.polls = [], 0

    def show(self, view):
        self.views.append(view)

    def poll(self, seconds):
        self.polls += 1
        act = self.acts.pop(self.views[-1].index, None)
        if act is not None:
            act(self.controls)
        elif self.polls > 2000:
            self.controls.quit()  # a test must not hang
        if seconds:
            time.sleep(min(seconds, 0.001))


def play(source, acts=None, notices=None, tracker=ColourTracker, face=Script, **options):
    controls = Controls()
    script = face(controls, acts)
    notify = [].append if notices is None else notices.append
    with Reader(source, back=4) as reader:
        player = Player(reader, Session(tracker()), controls, [script], notify=notify, **options)
        player.run()
    return player, script


def moving(frames):
    return ListSource([picture(i) for i in range(frames)])


def test_a_box_given_before_is_tracked_through_every_frame(tmp_path):
    recording = Recording(tmp_path, "clip")
    player, script = play(moving(12), boxes=[np.array(BOX)], recording=recording)
    assert player.summary.frames == 12 and player.summary.tracked == 11 and player.summary.ended
    assert [view.index for view in script.views] == list(range(12))
    for view in script.views:
        np.testing.assert_allclose(view.marks[0].box, [10 + 2 * view.index, 30, 20, 16])
    assert len(recording) == 12
    assert script.views[-1].score_map.shape == (18, 18)
    assert script.views[-1].search_crop.shape == (256, 256, 3)


def test_a_box_drawn_later_starts_on_the_frame_that_is_shown():
    acts = {4: lambda controls: controls.ask(Edit("box", np.array([18.0, 30, 20, 16])))}
    player, script = play(moving(8), acts)
    assert [len(view.marks) for view in script.views if view.index < 4] == [0] * 4
    last = script.views[-1]
    np.testing.assert_allclose(last.marks[0].box, [24, 30, 20, 16])
    assert player.summary.tracked == 3


def test_live_a_target_begins_where_the_frame_it_was_to_begin_on_was_dropped():
    starts = {0: [TrackRow(0, 3, BOX, 1.0, (0, 0))]}
    source = ListSource([picture(i) for i in range(8)], live=True, period=0.01)
    controls = Controls()
    with Reader(source, back=4) as reader:
        eventually(lambda: reader.dropped > 1)
        player = Player(reader, Session(ColourTracker()), controls, starts=starts)
        player.run()
    assert [target.id for target in player.session.targets] == [3]


def test_reset_then_a_new_target():
    def swap(controls):
        controls.ask(Edit("release"))
        controls.ask(Edit("box", np.array([16.0, 30, 20, 16])))

    _, script = play(moving(6), {3: swap}, boxes=[np.array(BOX)])
    assert [mark.id for mark in script.views[-1].marks] == [2]


def test_a_bad_box_is_a_notice_and_the_video_goes_on():
    notices = []
    acts = {1: lambda controls: controls.ask(Edit("box", np.array([900.0, 0, 5, 5])))}
    player, _ = play(moving(4), acts, notices)
    assert player.summary.frames == 4
    assert "outside the image" in notices[0]


def test_a_bad_first_box_is_an_error():
    with pytest.raises(BoxError, match="outside"):
        play(ListSource([picture()]), boxes=[np.array([900.0, 0, 5, 5])])


def test_pause_shows_a_hint_and_stepping_moves_one_frame():
    seen = []

    def step_twice(controls):
        controls.pause()
        controls.step()
        controls.step()

    def note_and_quit(controls):
        seen.append(True)
        controls.quit()

    acts = {2: step_twice, 4: note_and_quit}
    player, _ = play(moving(20), acts, boxes=[np.array(BOX)])
    assert seen and player.summary.frames == 5 and not player.summary.ended


def test_a_paused_file_shows_its_first_frame_and_waits():
    controls = Controls(paused=True)
    with Reader(moving(5)) as reader:
        script = Script(controls)
        player = Player(reader, Session(ColourTracker()), controls, [script])
        thread = threading.Thread(target=player.run)
        thread.start()
        eventually(lambda: script.polls >= 20)
        assert [view.index for view in script.views] == [0]
        controls.quit()
        thread.join(30)
        assert not thread.is_alive()


def test_frames_of_another_size_are_tracked(tmp_path):
    sizes = [(96, 128), (96, 128), (120, 200), (60, 80), (96, 128)]
    images = [picture(i, size) for i, size in enumerate(sizes)]
    with VideoWriter(tmp_path / "out.mp4") as writer:
        steps = [lambda view: writer.write(view.picture)]
        player, script = play(ListSource(images), boxes=[np.array(BOX)], on_frame=steps)
    assert [view.image.shape[:2] for view in script.views] == sizes
    assert len(list(open_source(tmp_path / "out.mp4"))) == 5


def test_an_image_the_tracker_refuses_is_skipped_with_a_notice():
    class Picky(ColourTracker):
        def update(self, image):
            if image[0, 0, 0] == 7:
                raise ImageError("image is odd")
            return super().update(image)

    images = [picture(i) for i in range(5)]
    images[2] = images[2].copy()
    images[2][0, 0] = 7
    notices = []
    player, _ = play(ListSource(images), {}, notices, Picky, boxes=[np.array(BOX)])
    assert player.summary.frames == 5
    assert notices == ["frame 2 skipped: image is odd"]


def test_a_camera_that_is_pulled_out_leaves_what_was_recorded(tmp_path):
    recording = Recording(tmp_path, "webcam")
    source = ListSource(
        [picture(i) for i in range(6)], fail=SourceError("camera 0 stopped delivering frames")
    )
    with (
        pytest.raises(SourceError, match="camera 0"),
        VideoWriter(tmp_path / "out.mp4") as writer,
    ):
        steps = [lambda view: writer.write(view.picture)]
        play(source, boxes=[np.array(BOX)], recording=recording, on_frame=steps)
    assert len(recording) == 6
    assert len(list(open_source(tmp_path / "out.mp4"))) == 6


def test_pace_asks_the_display_to_wait():
    waits = []

    class Waiting(Script):
        def poll(self, seconds):
            waits.append(seconds)
            super().poll(0)

    play(moving(4), face=Waiting, pace=0.5)
    assert max(waits) > 1.0  # 2 s a frame, less what the frame took


class Cycle:
    """Garbage that only a collection finds."""

    def __init__(self):
        self.own = self


def test_old_objects_are_left_out_of_collections_only_while_it_plays():
    frozen, alive = [], []

    class Watcher(Script):
        def show(self, view):
            super().show(view)
            frozen.append(gc.get_freeze_count())
            cycle = Cycle()
            alive.append(weakref.ref(cycle))

    before = gc.get_freeze_count()
    play(moving(5), face=Watcher)
    assert min(frozen) > before
    # Python 3.12 starts with some hundred frozen, which the end sets free as well.
    assert gc.get_freeze_count() <= before
    gc.collect()
    assert [reference() for reference in alive] == [None] * 5


def test_a_second_loop_freezes_nothing_of_the_first():
    with settled_objects():
        cycle = Cycle()
        alive = weakref.ref(cycle)
        with settled_objects():
            pass
        del cycle
        gc.collect()
        assert alive() is None


def review(acts, frames=20, rows=None):
    """A file that the user goes over, as on the page: ends when the script says so."""
    rows, notices = Rows() if rows is None else rows, []
    source = SeekableList([picture(i) for i in range(frames)])
    player, script = play(source, acts, notices, recording=rows, boxes=[np.array(BOX)], review=True)
    assert notices == []
    return rows, script, player


class SeekableList(ListSource):
    """Ready images that can be read again."""

    position = 0

    def __iter__(self):
        while self.position < len(self.images):
            self.position += 1
            index = self.position - 1
            yield Frame(index, self.images[index], time.monotonic())

    def rewind(self):
        self.position = 0

    def skip(self):
        self.position += 1
        return self.position <= len(self.images)


class Steps:
    """Acts one after another, each once its frame stands still or is passed."""

    def __init__(self, *steps):
        self.steps = list(steps)

    def pop(self, index, default=None):
        if self.steps and self.steps[0][0] == index:
            return self.steps.pop(0)[1]
        return default


@pytest.mark.parametrize("far", [True, False])
def test_going_back_shows_what_was_found_and_goes_on_where_it_stopped(far):
    goal = 1 if far else 8

    acts = Steps(
        (10, lambda c: c.seek(goal)),
        (goal, lambda c: c.pause(False)),
        (19, lambda c: c.quit()),
    )
    rows, script, player = review(acts)
    seen = [view.index for view in script.views]
    assert seen.count(goal + 1) >= 2 and player.summary.tracked == 19  # each frame once
    for view in script.views:
        np.testing.assert_allclose(view.marks[0].box, [10 + 2 * view.index, 30, 20, 16])
    assert len(rows) == 20


def test_undo_live_leaves_what_was_found_of_the_others():
    rows, boxes = Rows(), {3: 16.0, 8: 26.0}
    acts = {
        n: lambda controls, x=x: controls.ask(Edit("box", np.array([x, 30, 20, 16])))
        for n, x in boxes.items()
    }
    acts[15] = lambda controls: controls.ask(Edit("undo"))
    source = ListSource([picture(i) for i in range(20)], live=True, period=0.05)
    player, script = play(source, acts, recording=rows)
    shown = {view.index for view in script.views}
    assert {row.id for row in rows.all()} == {1}
    assert shown - {row.frame for row in rows.all()} <= set(range(4))
    assert [target.id for target in player.session.targets] == [1]


def test_undo_live_of_a_removal_and_dropped_frames_leave_all_targets_active():
    """The page goes by the number of the frame that each has seen last."""

    class Dropping(ListSource):
        def __iter__(self):
            return (frame for frame in super().__iter__() if frame.index % 2 == 0)

    acts = {
        4: lambda controls: controls.ask(Edit("box", np.array([18.0, 30, 20, 16]))),
        8: lambda controls: controls.ask(Edit("box", np.array([26.0, 30, 20, 16]))),
        12: lambda controls: controls.ask(Edit("remove", target=2)),
        16: lambda controls: controls.ask(Edit("undo")),
    }
    player, script = play(Dropping([picture(i) for i in range(25)], live=True, period=0.03), acts)
    seen = {target.id: target.at for target in player.session.targets}
    assert seen == dict.fromkeys((1, 2), script.views[-1].index)


def test_starts_of_a_file_have_their_numbers_and_outlive_an_undo():
    rows = Rows()
    starts = {10: [TrackRow(10, 1, (30.0, 30.0, 20.0, 16.0), 1.0, (0, 0))]}
    acts = Steps(
        (2, lambda c: c.ask(Edit("box", np.array([14.0, 30, 20, 16]), play=True))),
        (15, lambda c: c.ask(Edit("undo"))),
        (2, lambda c: c.pause(False)),
    )
    play(SeekableList([picture(i) for i in range(20)]), acts, recording=rows, starts=starts)
    assert {row.id: row.frame for row in reversed(rows.all())} == {1: 10}


def test_a_correction_replaces_up_to_the_next_drawn_box_and_undo_brings_all_back():
    other = np.array([3.0, 60, 9, 9])  # background, which is everywhere: the box is the picture
    kept, rows = {}, Rows()

    def correct(controls):
        kept["before"] = rows.copy()
        controls.ask(Edit("box", other, target=1, frame=5, play=True))

    def after(controls):
        kept["after"] = rows.copy()
        controls.ask(Edit("undo"))

    def finish(controls):
        kept["undone"] = rows.copy()
        controls.quit()

    acts = Steps(
        (8, lambda c: c.ask(Edit("box", np.array([26.0, 30, 20, 16]), 1, 8))),
        (19, lambda c: c.seek(5)),
        (5, correct),
        (19, after),
        (5, finish),
    )
    review(acts, rows=rows)
    before, changed = kept["before"][1], kept["after"][1]
    assert [k for k in range(20) if before[k] != changed[k]] == [5, 6, 7]
    assert changed[5].box == tuple(other) and changed[5].drawn
    assert kept["undone"] == kept["before"]


def test_a_second_target_leaves_the_first_alone_and_can_be_removed():
    acts = Steps(
        (6, lambda c: c.ask(Edit("box", np.array([22.0, 30, 20, 16]), play=True))),
        (12, lambda c: c.ask(Edit("remove", target=1))),
        (19, lambda c: c.quit()),
    )
    rows, _, _ = review(acts)
    assert list(rows.copy()) == [2]
    assert sorted(rows.copy()[2]) == list(range(6, 20))
