"""Backbones: stride, shapes, and parameter counts that add up to the papers' classifiers."""

from __future__ import annotations

import pytest
import torch

from pytracking_et import network
from pytracking_et.errors import ParameterError
from pytracking_et.network.backbones import BACKBONES, FEATURE_CHANNELS, build_backbone


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def convolution_norm(inputs: int, outputs: int, kernel: int = 1, groups: int = 1) -> int:
    """Parameters of a convolution without bias and its BatchNorm."""
    return kernel**2 * inputs * outputs // groups + 2 * outputs


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


@pytest.fixture(scope="module", params=sorted(BACKBONES))
def backbone(request):
    torch.manual_seed(0)
    return build_backbone(request.param).eval()


@pytest.mark.parametrize(
    ("side", "cells"),
    [(127, 8), *((cells * network.STRIDE, cells) for cells in (8, 16, 18))],
    ids=lambda v: str(v),
)
def test_cells(backbone, side, cells):
    with torch.inference_mode():
        assert backbone(torch.zeros(2, 3, side, side)).shape == (2, FEATURE_CHANNELS, cells, cells)


def test_gradient_reaches_the_first_layer(backbone):
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    backbone(x).square().sum().backward()
    first = next(backbone.parameters())
    assert first.grad is not None
    assert first.grad.abs().sum() > 0
    backbone.zero_grad()


def test_images_of_a_batch_do_not_mix(backbone):
    x = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        both = backbone(x)
        alone = torch.cat([backbone(x[:1]), backbone(x[1:])])
    torch.testing.assert_close(both, alone, atol=1e-5, rtol=1e-5)


def test_unknown_backbone_lists_what_there_is():
    with pytest.raises(ParameterError, match="'vgg16'.*resnet18"):
        build_backbone("vgg16")


ADAPT = {"resnet18": 256, "mobilenet_v3": 112, "shufflenet_v2": 232}


def resnet_rest() -> int:
    """He et al., table 1: conv5 (two basic blocks of 512) and the classifier."""
    first = convolution_norm(256, 512, 3) + convolution_norm(512, 512, 3)
    first += convolution_norm(256, 512)
    return first + 2 * convolution_norm(512, 512, 3) + linear(512, 1000)


def mobilenet_rest() -> int:
    """Howard et al., table 1: three bottlenecks at stride 32, conv 960, 1280, 1000."""
    total, inputs = 0, 112
    for width in (672, 960, 960):
        reduced = width // 4
        total += convolution_norm(inputs, width) + convolution_norm(width, width, 5, width)
        total += linear(width, reduced) + linear(reduced, width) + convolution_norm(width, 160)
        inputs = 160
    return total + convolution_norm(160, 960) + linear(960, 1280) + linear(1280, 1000)


def shufflenet_rest() -> int:
    """Ma et al., table 5: stage 4 (4 units of 464), conv5 (1024), classifier."""
    half = 464 // 2
    both = convolution_norm(232, 232, 3, 232) + convolution_norm(232, half)
    down = both + convolution_norm(232, half) + convolution_norm(half, half, 3, half)
    down += convolution_norm(half, half)
    unit = 2 * convolution_norm(half, half) + convolution_norm(half, half, 3, half)
    return down + 3 * unit + convolution_norm(464, 1024) + linear(1024, 1000)


@pytest.mark.parametrize(
    ("name", "rest", "classifier", "paper"),
    [
        # Whole classifiers as commonly implemented; papers round to 0.1 M.
        ("resnet18", resnet_rest, 11_689_512, 11.7),
        ("mobilenet_v3", mobilenet_rest, 5_483_032, 5.4),
        ("shufflenet_v2", shufflenet_rest, 2_278_604, 2.3),
    ],
)
def test_with_the_layers_left_out_the_classifier_is_whole(name, rest, classifier, paper):
    own = parameters(build_backbone(name)) - linear(ADAPT[name], FEATURE_CHANNELS)
    assert own + rest() == classifier
    assert abs(classifier / 1e6 - paper) < 0.1


def test_lt_mobile_has_the_papers_size():
    """LightTrack (arXiv 2104.14545) states 1.97 M parameters for LT-Mobile."""
    total = parameters(network.build("lt_mobile"))
    assert round(total / 1e6, 2) == 1.97
