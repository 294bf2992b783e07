import cv2
import numpy as np
import pytest

from ltr_et.dataset.pack import FolderDataset
from pytracking_et.errors import DatasetError, ImageError

from ..tiny import scene, write_image


@pytest.mark.parametrize("images", ["{name}/{n}.jpg", "{name}/img/{n:04d}.png"])
@pytest.mark.parametrize("text", ["groundtruth.txt", "groundtruth_rect.txt"])
def test_images(tmp_path, images, text):
    for n in (1, 2, 10):
        path = tmp_path / images.format(name="cup", n=n)
        write_image(path, scene([(10 * n, 20, 30, 30)]))
    (tmp_path / "cup" / text).write_text("10 20 30 30\nnan nan nan nan\n100 20 30 30\n")
    dataset = FolderDataset(tmp_path)
    assert dataset.track_name(0) == "cup"
    assert dataset.get_sequence_info(0)["valid"].tolist() == [True, False, True]
    assert dataset.read_frame(0, 2)[30, 120, 0] > 180


def test_folders_with_a_dot_have_their_own_names_and_are_listed_anew(tmp_path):
    for name in ("cam.1", "cam.2"):
        write_image(tmp_path / name / "1.jpg", scene([(10, 20, 30, 30)]))
        (tmp_path / name / "groundtruth.txt").write_text("10,20,30,30\n")
    dataset = FolderDataset(tmp_path)
    assert [dataset.track_name(i) for i in range(2)] == ["cam.1", "cam.2"]
    assert len(dataset.get_sequence_info(0)["bbox"]) == 1
    write_image(tmp_path / "cam.1" / "2.jpg", scene([(10, 20, 30, 30)]))
    (tmp_path / "cam.1" / "groundtruth.txt").write_text("10,20,30,30\n" * 2)
    assert len(FolderDataset(tmp_path).get_sequence_info(0)["bbox"]) == 2


def test_video_files(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 120))
    for frame in range(4):
        image = scene([(10 + 20 * frame, 20, 30, 30)])
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()
    path.with_suffix(".txt").write_text("".join(f"{10 + 20 * f},20,30,30\n" for f in range(4)))
    dataset = FolderDataset(tmp_path)
    frames, anno, _ = dataset.get_frames(0, [0, 3])
    for frame, box in zip(frames, anno["bbox"], strict=True):
        centre = (box[:2] + box[2:] / 2).astype(int)
        assert frame[centre[1], centre[0]].tolist() == pytest.approx([220, 40, 40], abs=40)
    with pytest.raises(ImageError, match="frame 9 of video"):
        dataset.read_frame(0, 9)


def test_rows_must_fit_the_images(tmp_path):
    write_image(tmp_path / "cup" / "1.jpg", np.zeros((20, 20, 3), np.uint8))
    (tmp_path / "cup" / "groundtruth.txt").write_text("1,1,9,9\n1,1,9,9\n")
    with pytest.raises(DatasetError, match="has 2 rows"):
        FolderDataset(tmp_path).get_sequence_info(0)


def test_nothing_found(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no sequence under"):
        FolderDataset(tmp_path)
