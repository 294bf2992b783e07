import cv2
import numpy as np
import pytest

from pytracking_et.commands import main
from pytracking_et.errors import ParameterError, ResultsError
from pytracking_et.frames import read_image
from pytracking_et.live.clip import render
from pytracking_et.live.demo import contact_sheet, run_demo, write_png
from pytracking_et.live.sources import open_source


class Oracle:
    """Knows the true boxes, shifted by a quarter of their width: an overlap of 0.6."""

    def __init__(self, frames, shift):
        self.boxes = [frame.box for frame in render(frames)]
        self.shift, self.index = shift, 0

    def init(self, image, box):
        assert image.shape == (360, 640, 3)
        np.testing.assert_array_equal(box, self.boxes[0])

    def update(self, image):
        self.index += 1
        x, y, w, h = self.boxes[self.index]
        return np.array([x + self.shift * w, y, w, h]), 0.8


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 1.0), (0.25, 0.6)])
def test_writes_video_and_sheet_and_measures(tmp_path, shift, expected):
    ticks = []
    result = run_demo(Oracle(14, shift), tmp_path, frames=14, on_frame=lambda: ticks.append(1))
    assert len(result.ious) == 13 and len(ticks) == 14
    assert result.mean_iou == pytest.approx(expected)
    assert result.fps > 0
    frames = list(open_source(result.video))
    assert len(frames) == 14 and frames[0].image.shape == (360, 640, 3)
    assert read_image(result.sheet).shape == (4 * 236, 3 * 420, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.mp4", "demo.png"]


def test_too_short_a_clip_writes_nothing(tmp_path):
    with pytest.raises(ParameterError, match="too short"):
        run_demo(Oracle(10, 0), tmp_path / "out", frames=3)
    assert not (tmp_path / "out").exists()


def test_contact_sheet_keeps_the_order():
    tiles = [np.full((2, 3, 3), value, np.uint8) for value in (10, 20, 30, 40, 50)]
    sheet = contact_sheet(tiles, 2)
    assert sheet.shape == (6, 6, 3)
    assert sheet[0, 0, 0] == 10 and sheet[0, 5, 0] == 20 and sheet[5, 0, 0] == 50
    assert sheet[5, 5, 0] == 255


def test_png_is_rgb_and_errors_are_clear(tmp_path):
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[..., 0] = 200
    write_png(tmp_path / "a.png", picture)
    assert cv2.imread(str(tmp_path / "a.png"))[0, 0].tolist() == [0, 0, 200]
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultsError, match="cannot be written"):
        write_png(tmp_path / "file" / "a.png", picture)


@pytest.mark.slow
def test_a_trained_network_follows_the_balloon(shared, tmp_path, capsys):
    weights = shared / "weights" / "lighttrack_mobile.npz"
    command = ["demo", "--checkpoint", str(weights), "--engine", "torch", "--frames", "60"]
    assert main([*command, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert float(printed.split("mean IoU ")[1].split()[0]) >= 0.7
    assert (tmp_path / "demo.mp4").stat().st_size > 10_000
