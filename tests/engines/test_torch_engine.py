"""PyTorch's own settings around a call."""

from __future__ import annotations

import torch

from pytracking_et.engines.torch_engine import exact_convolutions


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
