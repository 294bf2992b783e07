import pytest

from ltr_et.dataset.official import TrackingNet
from pytracking_et.errors import DatasetError

from ..tiny import scene, write_image


def test_layout(tmp_path):
    for chunk, video in ((0, "abc"), (3, "xyz")):
        folder = tmp_path / f"TRAIN_{chunk}"
        (folder / "anno").mkdir(parents=True)
        (folder / "anno" / f"{video}.txt").write_text("10,20,30,30\n20,20,30,30\n")
        for frame in (0, 1):
            box = (10 + 10 * frame, 20, 30, 30)
            write_image(folder / "frames" / video / f"{frame}.jpg", scene([box]))
    dataset = TrackingNet(tmp_path, chunks=[0, 3])
    assert [dataset.track_name(i) for i in range(2)] == ["abc", "xyz"]
    assert dataset.get_sequence_info(1)["visible"].all()
    assert dataset.read_frame(1, 1)[30, 45, 0] > 180
    with pytest.raises(DatasetError, match="TRAIN_1"):
        TrackingNet(tmp_path)
