import pytest

from ltr_et.dataset.official import TrackingNet
from pytracking_et.errors import DatasetError

from ..tiny import scene, write_image


def test_layout(tmp_path, caplog):
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
        TrackingNet(tmp_path, chunks=[1])
    with caplog.at_level("INFO"):
        assert TrackingNet(tmp_path).sequences == dataset.sequences
    assert "chunks 0, 3 of 12" in caplog.text
    with pytest.raises(DatasetError, match="none of TRAIN_0 to TRAIN_11 is in"):
        TrackingNet(tmp_path / "TRAIN_0")
