"""Feed-forwards with fewer hidden units, in a network whose shapes stay as published.

The feed-forward (C -> 1024 -> C on every position) is two thirds of the network's multiplications,
yet on the tokens that occur a trained one is reproduced by an eighth of its units. Here the units
worth least are set to zero and the others fitted again; zero units stay zero in training (their
gradients are), so that engines may leave them out and compute the very same boxes.

Layers are fitted in order, each on what its already narrow predecessors give it and against what
the full network computes, so that errors are corrected and not added up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pytracking_et.errors import ParameterError

# Ridge of the fits, as a share of each regressor's mean square.
RIDGE = 1e-5
# Refinement after the least squares: Adam, cosine to zero.
EPOCHS, BATCH, RATE = 8, 4096, 2e-3
_CHUNK = 32


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
    zf = torch.cat([network.neck.template(part) for part in z.float().split(_CHUNK)])
    parts = zip(zf.split(_CHUNK), x.float().split(_CHUNK), strict=True)
    fused = torch.cat([network.feature_fusor(a, network.neck.search(b)) for a, b in parts])
    names = {module: name for name, module in network.named_modules()}
    errors: dict[str, float] = {}
    for tower in (network.cls_tower, network.reg_tower):
        full = narrowed = fused
        for layer in tower:
            wanted = _through(layer, full, zf)
            if getattr(layer, "feed_forward", False):
                if not 1 <= units <= layer.linear1.out_features:
                    raise ParameterError(
                        f"units={units}: between 1 and {layer.linear1.out_features} can be kept"
                    )
                _fit(layer, _tokens(layer, full, zf), _tokens(layer, narrowed, zf), units)
            narrowed = _through(layer, narrowed, zf)
            full = wanted
            errors[names[layer]] = float((narrowed - full).norm() / full.norm())
    return errors


def active_units(layer: Any) -> int:
    """Number of leading hidden units of a feed-forward that reach its output."""
    used = layer.linear2.weight.detach().ne(0).any(0).nonzero()
    return int(used[-1]) + 1 if len(used) else 1


def _through(layer: nn.Module, x: Tensor, zf: Tensor) -> Tensor:
    parts = zip(x.split(_CHUNK), zf.split(_CHUNK), strict=True)
    return torch.cat([layer(a, b) for a, b in parts])


def _tokens(layer: Any, x: Tensor, zf: Tensor) -> Tensor:
    """Input of the feed-forward, (B * S * S, C)."""
    parts = zip(x.split(_CHUNK), zf.split(_CHUNK), strict=True)
    maps = torch.cat([layer.convolve(a, b) for a, b in parts])
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
