import json

import numpy as np
import pytest

from ltr_et import tracking_validation
from ltr_et.dataset.pack import open_pack
from pytracking_et.errors import DatasetError, ParameterError
from pytracking_et.tracking.parameters import Parameters

from .tiny import write_crowd, write_masked_video


class Standing:
    """An engine that sees the target in the middle of every search crop, `width` pixels wide."""

    def __init__(self, width=64.0):
        self.width = width

    def template(self, image):
        assert image.shape == (127, 127, 3)

    def track(self, image):
        cells = image.shape[0] // 16
        score = np.full((cells, cells), 0.01, np.float32)
        score[cells // 2, cells // 2] = 0.9
        return score, np.full((4, cells, cells), self.width / 2, np.float32)


@pytest.fixture
def pack(tmp_path):
    write_masked_video(tmp_path, tracks=tuple("abcdef"), frames=10)
    write_crowd(tmp_path, frames=3)
    return open_pack(tmp_path)


def test_tracks_are_long_enough_and_split_by_part(pack):
    every = tracking_validation.tracks(pack, "all")
    assert {track.name for track in every} == {f"davis2016/{letter}" for letter in "abcdef"}
    train = tracking_validation.tracks(pack, "train")
    assert {track.name for track in train} == {t.name for t in every if not t.held_out}
    with pytest.raises(DatasetError, match="8 frames"):
        tracking_validation.tracks(pack, "all", sources=["mot"])


def test_success_rewards_the_better_tracker(pack):
    chosen = tracking_validation.tracks(pack, "all")[:2]
    # The box of 24x36 covers 56.6 of 127 template pixels in width and 85 in height.
    good, per_source = tracking_validation.success(Standing(70), Parameters(), chosen)
    bad, _ = tracking_validation.success(Standing(8), Parameters(), chosen)
    assert list(per_source) == ["davis2016"]
    assert good == per_source["davis2016"]
    assert good > bad + 5


def test_following_starts_on_the_truth(pack):
    track = tracking_validation.tracks(pack, "all")[0]
    boxes = tracking_validation.follow(Standing(), Parameters(), track)
    assert boxes.shape == (10, 4)
    assert boxes[0].tolist() == track.boxes[0].tolist()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [{}]),
        (["lr=0.5,0.6"], [{"lr": 0.5}, {"lr": 0.6}]),
        (["lr=0.5", "size_smoothing=once"], [{"lr": 0.5, "size_smoothing": "once"}]),
    ],
)
def test_grid(arguments, expected):
    assert list(tracking_validation.parse_grid(arguments)) == expected


@pytest.mark.parametrize("argument", ["lr", "rate=1"])
def test_impossible_grid(argument):
    with pytest.raises(ParameterError, match="penalty_k"):
        list(tracking_validation.parse_grid([argument]))


def test_command_line_logs_one_record_per_combination(tmp_path, pack, monkeypatch, capsys):
    monkeypatch.setattr(tracking_validation, "load_engine", lambda path, name: (Standing(), {}))
    weights, log = tmp_path / "w.safetensors", tmp_path / "tracking.jsonl"
    monkeypatch.setattr(
        tracking_validation.network.weights, "metadata", lambda path: {"samples": "640"}
    )
    arguments = [str(weights), "--data", str(tmp_path), "--part", "all", "--log", str(log)]
    assert tracking_validation.main([*arguments, "--grid", "lr=0.2,0.6"]) == 0
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [r["constants"] for r in records] == [{"lr": 0.2}, {"lr": 0.6}]
    assert {r["samples"] for r in records} == {640}
    assert "6 tracks, 60 frames" in capsys.readouterr().out
