"""PyTorch's own settings around a call."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from pytracking_et.engines import create, select
from pytracking_et.engines.catalogue import Model
from pytracking_et.engines.inference import load_network
from pytracking_et.engines.runtimes.torch import TorchRuntime, exact_convolutions
from pytracking_et.errors import EngineError
from tests.engines.conftest import NETWORK, maps


def settings():
    cudnn = torch.backends.cudnn
    return cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32


def test_convolutions_on_a_gpu_are_not_rounded_and_settings_come_back(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    before = settings()
    with exact_convolutions(torch.device("cuda")):
        assert settings() == (*before[:3], False)
    assert settings() == before
    with exact_convolutions(torch.device("cpu")):
        assert settings() == before


FORKS = """
import os, signal, sys
import numpy as np, torch
from pytracking_et import network
from pytracking_et.engines.package import sample_crop
from pytracking_et.engines.runtimes.torch import engine_of

torch.set_num_threads(2)
def track(engine):
    engine.template(sample_crop(127, seed=1))
    return engine.track(sample_crop(256, seed=2))[0]
torch.manual_seed(0)
engine = engine_of(network.build("et_tracker").eval())
expected = track(engine)
child = os.fork()
if child == 0:
    signal.alarm(60)  # the child would wait for ever
    np.testing.assert_allclose(track(engine), expected, atol=1e-4)
    track(engine_of(network.build("et_tracker").eval()))
    os._exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_forked_child_tracks_on():
    done = subprocess.run(
        [sys.executable, "-c", FORKS], cwd=Path(__file__).parents[3], capture_output=True, text=True
    )
    assert done.returncode == 7, done.stderr


def test_cuda_after_a_fork_is_a_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    with pytest.raises(EngineError, match="spawn"):
        TorchRuntime(None, None, "cuda")


@contextmanager
def everything_set():
    """What a program around us may have set: type, device, rounding, threads, autocast."""
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_float32_matmul_precision("medium")
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.set_float32_matmul_precision("highest")
        torch.set_num_threads(threads)


def process_state():
    return (
        torch.get_default_dtype(),
        torch.get_default_device().type,
        torch.get_float32_matmul_precision(),
        torch.get_num_threads(),
        torch.is_autocast_enabled("cpu"),
    )


@pytest.mark.usefixtures("fresh_engines")
def test_settings_of_the_process_do_not_matter_and_stay(weight_file, template, searches):
    def answers():
        select._open.cache_clear()
        engine = create("torch", NETWORK, weight_file, threads=1, precision="f32")
        return maps(engine, template, searches[0])

    plain = process_state()
    wanted = answers()
    assert process_state() == plain, "threads=1 is this engine's, not the process's"
    with everything_set():
        found = process_state()
        got = answers()
        assert process_state() == found
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_opening_a_network_takes_no_random_numbers_of_the_program(weight_file):
    """Whether it is opened depends on the cache; what a seeded program draws must not."""
    before = torch.get_rng_state()
    load_network(NETWORK, weight_file)
    assert torch.equal(torch.get_rng_state(), before)


def test_exports_are_the_same_under_other_settings(weight_file, tmp_path):
    pytest.importorskip("onnx")
    from pytracking_et.engines.inference.tracing import write
    from pytracking_et.engines.package import Reference

    plain = write(Model.find(NETWORK, weight_file), tmp_path / "plain")
    with everything_set():
        other = write(Model.find(NETWORK, weight_file), tmp_path / "other")
    assert other.files.keys() == plain.files.keys()
    for name, digest in plain.files.items():
        if name.endswith(".onnx"):
            assert other.files[name] == digest
            continue
        # Three threads add up in another order than one.
        one, two = (Reference.read(tmp_path / folder / name) for folder in ("plain", "other"))
        assert two.score.dtype == np.float32
        np.testing.assert_allclose(two.score, one.score, atol=1e-5)
        np.testing.assert_allclose(two.distances, one.distances, atol=1e-3)


@pytest.mark.usefixtures("fresh_engines")
@pytest.mark.parametrize("name", [name for name in select.ENGINES if select.installed(name)])
def test_thread_counts_do_not_change_float32_boxes(
    name, exported_here, weight_file, searches, template
):
    """OpenVINO's and ONNX Runtime's maps are the same bits; torch's may differ in the last ones."""
    answers = []
    for threads in (1, 2, 3):
        engine = create(name, NETWORK, weight_file, threads=threads, precision="f32")
        engine.template(template)
        answers.append([engine.track(search) for search in searches])
    for other in answers[1:]:
        for (score, distances), (score_2, distances_2) in zip(answers[0], other, strict=True):
            np.testing.assert_allclose(score_2, score, atol=0 if name != "torch" else 1e-6, rtol=0)
            np.testing.assert_allclose(
                distances_2, distances, atol=0 if name != "torch" else 1e-4, rtol=0
            )
