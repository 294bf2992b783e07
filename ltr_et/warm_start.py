"""Weights set from statistics and not by training: near LT-Mobile, and with fewer hidden units.

`warm_start`: training begins with a tracker and not with noise.

Backbone, neck, correlation, the first and last separable convolutions and the prediction layers
are LT-Mobile's own. An Exemplar layer cannot equal the separable convolution it replaces (one more
ReLU, a gate, a residual, two normalisations), but its parameters can be set from statistics of a
few hundred pairs so that it comes close: relative error 0.2 to 0.5 per layer.

`narrow`: the feed-forward (C -> 1024 -> C on every position) is two thirds of the network's
multiplications, yet on the tokens that occur a trained one is reproduced by an eighth of its units.
The units worth least are set to zero and the others fitted again; zero units stay zero in training
(their gradients are), so that engines may leave them out and compute the very same boxes.
Layers are fitted in order, each on what its already narrow predecessors give it and against what
the full network computes, so that errors are corrected and not added up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pytracking_et.errors import CheckpointError, ParameterError

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


def is_published(layer: Any) -> bool:
    """Whether an Exemplar layer is of the published kind: one query of the map alone, and a
    feed-forward. Shapes do not tell: those of S x S queries are the same.
    """
    return layer.queries == 1 and layer.feed_forward and not layer.template_conditioning


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
        CheckpointError: the two networks do not belong together, or the student's Exemplar layers
            are not the published ones.
    """
    generator = torch.Generator().manual_seed(seed)
    copy_shared(student, teacher)
    for layer in (*student.cls_tower, *student.reg_tower):
        if hasattr(layer, "V_dw") and not is_published(layer):
            raise CheckpointError(
                "the warm start sets published Exemplar layers (S = 1, with feed-forward, without "
                "template conditioning); start this network from --initial weights"
            )
    student.eval()
    teacher.eval()
    fused = _map(partial(_fuse, teacher), z.float(), x.float())
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


def _map(function: Any, *tensors: Tensor, chunk: int = _CHUNK) -> Tensor:
    """What `function` makes of the tensors, a chunk of the pairs at a time."""
    chunks = zip(*(tensor.split(chunk) for tensor in tensors), strict=True)
    return torch.cat([function(*parts) for parts in chunks])


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
    y = _map(layer.depthwise, ours, mixes)
    mean, var = _moments(y)
    _set_norm(layer.dw_bn, mean, var, var.sqrt(), LIFT * var.sqrt())
    y = _map(lambda part: layer.se(F.relu(layer.dw_bn(part))), y)
    y = _map(layer.pointwise, y, mixes)
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


# Ridge of the fits, as a share of each regressor's mean square.
RIDGE = 1e-5
# Refinement after the least squares: Adam, cosine to zero.
EPOCHS, BATCH, RATE = 8, 4096, 2e-3
_PART = 32


@torch.no_grad()
def narrow(network: Any, z: Tensor, x: Tensor, units: int) -> Mapping[str, float]:
    """Keep `units` hidden units of every feed-forward, at the front of its layers; in place.

    Args:
        network: E.T.Track; left in eval mode.
        z: raw backbone features of templates, P x 96 x 8 x 8; P of 256 is ample.
        x: raw backbone features of search regions, P x 96 x S x S.

    Returns:
        Relative error of every layer's output against the full network's.

    Raises:
        ParameterError: `units` is not between 1 and the hidden units there are.
    """
    network.eval()
    zf = _map(network.neck.template, z.float(), chunk=_PART)
    fused = _map(partial(_fuse, network), z.float(), x.float(), chunk=_PART)
    names = {module: name for name, module in network.named_modules()}
    errors: dict[str, float] = {}
    for tower in (network.cls_tower, network.reg_tower):
        full = narrowed = fused
        for layer in tower:
            wanted = _map(layer, full, zf, chunk=_PART)
            if getattr(layer, "feed_forward", False):
                if not 1 <= units <= layer.linear1.out_features:
                    raise ParameterError(
                        f"units={units}: between 1 and {layer.linear1.out_features} can be kept"
                    )
                _fit(layer, _tokens(layer, full, zf), _tokens(layer, narrowed, zf), units)
            narrowed = _map(layer, narrowed, zf, chunk=_PART)
            full = wanted
            errors[names[layer]] = float((narrowed - full).norm() / full.norm())
    return errors


def active_units(layer: Any) -> int:
    """Number of leading hidden units of a feed-forward that reach its output."""
    used = layer.linear2.weight.detach().ne(0).any(0).nonzero()
    return int(used[-1]) + 1 if len(used) else 1


def _tokens(layer: Any, x: Tensor, zf: Tensor) -> Tensor:
    """Input of the feed-forward, (B * S * S, C)."""
    maps = _map(layer.add_mix, x, zf, chunk=_PART)
    return layer.norm1(maps.flatten(2).transpose(1, 2)).flatten(0, 1)


def _fit(layer: Any, full: Tensor, tokens: Tensor, units: int) -> None:
    first, second = layer.linear1, layer.linear2
    target = full + second(F.relu(first(full)))
    hidden = F.relu(first(tokens))
    kept = (hidden.var(0) * second.weight.square().sum(0)).topk(units).indices
    regressors = torch.cat([hidden[:, kept], tokens.new_ones(len(tokens), 1)], 1)
    solution = _least_squares(regressors, target - tokens)
    parts = [first.weight[kept], first.bias[kept], solution[:-1].t(), solution[-1]]
    parts = _refined(parts, tokens, layer.norm2(target), layer.norm2)
    for tensor in (first.weight, first.bias, second.weight):
        tensor.zero_()
    first.weight[:units], first.bias[:units] = parts[0], parts[1]
    second.weight[:, :units] = parts[2]
    second.bias.copy_(parts[3])


def _refined(parts: list[Tensor], tokens: Tensor, wanted: Tensor, norm: nn.Module) -> list[Tensor]:
    """Descend from the least-squares fit, all parts free, on what the next layer sees."""

    def error(parts: list[Tensor], tokens: Tensor, wanted: Tensor) -> Tensor:
        w1, b1, w2, b2 = parts
        return F.mse_loss(norm(tokens + F.linear(F.relu(F.linear(tokens, w1, b1)), w2, b2)), wanted)

    free = [part.clone().requires_grad_() for part in parts]
    steps = EPOCHS * -(-len(tokens) // BATCH)
    optimizer = torch.optim.Adam(free, lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(0)
    with torch.enable_grad():
        for _ in range(EPOCHS):
            for index in torch.randperm(len(tokens), generator=generator).split(BATCH):
                optimizer.zero_grad()
                error(free, tokens[index], wanted[index]).backward()
                optimizer.step()
                schedule.step()
    refined = [part.detach() for part in free]
    # With few tokens the descent may end above where it began.
    return min(parts, refined, key=lambda made: float(error(made, tokens, wanted)))


def _least_squares(regressors: Tensor, target: Tensor) -> Tensor:
    """Ridge regression by the normal equations, in float64."""
    gram = (regressors.t() @ regressors).double()
    # Relative to each regressor, whatever its scale; the rest is for units that are never on.
    gram.diagonal().mul_(1 + RIDGE).add_(1e-6 * len(regressors))
    return torch.linalg.solve(gram, (regressors.t() @ target).double()).float()
