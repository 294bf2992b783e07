"""Precision "compact": each Exemplar feed-forward as a matrix and a few of its hidden units.

The feed-forward (C -> 1024 -> C on every position) is two thirds of the network's multiplications,
yet on the tokens that occur a trained one is nearly affine. Here it becomes

    norm2(t M + ReLU(t W1 + b1) W2 + b),      M: C x C,  W1: C x U,  W2: U x C

with U of the layer's own hidden units, those whose output an affine map predicts worst. M, W2 and
b are fitted by least squares on tokens of calibration crops, then all of it is refined by descent.
Layers are fitted in order, each on what its already compact predecessors give it and against what
the full network computes, so that errors are corrected and not added up. An approximation, like a
quantised network: it counts only with its accuracy measured (`accuracy` in the file's metadata).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import EngineError
from ..network.constants import MEAN, STD
from ..network.layers.exemplar import ExemplarLayer
from ..network.trackers import ETNetwork
from .calibration import Pairs

UNITS = 128
# Ridge of the fits, as a share of each regressor's mean square.
RIDGE = 1e-5
# Refinement after the least squares: Adam, cosine to zero.
EPOCHS, BATCH, RATE = 8, 4096, 2e-3
_CHUNK = 16


@dataclass(frozen=True)
class FeedForward:
    """A fitted feed-forward.

    Shapes: matrix (C, C), first (C, U), first_bias (U,), second (U, C), bias (C,).
    """

    matrix: Tensor
    first: Tensor
    first_bias: Tensor
    second: Tensor
    bias: Tensor

    def __call__(self, tokens: Tensor) -> Tensor:
        """Tokens (N, C) -> what norm2 is applied to, (N, C)."""
        hidden = F.relu(tokens @ self.first + self.first_bias)
        return tokens @ self.matrix + hidden @ self.second + self.bias


Fits = Mapping[str, FeedForward]


def fit(network: ETNetwork, pairs: Pairs, units: int = UNITS) -> dict[str, FeedForward]:
    """Fit every Exemplar layer of a network in eval mode; keyed by the layer's name.

    Raises:
        EngineError: the network has no feed-forward to make smaller.
    """
    names = {module: name for name, module in network.named_modules()}
    fits: dict[str, FeedForward] = {}
    with torch.no_grad():
        fused, zf = _inputs(network, pairs)
        for tower in (network.cls_tower, network.reg_tower):
            full = narrow = fused
            for layer in tower:
                if isinstance(layer, ExemplarLayer) and layer.feed_forward:
                    made, full, narrow = _fit_layer(layer, full, narrow, zf, units)
                    fits[names[layer]] = made
                else:
                    full, narrow = _through(layer, full, zf), _through(layer, narrow, zf)
    if not fits:
        raise EngineError("precision 'compact' is for Exemplar layers with a feed-forward only")
    return fits


def _inputs(network: ETNetwork, pairs: Pairs) -> tuple[Tensor, Tensor]:
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))

    def images(crops: Any) -> Tensor:
        return (torch.from_numpy(crops).permute(0, 3, 1, 2).float() - mean) / std

    fused, templates = [], []
    for start in range(0, len(pairs.templates), _CHUNK):
        part = slice(start, start + _CHUNK)
        zf = network.neck.template(network.template(images(pairs.templates[part])))
        fused.append(network.feature_fusor(zf, network.search(images(pairs.searches[part]))))
        templates.append(zf)
    return torch.cat(fused), torch.cat(templates)


def _chunks(x: Tensor, zf: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(x.split(_CHUNK), zf.split(_CHUNK), strict=True)


def _through(layer: nn.Module, x: Tensor, zf: Tensor) -> Tensor:
    return torch.cat([layer(a, b) for a, b in _chunks(x, zf)])


def _tokens(layer: ExemplarLayer, x: Tensor, zf: Tensor) -> Tensor:
    """Input of the feed-forward, (B * S * S, C)."""
    parts = [layer.convolve(a, b).flatten(2).transpose(1, 2) for a, b in _chunks(x, zf)]
    return layer.norm1(torch.cat(parts)).flatten(0, 1)


def _map(tokens: Tensor, like: Tensor) -> Tensor:
    return tokens.view(len(like), -1, tokens.shape[-1]).transpose(1, 2).reshape(like.shape)


def _fit_layer(
    layer: ExemplarLayer, full: Tensor, narrow: Tensor, zf: Tensor, units: int
) -> tuple[FeedForward, Tensor, Tensor]:
    """Fit one layer; returns the fit and the outputs of the full and of the compact layer."""
    tokens = _tokens(layer, full, zf)
    target = tokens + layer.linear2(F.relu(layer.linear1(tokens)))
    tokens = _tokens(layer, narrow, zf)
    hidden = F.relu(layer.linear1(tokens))
    constant = torch.ones(len(tokens), 1)
    affine = torch.cat([tokens, constant], 1)
    unexplained = (hidden - affine @ _least_squares(affine, hidden)).var(0)
    kept = (unexplained * layer.linear2.weight.square().sum(0)).topk(units).indices
    regressors = torch.cat([affine, hidden[:, kept]], 1)
    solution = _least_squares(regressors, target)
    channels = tokens.shape[1]
    made = FeedForward(
        solution[:channels].clone(),
        layer.linear1.weight[kept].t().contiguous(),
        layer.linear1.bias[kept].clone(),
        solution[channels + 1 :].clone(),
        solution[channels].clone(),
    )
    wanted = layer.norm2(target)
    made = _refine(made, tokens, wanted, layer.norm2)
    return made, _map(wanted, full), _map(layer.norm2(made(tokens)), narrow)


def _refine(made: FeedForward, tokens: Tensor, wanted: Tensor, norm: nn.LayerNorm) -> FeedForward:
    """Descend from the least-squares fit, all parts free, on what the next layer sees."""
    parts = {name: value.clone().requires_grad_() for name, value in vars(made).items()}
    steps = EPOCHS * -(-len(tokens) // BATCH)
    optimizer = torch.optim.Adam(parts.values(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    generator = torch.Generator().manual_seed(0)
    with torch.enable_grad():
        for _ in range(EPOCHS):
            for index in torch.randperm(len(tokens), generator=generator).split(BATCH):
                output = norm(FeedForward(**parts)(tokens[index]))
                optimizer.zero_grad()
                F.mse_loss(output, wanted[index]).backward()
                optimizer.step()
                schedule.step()
    refined = FeedForward(**{name: value.detach() for name, value in parts.items()})
    # With few tokens the descent may end above where it began.
    return min(made, refined, key=lambda fit_: float(F.mse_loss(norm(fit_(tokens)), wanted)))


def _least_squares(regressors: Tensor, target: Tensor) -> Tensor:
    """Ridge regression by the normal equations, in float64."""
    gram = (regressors.t() @ regressors).double()
    # Relative to each regressor, whatever its scale; the rest is for units that are never on.
    gram.diagonal().mul_(1 + RIDGE).add_(1e-6 * len(regressors))
    return torch.linalg.solve(gram, (regressors.t() @ target).double()).float()


def save(path: Path, fits: Fits, digest: str, pairs: Pairs) -> None:
    """Write fits of the weight file with sha256 `digest`; accuracy is not known yet."""
    from ..network.weights import save as save_tensors

    state = {f"{name}.{key}": v for name, fit_ in fits.items() for key, v in vars(fit_).items()}
    texts = {
        "weights_sha256": digest,
        "calibration": json.dumps({"pairs": len(pairs.templates), "sha256": pairs.digest()}),
    }
    save_tensors(path, state, texts, half=False)


def load(path: Path, digest: str) -> dict[str, FeedForward]:
    """Read fits.

    Raises:
        EngineError: none there, or made for other weights.
        CheckpointError: damaged.
    """
    from ..network.weights import read

    state, texts = read(path)
    if texts.get("weights_sha256") != digest:
        raise EngineError(
            f"{path} was fitted to other weights (sha256 {texts.get('weights_sha256')}, these have "
            f"{digest}); fit again: ettrack export --precision compact --calibration FOLDER"
        )
    fits: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        name, _, part = key.rpartition(".")
        fits.setdefault(name, {})[part] = value
    return {name: FeedForward(**parts) for name, parts in fits.items()}
