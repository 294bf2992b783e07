import numpy as np
import pytest

from ltr_et.data.pairs import TrackTable, generator, source_weights
from pytracking_et.errors import ParameterError


def test_generators_depend_on_the_whole_key():
    draws = [generator(*key).random() for key in ((0, 1, 2), (0, 2, 1), (1, 1, 2), (1, 2, 0))]
    assert len(set(draws)) == 4
    assert generator(0, 1, 2).random() == draws[0]
    assert generator("mot_dense", 3).random() == generator("mot_dense", 3).random()


NAMES = ["coco", "mot_dense", "new"]


def test_weights_come_from_the_pack_and_may_be_replaced():
    weights = dict(zip(NAMES, source_weights(NAMES), strict=True))
    assert weights["coco"] == pytest.approx(2 * weights["mot_dense"])
    assert 0 < weights["new"] < weights["mot_dense"]
    assert source_weights(["coco", "mot_dense"], {"coco": 0, "other": 5}).tolist() == [0, 1]


@pytest.mark.parametrize("weights", [{"coco": -1}, {"coco": 0, "mot_dense": 0}])
def test_bad_weights(weights):
    with pytest.raises(ParameterError, match="coco"):
        source_weights(["coco", "mot_dense"], weights)


def test_sources_by_weight_and_tracks_by_the_root_of_their_length():
    source = np.array([0] * 10 + [1] * 4)
    track = np.array(["a"] * 9 + ["b"] + ["a"] * 2 + ["c"] * 2)
    table = TrackTable(source, track, ["one", "two"], {"one": 3.0, "two": 1.0})
    assert table.names.tolist() == ["one/a", "one/b", "two/a", "two/c"]
    assert [len(rows) for rows in table.rows] == [9, 1, 2, 2]
    assert table.rows[2].tolist() == [10, 11]
    rng = np.random.default_rng(0)
    shares = np.bincount([table.draw(rng) for _ in range(8000)], minlength=4) / 8000
    assert shares == pytest.approx([0.75 * 0.75, 0.75 * 0.25, 0.125, 0.125], abs=0.02)


def test_a_source_without_rows_is_never_drawn():
    table = TrackTable(np.array([1, 1]), np.array(["a", "b"]), ["empty", "full"])
    rng = np.random.default_rng(0)
    assert {table.draw(rng) for _ in range(50)} == {0, 1}
