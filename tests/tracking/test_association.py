"""Look-alikes on drawn score maps: an engine that answers with what a scene puts before it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pytracking_et.tracking.appearance import looks
from pytracking_et.tracking.association import Association, Odds, matchings
from pytracking_et.tracking.loop import Loop
from pytracking_et.tracking.parameters import Parameters

SIZE = np.array([40.0, 40.0])
START = np.array([300.0, 240.0])
RED, BLUE = (220, 30, 30), (30, 30, 220)


class Scene:
    """Engine that scores things at given places of the frame, as its loop's crop shows them."""

    def __init__(self):
        self.things, self.loop = [], None

    def template(self, image):
        pass

    def track(self, image):
        side, cells = image.shape[0], image.shape[0] // 16
        score = np.full((cells, cells), 0.01, np.float32)
        distances = np.full((4, cells, cells), 8, np.float32)
        points = (np.arange(cells) - cells // 2) * 16 + side // 2
        for center, value in self.things:
            if value is None:
                continue
            box = self.loop.box
            scale = 127 / (2 * np.sqrt(box[2] * box[3]))
            x, y = (center - box[:2] - box[2:] / 2) * scale + side // 2
            if not (0 <= x < side and 0 <= y < side):
                continue
            row, column = np.abs(points - y).argmin(), np.abs(points - x).argmin()
            half = SIZE * scale / 2
            at = points[column], points[row]
            edges = (x - half[0], y - half[1], x + half[0], y + half[1])
            score[row, column] = value
            distances[:, row, column] = (
                at[0] - edges[0], at[1] - edges[1], edges[2] - at[0], edges[3] - at[1],
            )  # fmt: skip
        return score, distances


def picture(*things):
    image = np.full((480, 640, 3), 90, np.uint8)
    for (center, value), color in zip(things, (RED, BLUE), strict=False):
        if value is None:
            continue
        x, y = (np.asarray(center) - SIZE / 2).astype(int)
        image[max(y, 0) : max(y + 40, 0), max(x, 0) : max(x + 40, 0)] = color
    return image


def follow(scenes, association=True):
    """Loop after scenes of (centre, score; None: unseen), the target first; and its centres."""
    engine = Scene()
    loop = Loop(engine, Parameters(search_size=224, association=association))
    engine.loop = loop
    loop.start(picture((START, 1.0)), (*(START - SIZE / 2), *SIZE))
    centers = []
    for things in scenes:
        engine.things = [(np.asarray(center, float), value) for center, value in things]
        box, _ = loop.step(picture(*things))
        centers.append(box[:2] + box[2:] / 2)
    return loop, np.array(centers)


def beside(count=6, camera=(0, 0), target=0.95, other=0.7):
    """The target at rest and a look-alike 60 pixels to its right, under a moving camera."""
    shifts = [np.multiply(camera, t) for t in range(count)]
    return [[(START + s, target), (START + (60, 0) + s, other)] for s in shifts]


@pytest.mark.parametrize(
    ("camera", "association", "stays"),
    [((0, 0), True, True), ((12, 8), True, True), ((0, 0), False, False)],
)
def test_a_look_alike_that_outshines_the_target(camera, association, stays):
    scenes = beside(14, camera)
    for t in range(8, 14):
        (place, _), (other, _) = scenes[t]
        scenes[t] = [(place, 0.4), (other, 0.99)]
    _, centers = follow(scenes, association)
    assert (np.abs(centers[-1] - scenes[-1][0][0]).max() < 12) == stays


def test_crossing_look_alikes_keep_who_is_who():
    scenes = [[(START + (8 * t, 0), 0.9), (START + (96 - 8 * t, 14), 0.9)] for t in range(13)]
    _, centers = follow(scenes)
    assert np.abs(centers[-1] - scenes[-1][0][0]).max() < 12


def test_the_box_rests_while_another_is_seen_and_moves_on_after_the_occlusion():
    hidden = [[(START, None), (START + (60, 0), 0.95)]] * 3
    loop, centers = follow([*beside(), *hidden])
    assert np.abs(centers[-1] - START).max() < 12
    assert loop.candidates.target is None
    loop, centers = follow([*beside(), *hidden, *beside(3)])
    assert np.abs(centers[-1] - START).max() < 12
    assert loop.candidates.target == 0


def test_a_target_that_is_moved_is_taken_where_it_stands_now():
    loop, _ = follow(beside())
    there = np.array([120.0, 130.0])
    loop.engine.things = [(there, 0.95), (there + (60, 0), 0.7)]
    loop.move_to(there)
    box, _ = loop.step(picture(*loop.engine.things))
    assert loop.candidates.target == 0
    assert np.abs(box[:2] + box[2:] / 2 - there).max() < 12


def test_a_target_that_leaves_is_lost_and_patience_ends():
    loop, _ = follow([*beside(), *[[(START, None), (START + (60, 0), 0.95)]] * 4])
    assert loop.lost
    _, centers = follow([*beside(), *[[(START, None), (START + (60, 0), 0.95)]] * 12])
    assert np.abs(centers[-1] - START - (60, 0)).max() < 12


def test_lost_has_hysteresis():
    low, high = [[(START, 0.2)]], [[(START, 0.9)]]
    assert not follow(low * 2)[0].lost
    assert follow(low * 3)[0].lost
    assert follow(low * 3 + high * 2)[0].lost
    assert not follow(low * 3 + high * 3)[0].lost


def test_one_peak_is_the_published_decision_to_the_last_bit():
    scenes = [[(START + (7.3 * t, 3.1 * t), 0.9 - 0.02 * t)] for t in range(12)]
    with_it, without = follow(scenes, True), follow(scenes, False)
    np.testing.assert_array_equal(with_it[1], without[1])
    assert with_it[0].candidates.target == 0
    assert len(with_it[0].candidates.scores) == 1


@pytest.mark.parametrize(("tracks", "peaks", "count"), [(1, 1, 2), (2, 2, 7), (5, 5, 1546)])
def test_matchings_are_all_of_them_and_one_to_one(tracks, peaks, count):
    found = matchings(tracks, peaks)
    assert found.shape == (count, tracks)
    assert all(len(set(row[row < peaks])) == (row < peaks).sum() for row in found)


def test_looks_tell_colours_apart_and_take_any_box():
    crop = picture((START, 1), (START + (100, 0), 1))
    boxes = np.array([[280, 220, 40, 40], [282, 222, 36, 36], [380, 220, 40, 40], [900, 0, 9, 9]])
    seen = looks(crop, boxes.astype(float))
    likeness = seen @ seen.T
    assert likeness[0, 1] > 0.9
    assert likeness[0, 2] < 0.1
    assert (seen[3] == 0).all()
    # Two rows of a flat target are colours, too.
    flat = looks(crop, np.array([[200.0, 230, 150, 1.2], [200, -9, 150, 1.2]]))
    assert np.linalg.norm(flat, axis=1) == pytest.approx([1, 0])


def test_all_crops_are_asked_for_once_before_the_first_frame():
    """Else the first tracked frame, which counts for fps, would take the loading of a graph."""
    sides = []

    class Noting(Scene):
        def track(self, image):
            sides.append(image.shape[0])
            return super().track(image)

    for shrink in (0, 32):
        engine = Noting()
        loop = engine.loop = Loop(engine, Parameters(sure_shrink=shrink, search_size=224))
        for _ in range(2):
            loop.start(picture((START, 1.0)), (*(START - SIZE / 2), *SIZE))
    assert sides == [224, 224, 192]


@pytest.mark.parametrize(
    "box", [(40.0, 30.0, 50.0, 90.0), (5.5, 2.0, 180.0, 200.0), (-9, 90, 60, 7)]
)
def test_looks_of_few_pixels_are_those_of_all(box):
    noise = np.random.default_rng(0).normal(0, 1, (224, 224, 3)).astype(np.float32)
    crop = np.clip(128 + 700 * cv2.GaussianBlur(noise, (0, 0), 6), 0, 255).astype(np.uint8)
    x, y, w, h = box
    left, right = max(int(x + 0.15 * w), 0), int(x + 0.85 * w + 1)
    lab = cv2.cvtColor(crop[int(y + 0.05 * h) : int(y + 0.95 * h + 1), left:right], 45)
    edges = np.linspace(0, len(lab), 4).astype(int)
    parts = [lab[a:b].reshape(-1, 3) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    histograms = [np.histogramdd(p, [np.linspace(0, 256, 7)] * 3)[0] / len(p) for p in parts]
    reference = np.sqrt(np.stack(histograms) / 3).reshape(-1)
    assert looks(crop, np.array([box]))[0] @ reference > 0.98


def test_weights_of_matchings_are_the_sums_that_they_stand_for():
    random, odds, tracks, count = np.random.default_rng(1), Odds(), 3, 4
    one = Association(np.zeros(2), np.full(2, 40.0), np.eye(1, 8, dtype=np.float32)[0])
    one._places = random.normal(0, 60, (tracks, 2))
    one._sizes = np.log(random.uniform(30, 50, (tracks, 2)))
    one._looks, seen = random.random((tracks, 8)), random.random((count, 8))
    one._unseen = np.array([0.0, 3, 1])
    centers, sizes = random.normal(0, 60, (count, 2)), np.log(random.uniform(30, 50, (count, 2)))
    scores = random.uniform(0.2, 0.99, count)
    options, totals, motions = one._weigh(centers, sizes, scores, seen)
    scale = np.exp(one._sizes[0].mean())
    for option, total, motion in zip(options, totals, motions, strict=True):
        cost, pairs = odds.new * (count - (option < count).sum()), []
        for track, peak in enumerate(option):
            first, age = track == 0, 1 + one._unseen[track]
            if peak == count:
                cost += odds.gone if first else odds.other_gone
                continue
            place = (odds.own if first else odds.other) ** 2 * age
            shape = (odds.size if first else odds.other_size) ** 2 * age
            change = ((sizes[peak] - one._sizes[track]) ** 2).sum()
            cost += change / (2 * shape) + np.log(place * shape)
            cost += odds.look * (1 - one._looks[track] @ seen[peak])
            if first:
                cost -= np.log(scores[peak] / (1 - scores[peak]))
            pairs.append(((centers[peak] - one._places[track]) / scale, place))
        shared = sum((step / place for step, place in pairs), np.zeros(2))
        shared = shared / (1 / odds.common**2 + sum(1 / place for _, place in pairs))
        cost += sum(((step - shared) ** 2).sum() / (2 * place) for step, place in pairs)
        cost += (shared**2).sum() / (2 * odds.common**2)
        cost += np.log(1 / odds.common**2 + sum(1 / place for _, place in pairs))
        np.testing.assert_allclose(total, cost)
        np.testing.assert_allclose(motion, shared * scale)


def test_a_smaller_crop_while_the_target_is_sure_alone_and_slow():
    def side(scenes, moved=False):
        engine = Scene()
        loop = engine.loop = Loop(engine, Parameters(sure_shrink=32, search_size=224))
        loop.start(picture((START, 1.0)), (*(START - SIZE / 2), *SIZE))
        for things in scenes:
            if moved:
                loop.move_to(START)
            engine.things = [(np.asarray(center, float), value) for center, value in things]
            loop.step(picture(*things))
        return loop.search_crop.shape[0]

    sure = [(START, 0.98)]
    assert side([sure]) == 224
    assert side([sure, sure]) == 192
    assert side([sure, sure], moved=True) == 224
    assert side([[(START, 0.9)], sure]) == 224
    assert side([[(START + (25, 0), 0.98)], sure]) == 224
    assert side([[(START, 0.98), (START + (60, 0), 0.5)], sure]) == 224
