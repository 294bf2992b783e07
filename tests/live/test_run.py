import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from pytracking_et.commands import main
from pytracking_et.errors import ParameterError, ResultsError
from pytracking_et.live import run as module
from pytracking_et.live.draw import LOW_SCORE
from pytracking_et.live.run import (
    LiveOptions,
    PytrackingTracker,
    low_score,
    make_tracker,
    run_live,
)
from pytracking_et.live.session import Session
from pytracking_et.live.sources import breaks_off, open_source
from pytracking_et.spec import TrackerSpec

from .fakes import ColourTracker, write_video

BOX = ["10", "30", "20", "16"]


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """No network, no window, and the working folder is the test's own."""
    monkeypatch.setattr(module, "make_tracker", lambda options: ColourTracker())
    monkeypatch.setattr(module, "why_no_window", lambda: "no display (test)")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def clip(tmp_path):
    return str(write_video(tmp_path / "street.mp4"))


def video(clip, *words, box=BOX):
    return main(["video", str(clip), "--box", *box, *words])


def test_video_with_box_output_and_results(tmp_path, capsys):
    clip = write_video(tmp_path / "street.mp4", frames=10)
    command = ["video", "et_tracker", "et_tracker", str(clip), "--box", *BOX]
    command += ["--save_results", "--results", "res", "--output", "out.mp4"]
    assert main(command) == 0
    folder = tmp_path / "res" / "et_tracker" / "et_tracker"
    rows = np.loadtxt(folder / "video_street_1.txt", dtype=int, delimiter="\t")
    assert rows.shape == (10, 4)
    assert np.abs(rows[:, 0] - (10 + 2 * np.arange(10))).max() <= 2
    assert (folder / "video_street.csv").is_file()
    assert len(list(open_source(tmp_path / "out.mp4"))) == 10
    printed = capsys.readouterr().err
    assert "no window here (no display (test)); using output" in printed
    assert "10 frames" in printed and "results:" in printed


def test_without_window_and_box_the_first_frame_is_there_to_read_a_box_from(clip, capsys):
    assert main(["video", clip, "--use_visdom", "false"]) == 2
    assert "read it from street_first_frame.png" in capsys.readouterr().err
    picture = cv2.imread("street_first_frame.png")
    first = next(iter(open_source(clip))).image[:, :, ::-1]
    assert picture.shape == first.shape
    line, beside = picture[-5:, 50].mean(), picture[-5:, 52].mean()
    assert line > beside + 40


MOT = (
    "1,4,11,31,20,16,1\n3,9,13,31,20,16,1\n3,4,15,31,20,16,1\n4,7,900,31,20,16,1\n"
    "99,8,11,31,20,16,1\n"
)
CVAT = (
    '<annotations><track id="0"><box frame="2" xtl="12" ytl="30" xbr="32" ybr="46" outside="0"/>'
    "</track></annotations>"
)


@pytest.mark.parametrize(
    ("text", "first"), [(MOT, {4: 0, 9: 2}), (CVAT, {1: 2})], ids=["MOT", "CVAT"]
)
def test_targets_begin_where_the_file_of_starts_says(clip, text, first, tmp_path, capsys):
    (tmp_path / "starts").write_text(text)
    assert main(["video", clip, "--starts", "starts", "--export", "mot=out.txt"]) == 0
    found = {}
    for line in (tmp_path / "out.txt").read_text().splitlines():
        frame, target = line.split(",")[:2]
        found.setdefault(int(target), int(frame) - 1)
    assert found == first
    # A box outside the picture leaves the other targets; one behind its end is not passed over.
    said = capsys.readouterr().err
    for left_out in ("frame 3, target 7 is left out", "frame 98, target 8 is left out"):
        assert (left_out in said) == (text is MOT)


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("1,2,three\n", [], "line 1: '1,2,three' is not MOT's"),
        ("", [], "starts holds no box"),
        (None, [], "starts"),
        (MOT, ["--box", *BOX], "give one of them"),
    ],
)
def test_starts_that_cannot_be_used(clip, text, more, message, tmp_path, capsys):
    if text is not None:
        (tmp_path / "starts").write_text(text)
    assert main(["video", clip, "--starts", "starts", *more]) == 2
    assert message in capsys.readouterr().err


def test_without_a_trace_asked_for_a_video_is_written(clip, tmp_path):
    assert video(clip) == 0
    assert len(list(open_source(tmp_path / "street_tracked.mp4"))) == 12


def test_webcam_takes_any_source(clip, tmp_path):
    command = ["webcam", "--source", clip, "--box", *BOX, "--use_visdom", "false"]
    assert main([*command, "--debug", "2", "--output", "o.avi"]) == 0
    assert len(list(open_source(tmp_path / "o.avi"))) == 12


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["video", "gone.mp4"], "'gone.mp4' does not exist"),
        (["video", "a", "b"], "2 names given"),
        (["video", "CLIP", "--box", "900", "0", "5", "5"], "outside the image"),
        (["video", "CLIP", "--box", "5", "5", "0", "5"], "no area"),
        (["video", "CLIP", "--box", *BOX, "--output", "x.gif"], r"x.gif"),
        (["video", "CLIP", "--box", *BOX, "--output", "street.mp4"], "would be lost"),
        (["video", "CLIP", "--box", *BOX, "--export", "mot=street.mp4"], "would be lost"),
        (
            ["video", "CLIP", "--box", *BOX, "--export", "mot=o.txt", "--export", "coco=./o.txt"],
            "the file of --export already",
        ),
    ],
)
def test_mistakes_end_with_2_and_leave_nothing(clip, tmp_path, capsys, command, message):
    assert main([clip if word == "CLIP" else word for word in command]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["street.mp4"]


def test_the_video_is_not_lost_by_another_name_of_it(clip, tmp_path, capsys):
    # As STREET.mp4 is one on disks that ignore case.
    other = tmp_path / "other.mp4"
    os.link(clip, other)
    assert video(clip, "--output", str(other)) == 2
    assert "would be lost" in capsys.readouterr().err


def test_a_cut_off_video_is_noticed(tmp_path, capsys):
    clip = write_video(tmp_path / "street.avi", frames=40)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    assert video(clip) == 0
    read = len(list(open_source(tmp_path / "street_tracked.mp4")))
    printed = capsys.readouterr().err
    assert f"{read} frames" in printed
    announced = open_source(clip).length
    assert ("may be cut off" in printed) == breaks_off(read, announced)


def test_an_intact_video_with_an_edit_list_is_not_called_cut(capsys):
    clip = Path(__file__).parent / "edit_list_trimmed.mp4"
    assert video(clip, box=["120.5", "56.5", "37", "52.5"]) == 0
    assert "cut off" not in capsys.readouterr().err


def test_ctrl_c_keeps_results_and_output(tmp_path, monkeypatch, capsys):
    class Interrupted(ColourTracker):
        def update(self, image):
            if len(self.shapes) == 4:
                raise KeyboardInterrupt
            return super().update(image)

    monkeypatch.setattr(module, "make_tracker", lambda options: Interrupted())
    options = LiveOptions(
        str(write_video(tmp_path / "street.mp4")),
        boxes=[[10, 30, 20, 16]],
        output="out.mp4",
        save_results=True,
        results="res",
    )
    assert run_live(options) == 0
    rows = np.loadtxt(tmp_path / "res/et_tracker/et_tracker/video_street_1.txt", delimiter="\t")
    assert len(rows) == 5
    assert len(list(open_source(tmp_path / "out.mp4"))) == 5
    assert "stopped" in capsys.readouterr().err


def test_pytracking_trackers_fit():
    class Theirs:
        ready = False

        def initialize_features(self):
            self.ready = True

        def initialize(self, image, info):
            self.box = info["init_bbox"]
            assert all(type(value) is float for value in self.box)

        def track(self, image, info=None):
            return {"target_bbox": [value + 1 for value in self.box]}

    wrapped = PytrackingTracker(Theirs)
    assert wrapped.tracker.ready
    wrapped.init(np.zeros((9, 9, 3), np.uint8), (1, 2, 3, 4))
    box, score = wrapped.update(np.zeros((9, 9, 3), np.uint8))
    np.testing.assert_array_equal(box, [2, 3, 4, 5])
    assert score == 1.0


class Uncopied:
    """As one with an OpenCV tracker or a session of ONNX Runtime inside."""

    def __init__(self):
        self.lock = threading.Lock()
        self.answer = {"target_bbox": [1, 2, 3, 4], "object_presence_score": None}

    def initialize(self, image, info):
        pass

    def track(self, image, info=None):
        return self.answer


def test_trackers_that_cannot_be_copied_are_made_anew():
    image = np.zeros((9, 9, 3), np.uint8)
    session = Session(PytrackingTracker(Uncopied))
    for _ in range(2):
        session.add(image, (1, 2, 3, 4))
    assert len({id(each.tracker.tracker) for each in session.targets}) == 2
    assert session.update(image)[0].score == 1.0
    with pytest.raises(ParameterError, match=r"Uncopied cannot be copied: TypeError: .*lock"):
        session.copy()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "Uncopied: the tracker returned None; it must return a dict with target_bbox"),
        ([1, 2, 3, 4], "the tracker returned"),
        ({"target_bbox": [1, 2, np.nan, 4]}, "target_bbox is .*nan"),
        ({"target_bbox": [1, 2, 3, 4], "object_presence_score": "x"}, "score is 'x'"),
    ],
)
def test_answers_that_are_none_are_told(answer, words):
    image = np.zeros((9, 9, 3), np.uint8)
    wrapped = PytrackingTracker(Uncopied)
    wrapped.init(image, (1, 2, 3, 4))
    wrapped.tracker.answer = answer
    with pytest.raises(ResultsError, match=words):
        wrapped.update(image)


def test_pytracking_trackers_get_what_pytrackings_harness_gives(monkeypatch):
    from pytracking_et.tracker import params, plugins

    class Theirs:
        """Keeps its state in what it returns, as the published plug-in of E.T.Track does."""

        def __init__(self, bag):
            self.names = (bag.tracker_name, bag.param_name, bag.run_id)
            self.level = (bag.debug, bag.visualization)

        def initialize(self, image, info):
            return {"count": 0, "target_bbox": info["init_bbox"]}

        def track(self, image, info):
            count = info["previous_output"]["count"] + 1
            return {"count": count, "target_bbox": [count, 0, 5, 5]}

    monkeypatch.setattr(plugins, "parameters", lambda *_: params.TrackerParams(debug=2))
    monkeypatch.setattr(plugins, "tracker_class", lambda _: Theirs)
    wrapped = make_tracker(TrackerSpec("theirs", "default"))
    assert wrapped.tracker.names == ("theirs", "default", None)
    assert wrapped.tracker.level == (2, False)
    image = np.zeros((9, 9, 3), np.uint8)
    wrapped.init(image, (1, 2, 3, 4))
    assert [wrapped.update(image)[0][0] for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("names", "given", "expected"),
    [
        (("et_tracker", "with_field"), 0.3, 0.3),
        (("theirs", "with_field"), None, 0.9),
        (("theirs", "without"), None, LOW_SCORE),
        (("et_tracker", "with_field"), None, 0.9),
        (("et_tracker", "without"), None, LOW_SCORE),
    ],
)
def test_the_threshold_of_grey_is_the_parameter_files(monkeypatch, names, given, expected):
    from pytracking_et.tracker import params, plugins

    bags = {
        "with_field": params.TrackerParams(object_presence_score_threshold=0.9),
        "without": params.TrackerParams(),
    }
    monkeypatch.setattr(plugins, "parameters", lambda _tracker, name: bags[name])
    assert low_score(TrackerSpec(*names), given) == expected
    with pytest.raises(ParameterError, match="--low-score nan is no number"):
        low_score(TrackerSpec(*names), float("nan"))


@pytest.mark.parametrize(
    "given", [{"checkpoint": "w.npz"}, {"engine": "onnx"}, {"precision": "int8"}, {"threads": 1}]
)
def test_other_trackers_choose_for_themselves(given):
    with pytest.raises(ParameterError, match="--threads are for et_tracker; 'theirs'"):
        make_tracker(TrackerSpec("theirs", "default", **given))


def test_a_text_file_is_no_video(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("buy bread, call back\n" * 50)
    assert video("notes.txt") == 2
    assert "video 'notes.txt' is a text file, not a video" in capsys.readouterr().err


@pytest.mark.parametrize("overlay", [False, True])
def test_fps_is_written_into_the_output_only_if_asked(tmp_path, overlay):
    clip = write_video(tmp_path / "street.avi", frames=4)
    assert video(clip, "--output", "o.avi", "--overlay", str(overlay)) == 0
    corner = list(open_source(tmp_path / "o.avi"))[-1].image[5:11, 8:50]
    assert (corner.min() < 60) == overlay  # the dark plate under the letters


def test_the_bar_is_gone_before_the_last_lines(tmp_path, capsys):
    clip = write_video(tmp_path / "street.avi", frames=1)
    assert video(clip, "--output", "o.avi") == 0
    last = capsys.readouterr().err.splitlines()[-2]
    assert last.startswith("1 frame in ")


def test_the_home_in_an_export(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    clip = write_video(tmp_path / "street.avi", frames=2)
    assert video(clip, "--export", "mot=~/a.txt") == 0
    assert (tmp_path / "home" / "a.txt").is_file()


def test_export_in_formats_of_others(tmp_path, capsys):
    clip = write_video(tmp_path / "street.avi", frames=4)
    assert video(clip, "--export", "mot=a.txt", "--export", "cvat=b.xml") == 0
    lines = (tmp_path / "a.txt").read_text().splitlines()
    assert len(lines) == 4 and lines[0].startswith("1,1,11.000,31.000,20.000,16.000,")
    assert (tmp_path / "b.xml").read_text().count("<box ") == 4
    assert video(clip, "--export", "vgg=a.txt") == 2
    assert "--export 'vgg=a.txt'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["street.mp4/a.txt", "taken"])
def test_an_export_that_cannot_be_written_is_told_at_once(clip, tmp_path, capsys, name):
    (tmp_path / "taken").mkdir()
    assert video(clip, "--export", f"mot={name}", "--export", "cvat=b.xml") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["street.mp4", "taken"]


def test_a_file_that_fails_at_the_end_leaves_the_others(clip, tmp_path, capsys, monkeypatch):
    def full(recording):
        raise ResultsError("the disk is full")

    write = module.atomic_open
    monkeypatch.setattr(module.Recording, "save", full)
    nowhere = tmp_path / "street.mp4/x"
    monkeypatch.setattr(
        module, "atomic_open", lambda path: write(nowhere if path.name == "b.xml" else path)
    )
    words = ["--save_results", "--results", "res"]
    words += ["--export", "mot=a.txt", "--export", "cvat=b.xml", "--export", "coco=c.json"]
    assert video(clip, *words) == 2
    assert (tmp_path / "a.txt").is_file() and (tmp_path / "c.json").is_file()
