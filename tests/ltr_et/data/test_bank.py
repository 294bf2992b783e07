from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ltr_et.data import batched_views, paste, views
from ltr_et.data.bank import FrameBank, move_boxes, packed
from ltr_et.data.batched import BatchedSettings, DevicePairs
from ltr_et.data.batched_views import Draws
from ltr_et.dataset.pack import open_pack
from pytracking_et.errors import DatasetError


@pytest.fixture(scope="module")
def bank(pack: Path) -> FrameBank:
    return FrameBank(open_pack(pack), workers=1)


def test_every_labelled_object_is_a_row(bank: FrameBank, pack: Path) -> None:
    rows = bank.rows
    assert set(rows.source.tolist()) == {dataset.name for dataset in open_pack(pack)}
    assert (np.diff(rows.frame) >= 0).all()
    assert bank.count.sum() == len(rows.box)
    assert rows.masked.any() and not rows.masked.all()


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("zoom", [0.3, 1.0, 2.7])
def test_a_view_is_that_of_the_per_sample_path(bank: FrameBank, flip: bool, zoom: float) -> None:
    row = int(np.flatnonzero(bank.rows.masked)[0])
    frame = int(bank.rows.frame[row])
    width, height = bank.size[frame].tolist()
    start = int(bank.offset[frame])
    flat = bank.pixels[start : start + width * height].numpy().reshape(height, width)
    image = np.stack([flat & 255, flat >> 8 & 255, flat >> 16 & 255], 2).astype(np.uint8)
    factor = np.array([-zoom if flip else zoom, zoom])
    shift = np.array([70.0, 20.0]) - factor * bank.rows.box[row, :2]
    fill = tuple(int(v) for v in bank.fill[frame])
    expected = views.warp(image, np.column_stack([np.diag(factor), shift]), 96, fill)
    matrix = torch.from_numpy(np.stack([factor, shift], 1))[None]
    seen, cover = bank.views(torch.tensor([frame]), matrix, 96, bank.instance[row : row + 1])
    difference = np.abs(seen[0].permute(1, 2, 0).numpy() - expected.astype(float))
    # OpenCV places samples at 32nds of a pixel.
    assert difference.mean() < 0.6
    assert np.quantile(difference, 0.99) < 255 / 32
    mask = ((flat >> 24) == bank.rows.instance[row]).astype(np.uint8) * 255
    warped = views.warp(mask, np.column_stack([np.diag(factor), shift]), 96) / 255
    assert np.abs(cover[0].numpy() - warped).mean() < 0.01
    box = move_boxes(bank.box[row][None, None], matrix)[0, 0].numpy()
    same = views.move_boxes(bank.rows.box[row], np.column_stack([np.diag(factor), shift]))
    np.testing.assert_allclose(box, same, atol=1e-4)


@pytest.fixture
def image() -> np.ndarray:
    picture = np.random.default_rng(3).integers(0, 256, (48, 48, 3), np.uint8)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.5), np.uint8)


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float()


def array(images: torch.Tensor) -> np.ndarray:
    return batched_views.to_bytes(images)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("sigma", [0.6, 1.4, 2.5])
def test_blur_is_opencvs(image: np.ndarray, sigma: float) -> None:
    expected = cv2.GaussianBlur(image, (0, 0), sigma)
    made = array(batched_views.gaussian(tensor(image), torch.tensor([sigma])))
    assert np.abs(made.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("length", [5, 9, 17])
def test_motion_blur_is_that_of_the_per_sample_path(image: np.ndarray, length: int) -> None:
    class Fixed:
        def integers(self, low: int, high: int) -> int:
            return length

    expected = views.motion_blur(Fixed(), image, angle=0.7)  # type: ignore[arg-type]
    kernels = torch.from_numpy(batched_views.motion_kernels(np.array([length]), np.array([0.7])))
    made = array(batched_views._filtered(tensor(image), kernels))
    assert np.abs(made.astype(int) - expected).max() <= 1


def test_grey_is_opencvs(image: np.ndarray) -> None:
    made = array(batched_views.as_grey(tensor(image), torch.tensor([True])))
    assert np.abs(made.astype(int) - views.grey(image)).max() <= 1


def test_colour_is_that_of_the_per_sample_path(image: np.ndarray) -> None:
    expected = views.colour(np.random.default_rng(5), image, 0.25)
    rng = np.random.default_rng(5)
    matrix = Draws(rng, 1, torch.device("cpu")).colours(0.25)
    made = array(batched_views.colour(matrix, tensor(image)))
    assert np.abs(made.astype(int) - expected).max() <= 1


def test_a_mask_is_softened_as_in_the_per_sample_path() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 15:25] = 255
    over = np.full((40, 40, 3), 200, np.uint8)
    expected = paste._blend(np.zeros((40, 40, 3), np.uint8), over, mask)
    share = batched_views.soft(torch.from_numpy(mask)[None].float() / 255)[0].numpy()
    assert np.abs(share * 200 - expected[:, :, 0]).max() <= 3


def test_a_batch_depends_on_seed_and_step_alone(bank: FrameBank) -> None:
    def make(seed: int, step: int) -> dict:
        settings = BatchedSettings(seed, sizes=(64,))
        return DevicePairs(bank, 6, settings).make(step)

    first, same = make(1, 3), make(1, 3)
    assert all(torch.equal(first[name], same[name]) for name in first if name != "search")
    # Sensor noise alone comes from torch's generator, which the trainer seeds.
    assert (first["search"].int() - same["search"].int()).abs().float().mean() < 8
    assert not torch.equal(first["template"], make(2, 3)["template"])
    assert not torch.equal(first["template"], make(1, 4)["template"])


def test_a_batch_holds_what_the_actor_reads(bank: FrameBank) -> None:
    settings = BatchedSettings(negative=0.4, sizes=(96,), distractor=0.9, unlabelled=0.3)
    batch = DevicePairs(bank, 48, settings).make(0)
    assert batch["search"].shape == (48, 3, 96, 96) and batch["search"].dtype == torch.uint8
    assert batch["template"].shape == (48, 3, 128, 128)
    absent = ~batch["positive"]
    assert absent.any() and (batch["box"][absent] == 0).all()
    assert (batch["box"][batch["positive"]][:, 2:] > 0).all()
    assert (~batch["labelled"]).any() and batch["pseudo"][~batch["labelled"]].all()
    # What was pasted, or stands in for the absent target, is told.
    assert ((batch["distractors"][..., 2:] > 0).all(-1).any(1)).float().mean() > 0.4


def test_no_frame_is_told() -> None:
    with pytest.raises(DatasetError, match="no readable"):
        FrameBank([])


def test_packing_keeps_colours_and_instances() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3) + 240
    four = packed(image, np.array([[0, 1], [2, 127]], np.uint8))
    assert (four >> 24 == [[0, 1], [2, 127]]).all()
    assert (np.stack([four & 255, four >> 8 & 255, four >> 16 & 255], 2) == image).all()
