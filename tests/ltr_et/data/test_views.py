from dataclasses import fields, replace

import numpy as np
import pytest

from ltr_et.data import views
from ltr_et.data.paste import Donors
from ltr_et.data.views import (
    PAPER_SEARCH_VIEW,
    PAPER_TEMPLATE_VIEW,
    SEARCH_VIEW,
    TEMPLATE_VIEW,
    Appearance,
    Flavour,
    ViewSettings,
    change,
    crop_picture,
    draw_flavour,
    draw_matrix,
    frame_picture,
    make_view,
    move_boxes,
)

from ..tiny import scene

PLAIN = Appearance(colour=0, blur=0, motion_blur=0, occlusion=0, low_light=0, jpeg=0)
NOTHING = np.zeros((0, 4), np.float32)
GEOMETRY = ViewSettings(appearance=PLAIN, paste=None)


def red_box(image):
    red = (image[..., 0] > 150) & (image[..., 1] < 90) & (image[..., 2] < 90)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    return np.array([columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1])


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("box", [(60, 40, 24, 36), (50, 50, 50, 14)])
def test_the_box_frames_the_target_in_views_of_frames(box, flip):
    settings = ViewSettings(shift=30, far_share=0, appearance=PLAIN, paste=None)
    picture = frame_picture(scene([box]), np.array(box), NOTHING)
    for seed in range(5):
        view = make_view(np.random.default_rng(seed), picture, settings, Flavour(flip, False))
        assert red_box(view.image) == pytest.approx(view.box, abs=2)


@pytest.mark.parametrize("flip", [False, True])
def test_the_box_frames_the_target_in_views_of_crops(store, flip):
    index = int(np.flatnonzero(store.field["track"] == "dog")[0])
    settings = ViewSettings(shift=30, far_share=0, appearance=PLAIN, paste=None)
    for seed in range(5):
        picture = crop_picture(store, index)
        view = make_view(np.random.default_rng(seed), picture, settings, Flavour(flip, False))
        assert red_box(view.image) == pytest.approx(view.box, abs=2.5)


@pytest.mark.parametrize(
    ("settings", "size", "context", "shift", "log_scale"),
    [
        (GEOMETRY, 256, 128, 90, 0.22 + 0.03),
        (TEMPLATE_VIEW, 128, 128, 4, 0.05),
        (PAPER_SEARCH_VIEW, 256, 127, 64, np.log(1 / 0.82)),
        (PAPER_TEMPLATE_VIEW, 127, 127, 4, np.log(1 / 0.95)),
    ],
)
def test_geometry_stays_within_its_limits(settings, size, context, shift, log_scale):
    box = np.array([40.0, 30.0, 40.0, 40.0])
    rng = np.random.default_rng(0)
    boxes = np.array([move_boxes(box, draw_matrix(rng, settings, box, False)) for _ in range(400)])
    offset = np.abs(boxes[:, :2] + boxes[:, 2:] / 2 - size / 2)
    assert offset.max() <= shift + 1e-3
    assert offset.max() > 0.9 * shift
    # A square target's side is half its context square.
    change = np.abs(np.log(boxes[:, 2:] / (context / 2)))
    assert change.max() <= log_scale + 1e-3
    assert change.max() > 0.8 * log_scale
    if settings.far_share:
        assert (offset.max(1) > settings.shift).mean() == pytest.approx(0.1, abs=0.05)


def test_flip_mirrors_and_grey_removes_colour():
    box = (30, 40, 24, 36)
    picture = frame_picture(scene([box, (80, 40, 20, 20)]), np.array(box), NOTHING)
    centred = ViewSettings(shift=0, far_share=0, appearance=PLAIN, paste=None)
    views = [
        make_view(np.random.default_rng(1), picture, centred, Flavour(flip, grey))
        for flip, grey in ((False, False), (True, False), (False, True))
    ]
    assert views[0].box[2:] == pytest.approx(views[1].box[2:])
    green = [np.flatnonzero((v.image[..., 1] > 150).any(0)).mean() for v in views[:2]]
    middle = [v.box[0] + v.box[2] / 2 for v in views[:2]]
    assert (green[0] > middle[0]) and (green[1] < middle[1])
    assert (np.ptp(views[2].image, axis=2) == 0).all()
    assert views[0].image.std(axis=2).max() > 20


def test_others_follow_and_leave_with_the_view():
    box, other = (60, 40, 24, 36), (90, 40, 20, 20)
    away = (0, 100, 8, 8)
    picture = frame_picture(scene([box, other]), np.array(box), np.array([other, away], np.float32))
    settings = ViewSettings(shift=0, far_share=0, scale=0, aspect=0, appearance=PLAIN, paste=None)
    view = make_view(np.random.default_rng(0), picture, settings, Flavour(False, False))
    assert len(view.distractors) == 1
    x, y = (view.distractors[0][:2] + view.distractors[0][2:] / 2).astype(int)
    assert view.image[y, x].tolist() == [40, 220, 40]


def test_everything_switched_on_is_repeatable(store):
    donors = Donors(store)
    for index in range(len(store)):
        views = [
            make_view(
                np.random.default_rng(index), crop_picture(store, index), SEARCH_VIEW,
                Flavour(True, False), donors,
            )
            for _ in range(2)
        ]  # fmt: skip
        assert views[0].image.shape == (256, 256, 3)
        assert views[0].image.dtype == np.uint8
        for first, second in zip(*views, strict=True):
            assert np.array_equal(first, second)


def test_flavours_are_drawn_in_their_shares():
    rng = np.random.default_rng(0)
    flavours = [draw_flavour(rng) for _ in range(4000)]
    assert np.mean([f.flip for f in flavours]) == pytest.approx(0.5, abs=0.04)
    assert np.mean([f.grey for f in flavours]) == pytest.approx(0.2, abs=0.03)
    assert {f.code for f in flavours} == {0, 1, 2, 3}


BOX = np.array([60.0, 40.0, 40.0, 40.0], np.float32)


@pytest.fixture
def image():
    return scene([BOX], size=(160, 160))


def test_nothing_on_changes_nothing(image):
    assert np.array_equal(change(np.random.default_rng(0), image, BOX, PLAIN), image)


@pytest.mark.parametrize("name", [field.name for field in fields(Appearance)])
def test_each_changes_the_image_and_not_the_original(image, name):
    before = image.copy()
    appearance = replace(PLAIN, **{name: 0.25 if name == "colour" else 1.0})
    changed = change(np.random.default_rng(0), image, BOX, appearance)
    assert changed.shape == image.shape and changed.dtype == np.uint8
    assert not np.array_equal(changed, image)
    assert np.array_equal(image, before)


def test_colour_stays_within_its_strength():
    flat = np.full((8, 8, 3), 128, np.uint8)
    values = [views.colour(np.random.default_rng(s), flat, 0.25).mean() for s in range(300)]
    # Brightness 1 +- 0.25 times the channels' gain, contrast turning about 128.
    assert 128 * 0.65 < min(values) < 128 * 0.8
    assert 128 * 1.2 < max(values) < 128 * 1.45


def test_occlusion_leaves_half_of_the_target_in_view(image):
    for seed in range(60):
        covered = views.occlude(np.random.default_rng(seed), image, BOX)
        x, y, w, h = BOX.astype(int)
        inside = (covered != image).any(2)[y : y + h, x : x + w].mean()
        assert inside < 0.55
        assert (covered != image).any(2).sum() <= 0.55 * w * h


def test_occlusion_of_a_target_at_the_border(image):
    for box in ([-20, 150, 40, 40], [150, -30, 40, 40], [0, 0, 3, 3]):
        assert views.occlude(np.random.default_rng(0), image, np.array(box)).shape == image.shape


@pytest.mark.parametrize("angle", [0.0, np.pi / 2])
def test_motion_blur_runs_along_its_angle(angle):
    dot = np.zeros((41, 41, 3), np.uint8)
    dot[20, 20] = 255
    moved = views.motion_blur(np.random.default_rng(0), dot, angle)[..., 0] > 0
    across, along = moved.any(0).sum(), moved.any(1).sum()
    assert (across > 3 * along) == (angle == 0)


def test_low_light_darkens_and_grey_has_one_channel(image):
    assert views.low_light(np.random.default_rng(0), image).mean() < 0.8 * image.mean()
    assert (np.ptp(views.grey(image), axis=2) == 0).all()
