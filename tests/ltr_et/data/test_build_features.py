import json

import numpy as np
import pytest
import torch

from ltr_et.data import build_features
from ltr_et.data.build_features import ChunkMaker, check_meta, main
from ltr_et.data.features import FeatureCache, pad_boxes
from ltr_et.data.pairs import FeaturePairs
from pytracking_et import network
from pytracking_et.errors import DatasetError, ImageError

from ...golden.synthetic import parameter


def mean_features(images):
    """Stands for a backbone: 96 channels that hold the mean colour."""
    cells = images.shape[1] // 16
    mean = images.mean((1, 2)).repeat(32, axis=1).astype(np.float16)
    return np.broadcast_to(mean[:, :, None, None], (len(images), 96, cells, cells)).copy()


def fill(folder, store, chunks, searches=40, first=0):
    maker = ChunkMaker(store, mean_features)
    for number in range(first, first + chunks):
        maker.make(folder / f"chunk-{number:05d}", (0, number), searches)
    return folder


def test_a_chunk_holds_what_its_index_says(tmp_path, store):
    cache = FeatureCache(fill(tmp_path / "cache", store, 2))
    assert (len(cache), cache.chunks) == (80, 2)
    assert cache.x(41).shape == (96, 16, 16) and cache.x(41).dtype == np.float16
    assert cache.z(3).shape == (96, 8, 8)
    field = cache.field
    assert field["x_box"].shape == (80, 4)
    assert field["x_distractors"].shape == (80, 8, 4)
    assert set(field["x_source"]) == {"coco", "davis2016", "mot_dense", "tiny-imagenet"}

    # Every search view can be paired: a template of its track and flavour was made with it.
    def keys(kind):
        names = (field[f"{kind}_{part}"] for part in ("source", "track", "flavour"))
        return set(zip(*names, strict=True))

    assert keys("x") <= keys("z")


def test_chunks_do_not_depend_on_each_other(tmp_path, store):
    both = FeatureCache(fill(tmp_path / "both", store, 2))
    alone = FeatureCache(fill(tmp_path / "alone", store, 1, first=1))
    for row in range(40):
        assert np.array_equal(both.x(40 + row), alone.x(row))


def test_new_chunks_are_taken_in_on_refresh(tmp_path, store):
    folder = fill(tmp_path / "cache", store, 1)
    pairs = FeaturePairs(FeatureCache(folder))
    before = pairs.cache.x(5).copy()
    assert not pairs.refresh()
    fill(folder, store, 1, first=1)
    (folder / ".chunk-00002.partial").mkdir()
    assert pairs.refresh()
    assert len(pairs.cache) == 80
    assert np.array_equal(pairs.cache.x(5), before)
    assert len(FeatureCache(folder, chunks=1)) == 40
    with pytest.raises(DatasetError, match="2 finished chunks, 3"):
        FeatureCache(folder, chunks=3)
    with pytest.raises(DatasetError, match="build_features"):
        FeatureCache(tmp_path)


def test_pairs_share_track_and_flavour(tmp_path, store):
    cache = FeatureCache(fill(tmp_path / "cache", store, 3))
    pairs = FeaturePairs(cache, negative=0.3)
    samples = [pairs[0, item] for item in range(100)]
    positive = [sample for sample in samples if sample["positive"]]
    assert 50 < len(positive) < 90
    for sample in positive:
        assert (sample["box"][2:] > 0).all()
        grey = [len(np.unique(sample[name][::32, 0, 0])) == 1 for name in ("z", "x")]
        assert grey[0] == grey[1]
    assert np.array_equal(samples[7]["x"], FeaturePairs(cache, negative=0.3)[0, 7]["x"])


def test_distractors_are_the_nearest():
    boxes = np.array([[100 + 10 * k, 0, 10, 10] for k in range(20)], np.float32)
    padded = pad_boxes(boxes[::-1], np.array([0, 0, 10, 10], np.float32))
    assert padded[:, 0].tolist() == [100 + 10 * k for k in range(8)]


def test_another_backbone_does_not_mix_in(tmp_path):
    check_meta(tmp_path, {"weights": "a", "seed": 0})
    check_meta(tmp_path, {"weights": "a", "seed": 0})
    with pytest.raises(DatasetError, match="'weights': 'a'"):
        check_meta(tmp_path, {"weights": "b", "seed": 0})


def test_a_crop_that_cannot_be_pasted_is_skipped_and_told(tmp_path, store, caplog, monkeypatch):
    read = store.image

    def image(index):
        if store.field["mask_size"][index]:
            raise ImageError(f"crop {index} is broken")
        return read(index)

    monkeypatch.setattr(store, "image", image)
    maker = ChunkMaker(store, mean_features)
    made = maker.make(tmp_path / "chunk-00000", (0, 0), 64)
    assert 0 < made < 64
    assert maker.broken and caplog.text.count("skipped") == len(maker.broken)


def test_no_crop_at_all_is_an_error(tmp_path, store, monkeypatch):
    def image(index):
        raise ImageError(f"crop {index} is broken")

    monkeypatch.setattr(store, "image", image)
    with pytest.raises(DatasetError, match="no crop of .* can be read"):
        ChunkMaker(store, mean_features).make(tmp_path / "chunk-00000", (0, 0), 8)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(
    path.read_bytes()[:-100])])  # fmt: skip
def test_a_chunk_that_was_copied_by_half_is_told_at_once(tmp_path, store, damage):
    folder = fill(tmp_path / "cache", store, 1)
    damage(folder / "chunk-00000" / "z.npy")
    with pytest.raises(DatasetError, match="delete this chunk"):
        FeatureCache(folder)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "lt.safetensors"
    state = network.build("lt_mobile").state_dict()
    # Random initial weights give features of 1e-8, which float16 cannot hold.
    made = {name: torch.from_numpy(parameter(name, v.shape)) for name, v in state.items()}
    network.weights.save(path, made, {})
    return path


@pytest.mark.parametrize("engine", ["torch", pytest.param("openvino", marks=pytest.mark.slow)])
def test_extractors_give_the_backbone_s_output(weights, engine):
    if engine == "openvino":
        pytest.importorskip("openvino")
    extract = build_features.make_extractor(engine, weights, 1)
    net = network.build("lt_mobile").eval()
    network.weights.load(net, weights)
    for size, batch in ((128, 2), (256, 1)):
        images = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (network.MEAN, network.STD))
        with torch.inference_mode():
            expected = net.backbone_net((x - mean) / std).numpy()
        found = extract(images)
        assert found.dtype == np.float16 and found.shape == (batch, 96, size // 16, size // 16)
        assert found == pytest.approx(expected, abs=2e-3 * float(np.abs(expected).max()))


def test_the_command_resumes(tmp_path, store_folder, weights, monkeypatch, capsys):
    monkeypatch.setattr(build_features, "make_extractor", lambda *_: mean_features)
    output = tmp_path / "cache"
    arguments = ["--crops", store_folder, "--output", output, "--weights", weights]
    arguments += ["--chunk", "16", "--views"]
    assert main([str(a) for a in [*arguments, 16]]) == 0
    stamp = (output / "chunk-00000" / "x.npy").stat().st_mtime_ns
    assert main([str(a) for a in [*arguments, 40]]) == 0
    assert (output / "chunk-00000" / "x.npy").stat().st_mtime_ns == stamp
    assert FeatureCache(output).chunks == 3
    meta = json.loads((output / "meta.json").read_text())
    assert meta["weights"] == network.weights.fingerprint(weights)
    assert main([str(a) for a in [*arguments, 40, "--seed", 1]]) == 2
    assert "another --output" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--views", "--chunk", "--threads"])
def test_the_command_wants_numbers_above_zero(tmp_path, store_folder, option, capsys):
    arguments = ["--crops", store_folder, "--output", tmp_path / "cache", option, 0]
    assert main([str(a) for a in arguments]) == 2
    assert f"{option[2:]} is 0; give 1 or more" in capsys.readouterr().err
