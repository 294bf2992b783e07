"""Start E.T.Track near LT-Mobile, so that training begins with a tracker and not with noise.

Backbone, neck, correlation, the first and last separable convolutions and the prediction layers
are LT-Mobile's own. An Exemplar layer cannot equal the separable convolution it replaces (one more
ReLU, a gate, a residual, two normalisations), but its parameters can be set from statistics of a
few hundred pairs so that it comes close: relative error 0.2 to 0.5 per layer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pytracking_et.errors import CheckpointError

# Spread of the exemplars around the teacher's kernel, relative.
KERNEL_NOISE = 0.1
# Standard deviations by which the input of the layer's extra ReLU is lifted to be almost linear.
LIFT = 2.0
# Factor by which the convolution outweighs the residual that the teacher does not have.
OUTWEIGH = 6.0
# Gate and feed-forward begin nearly inactive.
QUIET = 0.1
GATE_BIAS = 2.5
# Least slope of the fitted norm2, in standard deviations of the teacher's channel: a channel that
# is off in the teacher must still be able to learn.
LEAST_SLOPE = 0.02
_CHUNK = 64


def student_name(name: str) -> str:
    """E.T.Track's name of a parameter that LT-Mobile calls `name`."""
    name = re.sub(r"^neck\.(BN_[zx])\.", r"neck.\1.0.", name)
    name = re.sub(r"^feature_fusor\.(pw_corr|adj_layer)\.", r"feature_fusor.\1.0.", name)
    for tower, branch in (("cls", "cls_branch"), ("reg", "bbreg_branch")):
        match = re.match(rf"head\.{tower}_tower\.(\d+)\.(.*)", name)
        if match:
            return f"{branch}_{int(match[1]) + 1}.{match[2]}"
    return name.removeprefix("head.")


def copy_shared(student: nn.Module, teacher: nn.Module) -> list[str]:
    """Copy every LT-Mobile tensor that has its like in E.T.Track; return the names copied.

    Raises:
        CheckpointError: a tensor outside the Exemplar layers found no teacher.
    """
    own = student.state_dict()
    given = {student_name(name): value for name, value in teacher.state_dict().items()}
    fitting = {n: v for n, v in given.items() if n in own and own[n].shape == v.shape}
    left = [n for n in own if n not in fitting and not _in_exemplar_layer(student, n)]
    if left:
        raise CheckpointError(
            f"no LT-Mobile tensor for {left[0]!r} ({len(left)} in all); the warm start needs "
            "E.T.Track with LT-Mobile's backbone and LT-Mobile's checkpoint"
        )
    student.load_state_dict(fitting, strict=False)
    return sorted(fitting)


def _in_exemplar_layer(student: nn.Module, name: str) -> bool:
    return hasattr(getattr(student, name.split(".")[0]), "V_dw")


@torch.no_grad()
def warm_start(
    student: Any, teacher: Any, z: Tensor, x: Tensor, seed: int = 0
) -> Mapping[str, float]:
    """Set the student's weights from the teacher's and from pairs run through both.

    Args:
        student: E.T.Track (`network.build("et_tracker")`), changed in place.
        teacher: LT-Mobile with its weights.
        z: raw backbone features of templates, P x 96 x 8 x 8; P of 640 is ample.
        x: raw backbone features of search regions, P x 96 x S x S.

    Returns:
        Relative error ||student - teacher|| / ||teacher|| of every tower layer's output.

    Raises:
        CheckpointError: the two networks do not belong together.
    """
    generator = torch.Generator().manual_seed(seed)
    copy_shared(student, teacher)
    student.eval(), teacher.eval()
    fused = torch.cat([_fuse(teacher, a, b) for a, b in zip(*_split(z, x), strict=True)])
    errors: dict[str, float] = {}
    towers = (
        ("cls_branch", student.cls_tower, teacher.head.cls_tower),
        ("bbreg_branch", student.reg_tower, teacher.head.reg_tower),
    )
    for prefix, own, example in towers:
        ours = theirs = fused
        for index, (layer, model) in enumerate(zip(own, example, strict=True), 1):
            if hasattr(layer, "V_dw"):
                ours, theirs = _fit_layer(layer, model, ours, theirs, generator)
            else:
                ours, theirs = _map(layer, ours), _map(model, theirs)
            errors[f"{prefix}_{index}"] = float((ours - theirs).norm() / theirs.norm())
    return errors


def _split(*tensors: Tensor) -> list[tuple[Tensor, ...]]:
    return [tensor.float().split(_CHUNK) for tensor in tensors]


def _map(function: Any, x: Tensor) -> Tensor:
    return torch.cat([function(part) for part in x.split(_CHUNK)])


def _fuse(network: Any, z: Tensor, x: Tensor) -> Tensor:
    return network.feature_fusor(network.neck.template(z), network.neck.search(x))


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel of B x C x S x S."""
    return x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)


def _set_norm(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor) -> None:
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)
    norm.weight.copy_(gamma)
    norm.bias.copy_(beta)


def _fit_layer(
    layer: Any, model: Any, ours: Tensor, theirs: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Set one Exemplar layer from a separable convolution; return both outputs."""
    for values, kernel in ((layer.V_dw, model.conv1.weight), (layer.V_pw, model.pointwise.weight)):
        noise = torch.randn(values.shape, generator=generator).to(values.device)
        values.copy_(kernel.reshape(1, -1) * (1 + KERNEL_NOISE * noise))
    layer.se.conv_expand.weight.mul_(QUIET)
    layer.se.conv_expand.bias.fill_(GATE_BIAS)
    layer.linear2.weight.mul_(QUIET)
    layer.linear2.bias.zero_()

    target = _map(lambda part: model.BN(model.pointwise(model.conv1(part))), theirs)
    wanted_mean, wanted_var = _moments(target)
    target = F.relu_(target)

    mixes = _map(layer.attention, ours)
    y = torch.cat([layer.depthwise(a, m) for a, m in zip(*_split(ours, mixes), strict=True)])
    mean, var = _moments(y)
    _set_norm(layer.dw_bn, mean, var, var.sqrt(), LIFT * var.sqrt())
    y = _map(lambda part: layer.se(F.relu(layer.dw_bn(part))), y)
    y = torch.cat([layer.pointwise(a, m) for a, m in zip(*_split(y, mixes), strict=True)])
    mean, var = _moments(y)
    _set_norm(layer.pw_bn, mean, var, OUTWEIGH * wanted_var.sqrt(), OUTWEIGH * wanted_mean)
    y = _map(lambda part: F.relu(layer.pw_bn(part)), y) + ours
    return _fit_output(layer, y, target), target


def _fit_output(layer: Any, y: Tensor, target: Tensor) -> Tensor:
    """Least squares for norm2's gain and bias, channel by channel; return the layer's output."""
    layer.norm2.weight.fill_(1)
    layer.norm2.bias.zero_()
    normal = _map(layer.transform, y)
    mean, var = _moments(normal)
    target_mean, target_var = _moments(target)
    both = ((normal - mean[:, None, None]) * (target - target_mean[:, None, None])).mean((0, 2, 3))
    slope = both / var.clamp_min(1e-12)
    least = LEAST_SLOPE * target_var.sqrt()
    slope = torch.where(slope.abs() < least, least, slope)
    layer.norm2.weight.copy_(slope)
    layer.norm2.bias.copy_(target_mean - slope * mean)
    return normal * slope[:, None, None] + layer.norm2.bias[:, None, None]
