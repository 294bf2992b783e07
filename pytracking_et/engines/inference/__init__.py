"""The two graphs of a tracker: uint8 crops in, what the loop needs out. Torch modules.

Template graph: crop -> normalised template feature, once per target. Search graph: that feature
and a crop -> score and distances. Sides are fixed when a graph is traced.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import CheckpointError
from ...network import weights
from ...network.constants import MEAN, STD
from ...network.registry import build, configuration, configurations
from ...network.trackers import TrackingNetwork
from .lowering import fold_batch_norm, fold_input_scale, lower

TEMPLATE_SIDES = (127, 128)


@contextmanager
def own_settings(device: str = "cpu", threads: int | None = None) -> Iterator[None]:
    """Torch as these graphs need it, whatever the rest of the process has set, and back.

    Default type, default device, autocast, the precision of matrix products and the number of
    threads belong to the process: others may set them, and must find them as they were.

    Args:
        device: kind of device that tensors are made on.
        threads: CPU threads; None: as set.
    """
    with ExitStack() as stack:

        def settle(get: Callable[[], Any], put: Callable[[Any], Any], value: Any) -> None:
            before = get()
            if before != value:
                put(value)
                stack.callback(put, before)

        settle(torch.get_default_dtype, torch.set_default_dtype, torch.float32)
        # Lower ones round matrix products to bfloat16 on processors that have it.
        settle(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest")
        if threads is not None:
            settle(torch.get_num_threads, torch.set_num_threads, threads)
        if torch.get_default_device().type != device:
            # Entered only where needed: under it, every call of torch takes a way through Python.
            stack.enter_context(torch.device(device))
        if torch.is_autocast_enabled(device):
            stack.enter_context(torch.autocast(device, enabled=False))
        yield


class _Images(nn.Module):
    """(1, H, W, 3) uint8 RGB -> (1, 3, H, W) float32 as the prepared network takes it."""

    mean: Tensor
    scale: Tensor

    def __init__(self, folded: bool) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1) * 255)
        scale = 1 / (torch.tensor(STD).view(1, 3, 1, 1) * 255)
        self.register_buffer("scale", torch.ones_like(scale) if folded else scale)
        self.folded = folded

    def forward(self, image: Tensor) -> Tensor:
        """Subtract the mean; divide where the network does not do it itself."""
        centred = image.permute(0, 3, 1, 2).float() - self.mean
        return centred if self.folded else centred * self.scale


class _Graph(nn.Module):
    """One side of a network that was made ready, and what stands before it."""

    network: TrackingNetwork

    def __init__(self, images: _Images, network: TrackingNetwork, template: Tensor) -> None:
        super().__init__()
        self.images, self.network = images, network
        self.template_shape = tuple(template.shape)


class TemplateGraph(_Graph):
    """(1, T, T, 3) uint8 RGB -> template feature after the neck, (1, 96, 8, 8) float32."""

    def forward(self, image: Tensor) -> Tensor:
        """Template side of the network, all that a target needs doing once."""
        return self.network.neck.template(self.network.template(self.images(image)))


class SearchGraph(_Graph):
    """Template feature, (1, S', S', 3) uint8 RGB -> score (S, S), distances (4, S, S)."""

    def forward(self, template: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Search side; the score is past its sigmoid, distances are pixels of the crop."""
        network = self.network
        fused = network.feature_fusor(template, network.search(self.images(image)))
        logits, distances = network.heads(fused, template)
        return torch.sigmoid(logits)[0, 0], distances[0]


@own_settings()
def graphs(network: TrackingNetwork) -> tuple[TemplateGraph, SearchGraph]:
    """Both graphs of a network: of a copy with BatchNorm folded and layers lowered."""
    own = copy.deepcopy(network).eval().requires_grad_(False)
    lower(own)
    image = torch.zeros(1, 3, TEMPLATE_SIDES[1], TEMPLATE_SIDES[1])
    search = torch.zeros(1, 3, 256, 256)
    with torch.no_grad():
        template = own.template(image)
        # Apart, because a backbone that ends in a convolution must not take in the neck's
        # normalisation of the search: the template goes through it too.
        fold_batch_norm(own.backbone_net, lambda: own.backbone_net(search))
        zf, xf = own.neck.template(template), own.search(search)
        fold_batch_norm(own, lambda: own.heads(own.feature_fusor(zf, xf), zf))
        folded = fold_input_scale(own.backbone_net, image, 1 / (torch.tensor(STD) * 255))
    parts = _Images(folded), own, template
    return TemplateGraph(*parts).eval(), SearchGraph(*parts).eval()


def load_graphs(
    network: str, checkpoint: Path
) -> tuple[TrackingNetwork, TemplateGraph, SearchGraph]:
    """The network with its weights, in eval mode, and its graphs."""
    module = load_network(network, checkpoint)
    return module, *graphs(module)


@own_settings()
def load_network(network: str, checkpoint: str | Path) -> TrackingNetwork:
    """Build a configuration with its weights, in eval mode.

    Raises:
        CheckpointError: weights that do not fit, or that tell of another network. Of S x S queries
            they have the same names and shapes.
    """
    # The first values, which the weights replace, are not to cost the program random numbers.
    with torch.random.fork_rng(devices=[]):
        module = build(network)
    told = weights.load(module, checkpoint).get("network", network)
    if told in configurations() and configuration(told).options != configuration(network).options:
        raise CheckpointError(
            f"weights {checkpoint} are of network {told!r}, not of {network!r}; give the parameter "
            f"file of theirs, which is called {told} too"
        )
    return module.eval()
