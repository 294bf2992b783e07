"""The affine maps around and inside a network: an image's normalisation, a frozen BatchNorm."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .constants import MEAN, STD


def normalise(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) uint8 RGB -> float32 as the networks expect it."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    return (images.float() / 255 - mean) / std


def affine(norm: nn.Module, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Scale and shift, each (C,) in the statistics' dtype, that a BatchNorm in eval mode applies.

    Args:
        norm: of any dimension, or synchronised; gradients reach its weight and bias.
        dtype: that it is computed in.
    """
    assert isinstance(norm, _BatchNorm)
    mean, var = norm.running_mean, norm.running_var
    assert mean is not None and var is not None
    scale = torch.rsqrt(var.to(dtype) + norm.eps)
    if norm.weight is not None:
        scale = norm.weight.to(dtype) * scale
    shift = -mean.to(dtype) * scale
    if norm.bias is not None:
        shift = norm.bias.to(dtype) + shift
    return scale.to(var.dtype), shift.to(var.dtype)
