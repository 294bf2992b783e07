"""PyTorch's own settings around a call."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pytracking_et.engines.torch_engine import TorchRuntime, exact_convolutions
from pytracking_et.errors import EngineError


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
from pytracking_et.engines.exported import sample_crop
from pytracking_et.engines.torch_engine import engine_of

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
        [sys.executable, "-c", FORKS], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert done.returncode == 7, done.stderr


def test_cuda_after_a_fork_is_a_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    with pytest.raises(EngineError, match="spawn"):
        TorchRuntime(None, None, "cuda")
