"""Swin window attention.

Paper: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", ICCV
2021 (arXiv 2103.14030), section 3.2: attention within windows, with a relative position bias; every
second layer shifts the windows by half, with a mask where the shift wraps around the border.
Windows are 4 x 4, since the maps here are 16 x 16 or 18 x 18; maps are padded to a multiple, and
padding takes no part.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .transformer import ProjectedAttention

WINDOW = 4


class SwinLayer(ProjectedAttention):
    """(B, C, H, W) -> (B, C, H, W); odd `position` in the tower shifts, `kernel` is not used."""

    relative: Tensor

    def __init__(
        self,
        channels: int,
        kernel: int,
        position: int = 0,
        window: int = WINDOW,
        **options: bool,
    ) -> None:
        super().__init__(channels, kernel, position, **options)
        self.window = window
        self.shift = window // 2 if position % 2 else 0
        self.bias = nn.Parameter(torch.zeros((2 * window - 1) ** 2, self.heads))
        nn.init.trunc_normal_(self.bias, std=0.02)
        place = torch.arange(window)
        grid = torch.stack(torch.meshgrid(place, place, indexing="ij")).flatten(1)
        offset = grid[:, :, None] - grid[:, None] + window - 1
        relative = offset[0] * (2 * window - 1) + offset[1]
        self.register_buffer("relative", relative, persistent=False)

    def to_windows(self, x: Tensor) -> Tensor:
        """(B, C, H, W), sides multiples of w -> (B * windows, w * w, C)."""
        batch, channels, height, width = x.shape
        side = self.window
        x = x.reshape(batch, channels, height // side, side, width // side, side)
        return x.permute(0, 2, 4, 3, 5, 1).reshape(-1, side**2, channels)

    def from_windows(self, tokens: Tensor, height: int, width: int) -> Tensor:
        """The inverse of `to_windows`."""
        side, channels = self.window, tokens.shape[2]
        x = tokens.reshape(-1, height // side, width // side, side, side, channels)
        return x.permute(0, 5, 1, 3, 2, 4).reshape(-1, channels, height, width)

    def regions(self, height: int, width: int, full: tuple[int, int], device: torch.device):
        """Region number (1, 1, H', W') of each shifted position; only equals may attend.

        Padding is a region of its own, numbered zero.
        """
        rows = torch.arange(full[0], device=device)
        columns = torch.arange(full[1], device=device)
        # Positions that the shift wraps around come from the other border: another region.
        row = 1 + (rows < self.shift).long()
        column = 1 + (columns < self.shift).long()
        number = row[:, None] * 3 + column[None]
        inside = (rows < height)[:, None] & (columns < width)[None]
        return (number * inside)[None, None].float()

    def mix(self, x: Tensor) -> Tensor:
        """Attend within (shifted) windows."""
        # Plain numbers: traced ones round towards zero in ONNX, and -(-18 // 4) would be 4.
        height, width = (int(side) for side in x.shape[2:])
        full = tuple(-(-side // self.window) * self.window for side in (height, width))
        padded = F.pad(x, (0, full[1] - width, 0, full[0] - height))
        number = self.regions(height, width, (full[0], full[1]), x.device)
        if self.shift:
            padded = torch.roll(padded, (-self.shift, -self.shift), (2, 3))
            number = torch.roll(number, (-self.shift, -self.shift), (2, 3))
        tokens = self.to_windows(padded)
        region = self.to_windows(number)
        allowed = region == region.transpose(1, 2)
        query, key, value = (self.split_heads(part) for part in self.qkv(tokens).chunk(3, 2))
        bias = self.bias[self.relative].permute(2, 0, 1)
        windows = allowed.shape[0]
        mask = torch.where(allowed[:, None], bias[None], float("-inf"))
        mask = mask.repeat(query.shape[0] // windows, 1, 1, 1)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        mixed = self.from_windows(self.out(self.join_heads(mixed)), full[0], full[1])
        if self.shift:
            mixed = torch.roll(mixed, (self.shift, self.shift), (2, 3))
        return mixed[:, :, :height, :width]
