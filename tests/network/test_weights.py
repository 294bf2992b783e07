from __future__ import annotations

import errno
import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pytracking_et.errors import CheckpointError, ParameterError
from pytracking_et.network import weights


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.bn = torch.nn.BatchNorm1d(2)


def state_of(module):
    return {k: v.clone() for k, v in module.state_dict().items()}


def prefixed(state, prefix="module."):
    return {f"{prefix}{name}": value for name, value in state.items()}


def arrays(path, state):
    with path.open("wb") as stream:
        np.savez(stream, **{k: v.numpy() for k, v in state.items()})


def upper(path, state):
    weights.save(path.with_suffix(".safetensors"), state, half=False)
    path.with_suffix(".safetensors").rename(path)


WRITERS = {
    "bare.pth": lambda path, state: torch.save(state, path),
    "nested.pth": lambda path, state: torch.save({"state_dict": state, "epoch": 35}, path),
    "ltr.tar": lambda path, state: torch.save({"net": state, "epoch": 3}, path),
    "parallel.pth": lambda path, state: torch.save(prefixed(state), path),
    "both.pth": lambda path, state: torch.save({"state_dict": prefixed(state)}, path),
    "compiled.pt": lambda path, state: torch.save(prefixed(state, "module._orig_mod."), path),
    "arrays.npz": arrays,
    "ARRAYS.NPZ": arrays,
    "FULL.SAFETENSORS": upper,
    "full.safetensors": lambda path, state: weights.save(path, state, half=False),
}


@pytest.mark.parametrize("name", WRITERS)
def test_load_reads_every_format(tmp_path, name):
    source, target = Small(), Small()
    WRITERS[name](tmp_path / name, state_of(source))
    weights.load(target, tmp_path / name)
    assert torch.equal(target.layer.weight, source.layer.weight)


def test_half_precision_comes_back_as_float32_with_metadata(tmp_path):
    source = Small()
    path = tmp_path / "w.safetensors"
    weights.save(path, state_of(source), {"network": "small", "parameters": '{"lr": 0.5}'})
    state, texts = weights.read(path)
    assert state["layer.weight"].dtype == torch.float32
    torch.testing.assert_close(state["layer.weight"], source.layer.weight.data, atol=1e-3, rtol=0)
    assert texts["network"] == "small"
    assert weights.tuned_parameters(path) == {"lr": 0.5}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layer.weight": torch.full((2, 3), torch.nan)}, "6 of 6 values of layer.weight are NaN"),
        ({"layer.bias": torch.tensor([1.0, -torch.inf])}, "1 of 2 values of layer.bias"),
        ({"layer.bias": torch.tensor([1e300, 1.0], dtype=torch.float64)}, "1 of 2 values"),
        ({"layer.bias": torch.zeros(2, dtype=torch.complex64)}, "complex64"),
        ({"layer.bias": torch.zeros(2, dtype=torch.bool)}, "torch.bool"),
        ({"layer.bias": torch.zeros(2).to_sparse()}, "sparse"),
        ({"layer.bias": torch.zeros(2, dtype=torch.int32)}, "1 of another kind.*int64"),
        ({"bn.num_batches_tracked": torch.tensor(1.0)}, "1 of another kind.*float32"),
        ({7: torch.zeros(1)}, "no state dict"),
    ],
)
def test_values_that_no_training_means_are_refused(tmp_path, change, words):
    torch.save({**state_of(Small()), **change}, tmp_path / "w.pth")
    target = Small()
    before = state_of(target)
    with pytest.raises(CheckpointError, match=f"(?s){words}"):
        weights.load(target, tmp_path / "w.pth")
    assert all(torch.equal(v, before[k]) for k, v in target.state_dict().items())


@pytest.mark.parametrize("text", ["[1", "[1]", "3", '"lr"'])
def test_damaged_constants_are_an_error(tmp_path, text):
    weights.save(tmp_path / "w.safetensors", state_of(Small()), {"parameters": text})
    with pytest.raises(CheckpointError, match="tracking constants"):
        weights.tuned_parameters(tmp_path / "w.safetensors")


def test_batchnorm_counters_may_be_absent(tmp_path):
    state = {k: v for k, v in state_of(Small()).items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "w.pth")
    weights.load(Small(), tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("layer.bias"), ["1 missing", "layer.bias"]),
        (lambda s: s.update(foreign=torch.zeros(1)), ["1 extra", "foreign"]),
        (
            lambda s: s.update({"layer.weight": torch.zeros(5, 3)}),
            ["1 misshapen", "(5, 3)", "(2, 3)"],
        ),
    ],
)
def test_misfits_are_listed_and_change_nothing(tmp_path, change, words):
    state = state_of(Small())
    change(state)
    torch.save(state, tmp_path / "w.pth")
    target = Small()
    before = state_of(target)
    with pytest.raises(CheckpointError) as caught:
        weights.load(target, tmp_path / "w.pth")
    assert all(word in str(caught.value) for word in words)
    assert all(torch.equal(v, before[k]) for k, v in target.state_dict().items())


class Foreign:
    """Stands for code in a checkpoint; must never be built."""

    def __reduce__(self):
        return (print, ("foreign code ran",))


def truncated(path):
    torch.save(state_of(Small()), path)
    path.write_bytes(path.read_bytes()[:-40])


def truncated_safetensors(path):
    weights.save(path, state_of(Small()))
    path.write_bytes(path.read_bytes()[:-4])


def long_name(zipped):
    """A file whose damage makes one name of megabytes, which torch would search for hours."""

    def write(path):
        torch.save({"net": state_of(Small())}, path, _use_new_zipfile_serialization=zipped)
        whole, name = path.read_bytes(), b"torch._utils\n"
        if not zipped:
            path.write_bytes(whole.replace(name, b"x" * 3_000_000 + b"\n"))
            return
        with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(path, "w") as new:
            for record in old.namelist():
                new.writestr(record, old.read(record).replace(name, b"x" * 3_000_000 + b"\n"))

    return write


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("long.pth", long_name(True), "not a PyTorch file"),
        ("long_old.pth", long_name(False), "not a PyTorch file"),
        ("gone.pth", lambda path: None, "do not exist"),
        ("code.pth", lambda p: torch.save({"state_dict": Foreign()}, p), "print.*never done"),
        ("old.pth", lambda p: p.write_bytes(pickle.dumps({"a": 1}, 4)), "not a PyTorch file"),
        ("cut.pth", truncated, "truncated"),
        ("cut.safetensors", truncated_safetensors, "truncated"),
        ("text.npz", lambda p: p.write_text("<html>not found</html>"), "truncated"),
        ("empty.safetensors", lambda p: p.write_bytes(b""), "truncated"),
        ("list.pth", lambda p: torch.save([torch.zeros(1)], p), "no state dict"),
        (
            "script.pt",
            lambda p: torch.jit.script(torch.nn.Linear(2, 2)).save(str(p)),
            "TorchScript program; save the state dict",
        ),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path, capsys, name, write, words):
    write(tmp_path / name)
    with pytest.raises(CheckpointError, match=words):
        weights.read(tmp_path / name)
    assert "foreign code" not in capsys.readouterr().out


def test_save_refuses_values_beyond_half_precision_and_leaves_no_file(tmp_path):
    with pytest.raises(CheckpointError, match="big does not fit"):
        weights.save(tmp_path / "w.safetensors", {"big": torch.tensor([1e9])})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["w.npz", "w.pth", "w"])
def test_save_refuses_names_of_other_formats(tmp_path, name):
    with pytest.raises(CheckpointError, match=f"{name}: weights are written as .safetensors"):
        weights.save(tmp_path / name, {"one": torch.ones(1)})
    assert not list(tmp_path.iterdir())


class TestFind:
    def test_explicit_wins_over_environment(self, tmp_path, monkeypatch):
        for name in ("a.npz", "b.npz"):
            (tmp_path / name).touch()
        monkeypatch.setenv(weights.ENVIRONMENT, str(tmp_path / "b.npz"))
        assert weights.find("x", tmp_path / "a.npz").name == "a.npz"
        assert weights.find("x").name == "b.npz"

    def test_folder_is_searched_for_the_network(self, tmp_path):
        (tmp_path / "lt_mobile.npz").touch()
        assert weights.find("lt_mobile", tmp_path) == tmp_path / "lt_mobile.npz"

    def test_package_then_cache(self, tmp_path, monkeypatch):
        monkeypatch.setattr(weights, "PACKAGE_WEIGHTS", tmp_path / "package")
        monkeypatch.setenv("PYTRACKING_ET_CACHE", str(tmp_path / "cache"))
        cached = tmp_path / "cache" / "weights" / "net.pth"
        cached.parent.mkdir(parents=True)
        cached.touch()
        assert weights.find("net") == cached
        (tmp_path / "package").mkdir()
        (tmp_path / "package" / "net.safetensors").touch()
        assert weights.find("net") == tmp_path / "package" / "net.safetensors"

    def test_name_of_a_cached_file(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PYTRACKING_ET_CACHE", str(tmp_path))
        (tmp_path / "weights").mkdir()
        (tmp_path / "weights" / "official.pth").touch()
        assert weights.find("et_tracker", "official").name == "official.pth"

    @pytest.mark.parametrize(
        ("explicit", "environment", "words"),
        [
            ("nowhere/a.pth", None, ["nowhere", "--checkpoint"]),
            (None, "nowhere/b.pth", ["b.pth", weights.ENVIRONMENT]),
            (None, None, ["unknown_net.safetensors", "unknown_net.npz", "only those of"]),
        ],
    )
    def test_a_miss_names_every_place_and_a_way_out(
        self, monkeypatch, explicit, environment, words
    ):
        if environment:
            monkeypatch.setenv(weights.ENVIRONMENT, environment)
        with pytest.raises(CheckpointError) as caught:
            weights.find("unknown_net", explicit)
        assert all(word in str(caught.value) for word in words)

    def test_a_miss_offers_no_weights_of_another_network(self, monkeypatch, tmp_path):
        monkeypatch.setattr(weights, "PACKAGE_WEIGHTS", tmp_path)
        told = {}
        for network in ("et_tracker", "lt_mobile"):
            with pytest.raises(CheckpointError) as caught:
                weights.find(network)
            told[network] = str(caught.value)
        assert "download official" in told["et_tracker"]
        assert "researchmm/LightTrack" in told["lt_mobile"]
        assert "official" not in told["lt_mobile"]


def test_weights_that_may_not_be_read_are_told(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    path = tmp_path / "w.pth"
    path.write_bytes(b"one")
    monkeypatch.setattr(weights, "sha256", refuse)
    with pytest.raises(
        CheckpointError, match=r"w\.pth cannot be read: Permission denied; allow it"
    ):
        weights.fingerprint(path)
    for looked in ("is_file", "is_dir"):
        monkeypatch.setattr(Path, looked, refuse)
        with pytest.raises(CheckpointError, match=r"w\.pth cannot be read: Permission denied"):
            weights.find("et_tracker", path)


@pytest.mark.skipif(os.name == "nt", reason="any name may be a user's there")
def test_a_home_of_nobody_is_told():
    with pytest.raises(ParameterError, match="~nobody-here"):
        weights.find("et_tracker", "~nobody-here/weights.npz")


def test_a_file_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(CheckpointError, match="w.safetensors cannot be written .*make room"):
        weights.save(tmp_path / "w.safetensors", {"a": torch.zeros(1)})
    assert not list(tmp_path.iterdir())


def test_fingerprint_follows_the_content(tmp_path):
    path = tmp_path / "w"
    path.write_bytes(b"one")
    first = weights.fingerprint(path)
    path.write_bytes(b"other")
    assert weights.fingerprint(path) != first


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["head.cls_tower.0.BN.bias"], "lt_mobile"),
        (["cls_branch_1.BN.bias"], "et_tracker"),
        (["fc.weight"], None),
    ],
)
def test_recognised(names, kind):
    assert weights.recognised(names) == kind


def test_the_weights_in_the_package_may_ship():
    """A wheel stays small: 20 MB at most for E.T.Track's weights."""
    assert weights.find("et_tracker").stat().st_size <= 20 * 2**20
