"""The actor: what is computed on a batch and which loss it gives (contract of pytracking's ltr).

E.T.Track learns from ground truth, and from what LT-Mobile (the teacher) makes of the same pair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pytracking_et.network.normalisation import normalise

from . import fast_heads, losses
from .losses import Labels, make_labels

Batch = dict[str, Any]


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss terms; pairs run linearly from the stage's start on.

    Attributes:
        cls: ground truth: balanced BCE.
        box: ground truth: IoU loss over the cells inside the box.
        distill_cls: likeness to the teacher's scores, (start, end).
        distill_box: likeness to the teacher's boxes, (start, end).
        distill_until: share of the stage at which the end values are reached; where they are 0
            the teacher is not run from there on.
        hint: likeness to the teacher's layer outputs at the start; falls to 0 at `hint_until`.
        hint_until: share of the stage after which the hint is gone.
        radius: cells within this L1 distance of the target's cell are positive
            (1: recipe; 2: paper).
        distractor: factor on negative cells that lie on another labelled object.
        rank: the target's cells against all others, see `losses.ranking`.
    """

    cls: float = 1.0
    box: float = 1.2
    distill_cls: tuple[float, float] = (0.0, 0.0)
    distill_box: tuple[float, float] = (0.0, 0.0)
    distill_until: float = 1.0
    hint: float = 0.0
    hint_until: float = 0.6
    radius: int = 1
    distractor: float = 1.0
    rank: float = 0.0

    @property
    def needs_teacher(self) -> bool:
        """Whether a term compares with the teacher at any time."""
        return max(*self.distill_cls, *self.distill_box, self.hint) > 0

    def at(self, progress: float) -> dict[str, float]:
        """Weights of the terms at `progress` in 0..1 through the stage."""
        distilled = _share(progress, self.distill_until)
        return {
            "cls": self.cls,
            "box": self.box,
            "rank": self.rank,
            "distill_cls": _between(self.distill_cls, distilled),
            "distill_box": _between(self.distill_box, distilled),
            "hint": self.hint * (1 - _share(progress, self.hint_until)),
        }


def _share(progress: float, until: float) -> float:
    """How much of the way to `until` is done, 0..1."""
    return min(1.0, progress / until) if until else 1.0


def _between(ends: tuple[float, float], progress: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * progress


class Outputs(NamedTuple):
    """Maps of a network: logits B x S x S, distances B x 4 x S x S, tower layers' outputs."""

    logits: Tensor
    distances: Tensor
    layers: list[Tensor]


class ETActor(nn.Module):
    """Loss of E.T.Track on pairs given as images or as cached backbone features.

    A module, so that DistributedDataParallel can wrap it: its parameters are the network's.

    A batch holds `z`, `x` (raw backbone features, B x 96 x 8 x 8 and B x 96 x S x S) or
    `template`, `search` (B x 3 x H x W uint8, RGB); `box` B x 4 (x, y, w, h in search pixels);
    optionally `positive` B bool (False: the target is not in the search crop), `pseudo` B bool
    (loose box: no box loss), `labelled` B bool (False: no ground truth, the teacher alone counts),
    `distractors` B x K x 4 boxes of other objects (zero rows: none).

    Args:
        net: E.T.Track.
        teacher: LT-Mobile with its weights, or None; kept in eval mode and never changed.
        weights: the loss.
        fast: use `fast_heads` (BatchNorm frozen); otherwise the network's own forward.
        keep: see `fast_heads.FeedForward`; 1 is exact.
        dropout: after the feed-forward in `fast` mode; the modules bring their own.
    """

    def __init__(
        self,
        net: Any,
        teacher: Any | None = None,
        weights: LossWeights | None = None,
        *,
        fast: bool = True,
        keep: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.net = net
        self.weights = weights or LossWeights()
        self.fast, self.keep, self.dropout = fast, keep, dropout
        if teacher is not None:
            teacher.eval().requires_grad_(False)
        # In a list: no submodule, so that neither parameters() nor train() reaches it.
        self._teacher = [teacher]
        self._one_backbone = teacher is not None and _same_frozen_backbone(net, teacher)

    @property
    def teacher(self) -> Any | None:
        """The teacher network."""
        return self._teacher[0]

    def forward(self, data: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss to minimise (a scalar) and named values to log, 'Loss/total' first.

        Args:
            data: one batch; the trainer adds 'progress', the share of the stage that is done, and
                'backbone_frozen'.
        """
        weights = self.weights.at(float(data.get("progress", 0.0)))
        with torch.set_grad_enabled(torch.is_grad_enabled() and not data.get("backbone_frozen")):
            zf, xf = self.features(self.net, data)
        student = self.heads(zf, xf)
        labels = make_labels(
            data["box"],
            student.logits.shape[-1],
            radius=self.weights.radius,
            positive=data.get("positive"),
            distractors=data.get("distractors"),
        )
        terms = self._ground_truth(student, labels, data)
        needed = ("distill_cls", "distill_box", "hint")
        if self.teacher is not None and any(weights[name] > 0 for name in needed):
            terms |= self._distilled(student, labels, data, (zf, xf), weights)
        total = torch.stack([weights[name] * value.mean() for name, value in terms.items()]).sum()
        stats = {f"Loss/{name}": value.detach().mean() for name, value in terms.items()}
        return total, {"Loss/total": total.detach(), **stats}

    @staticmethod
    def features(net: Any, data: Batch) -> tuple[Tensor, Tensor]:
        """Raw backbone features (z, x) of a batch, from its cache or through the backbone."""
        if "z" in data:
            return data["z"].float(), data["x"].float()
        z, x = (net.backbone_net(normalise(data[name])) for name in ("template", "search"))
        return z, x

    def heads(self, zf: Tensor, xf: Tensor) -> Outputs:
        """Student's maps from raw backbone features."""
        net: Any = self.net
        zf = net.neck.template(zf)
        fused = net.feature_fusor(zf, net.neck.search(xf))
        if not self.fast:
            return _outputs(net, fused, lambda layer, x: layer(x, zf))
        run = partial(
            fast_heads.tower_layer, template=zf, keep=self.keep,
            dropout=self.dropout if self.training else 0.0,
        )  # fmt: skip
        return _outputs(net, fast_heads.to_tokens(fused), run)

    def _ground_truth(self, student: Outputs, labels: Labels, data: Batch) -> dict[str, Tensor]:
        emphasis = 1 + (self.weights.distractor - 1) * labels.on_distractor
        boxed = labels.inside
        if "pseudo" in data:
            boxed = boxed & ~data["pseudo"].bool()[:, None, None]
        terms = {
            "cls": losses.balanced_bce(student.logits, labels.score, emphasis),
            "box": losses.iou_loss(student.distances, labels.distances, boxed),
        }
        if self.weights.rank:
            terms["rank"] = losses.ranking(student.logits, labels.score, labels.inside)
        if "labelled" in data:
            terms = {name: value * data["labelled"] for name, value in terms.items()}
        return terms

    def _distilled(
        self,
        student: Outputs,
        labels: Labels,
        data: Batch,
        features: tuple[Tensor, Tensor],
        weights: dict[str, float],
    ) -> dict[str, Tensor]:
        with torch.no_grad():
            if "z" not in data and not self._one_backbone:
                features = self.features(self.teacher, data)
            teacher = teacher_outputs(self.teacher, *features)
            scores = torch.sigmoid(teacher.logits)
        # Where the target is absent the teacher is wrong whenever it fires: ground truth alone.
        present = scores.new_ones(len(scores))
        if data.get("positive") is not None:
            present = data["positive"].float()
        boxes = losses.distill_boxes(
            student.distances, teacher.distances, scores, labels.distances,
            believed=~data["labelled"] if "labelled" in data else None,
        )  # fmt: skip
        terms = {
            "distill_cls": losses.distill_scores(student.logits, scores) * present,
            "distill_box": boxes * present,
        }
        if weights["hint"] > 0:
            pairs = zip(student.layers, teacher.layers, strict=True)
            hints = [losses.hint(ours, theirs) for ours, theirs in pairs]
            terms["hint"] = torch.stack(hints).mean(0)
        return terms


def _same_frozen_backbone(net: Any, teacher: Any) -> bool:
    """Whether both compute the same features, and will go on doing so."""
    own, theirs = net.backbone_net.state_dict(), teacher.backbone_net.state_dict()
    frozen = not any(p.requires_grad for p in net.backbone_net.parameters())
    return frozen and own.keys() == theirs.keys() and all(
        torch.equal(value, theirs[name]) for name, value in own.items()
    )  # fmt: skip


def teacher_outputs(teacher: Any, zf: Tensor, xf: Tensor) -> Outputs:
    """LT-Mobile's maps from raw backbone features; layer outputs as tokens."""
    fused = teacher.feature_fusor(teacher.neck.template(zf), teacher.neck.search(xf))
    return _outputs(teacher.head, fast_heads.to_tokens(fused), fast_heads.separable)


def _outputs(heads: Any, x: Tensor, run: Callable[[nn.Module, Tensor], Tensor]) -> Outputs:
    """Both towers on tokens or a map `x`, layer by layer; layer outputs as tokens."""
    is_map = x.ndim == 4
    layers: list[list[Tensor]] = []
    for tower in (heads.cls_tower, heads.reg_tower):
        outputs = [x]
        for layer in tower:
            outputs.append(run(layer, outputs[-1]))
        layers.append(outputs[1:])
    cls, reg = (outputs[-1] if is_map else fast_heads.to_map(outputs[-1]) for outputs in layers)
    tokens = [fast_heads.to_tokens(y) if is_map else y for outputs in layers for y in outputs]
    return Outputs(heads.cls_pred_head(cls)[:, 0], heads.reg_pred_head(reg), tokens)
