"""Attention within windows: around every position (local), or a grid of them (Swin)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import HEAD_CHANNELS, ProjectedAttention

# Ramachandran et al., table 5: 7 is where accuracy stops growing.
LOCAL_WINDOW = 7
# Side of a tile of queries: of 4, 6 and 8 the fastest on 16 x 16 maps (1 / 4 of the time of windows
# gathered position by position).
TILE = 4
# exp() of it is 0, and in float16 it is no infinity: rows of padding must not become NaN.
NEVER = -1e4
SWIN_WINDOW = 4


class LocalLayer(ProjectedAttention):
    """Local self-attention: (B, C, H, W) -> (B, C, H, W); the tower's `kernel` is not used.

    Papers: Parmar et al., "Image Transformer", ICML 2018 (arXiv 1802.05751); Ramachandran et al.,
    "Stand-Alone Self-Attention in Vision Models", NeurIPS 2019 (arXiv 1906.05909), section 3:
    every position attends to the 7 x 7 positions around it, with learned relative row and column
    embeddings added to the keys. Positions beyond the border take no part.

    As in Parmar et al. (section 3.3), queries are taken in square tiles that share one
    neighbourhood, so that the products are matrix products; a mask gives each query its own window
    of it.
    """

    offset: Tensor
    near: Tensor

    def __init__(
        self,
        channels: int,
        kernel: int,
        position: int = 0,
        window: int = LOCAL_WINDOW,
        **options: bool,
    ) -> None:
        super().__init__(channels, kernel, position, **options)
        self.window = window
        half = HEAD_CHANNELS // 2
        self.row_embedding = nn.Parameter(torch.randn(window, half) * half**-0.5)
        self.column_embedding = nn.Parameter(torch.randn(window, half) * half**-0.5)
        # Number of the embedding between each query and each key along one side of a tile.
        offset = torch.arange(TILE + window - 1)[None] - torch.arange(TILE)[:, None]
        near = (offset >= 0) & (offset < window)
        self.register_buffer("offset", offset.clamp(0, window - 1), persistent=False)
        self.register_buffer("near", near, persistent=False)

    def tiles(self, x: Tensor, side: int) -> Tensor:
        """Squares of `side`, TILE apart: (B, n, H, W) -> (B, tiles, n, side, side)."""
        height, width = x.shape[2:]
        corners = [
            (top, left)
            for top in range(0, height - side + 1, TILE)
            for left in range(0, width - side + 1, TILE)
        ]
        return torch.stack([x[:, :, t : t + side, s : s + side] for t, s in corners], 1)

    def relative(self, query: Tensor) -> Tensor:
        """Products of queries (..., T * T, D) and embeddings -> (..., T * T, A * A), A = T + k - 1.

        The first half of a query's channels meets the row's embedding, the second the column's.
        """
        halves = query.unflatten(-2, (TILE, TILE)).chunk(2, -1)
        rows = torch.einsum("...ijd,iad->...ija", halves[0], self.row_embedding[self.offset])
        columns = torch.einsum("...ijd,jad->...ija", halves[1], self.column_embedding[self.offset])
        return (rows[..., None] + columns[..., None, :]).flatten(-2).flatten(-3, -2)

    def mix(self, x: Tensor) -> Tensor:
        """Attend within the window of each position."""
        height, width = (int(side) for side in x.shape[2:])
        reach, area = self.window // 2, TILE + self.window - 1
        below, right = -height % TILE, -width % TILE
        border = (reach, right + reach, reach, below + reach)
        maps = self.qkv(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        query = self._heads(self.tiles(F.pad(maps[:, : self.channels], (0, right, 0, below)), TILE))
        around = self.tiles(F.pad(maps[:, self.channels :], border), area)
        key, value = (self._heads(part) for part in around.chunk(2, 2))
        inside = self.tiles(F.pad(torch.ones_like(x[:1, :1]), border), area).flatten(3) > 0
        near = (self.near[:, None, :, None] & self.near[None, :, None]).flatten(0, 1).flatten(1)
        relative = self.relative(query) / HEAD_CHANNELS**0.5
        mask = torch.where(near & inside.unsqueeze(3), relative, NEVER)
        mixed = F.scaled_dot_product_attention(
            query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1), mask.flatten(0, 1)
        )
        mixed = mixed.reshape(
            -1, (height + below) // TILE, (width + right) // TILE, self.heads, TILE, TILE,
            HEAD_CHANNELS,
        )  # fmt: skip
        mixed = mixed.permute(0, 1, 4, 2, 5, 3, 6).flatten(5).flatten(3, 4).flatten(1, 2)
        return self.out(mixed[:, :height, :width]).permute(0, 3, 1, 2)

    def _heads(self, tiles: Tensor) -> Tensor:
        """(B, tiles, C, s, s) -> (B, tiles, heads, s * s, D)."""
        return tiles.flatten(3).unflatten(2, (self.heads, HEAD_CHANNELS)).transpose(3, 4)


class SwinLayer(ProjectedAttention):
    """Swin window attention: (B, C, H, W) -> (B, C, H, W); the tower's `kernel` is not used.

    Paper: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
    ICCV 2021 (arXiv 2103.14030), section 3.2: attention within windows, with a relative position
    bias; every second layer (odd `position`) shifts the windows by half, with a mask where the
    shift wraps around the border. Windows are 4 x 4, since the maps here are 16 x 16 or 18 x 18;
    maps are padded to a multiple, and padding takes no part.
    """

    relative: Tensor

    def __init__(
        self,
        channels: int,
        kernel: int,
        position: int = 0,
        window: int = SWIN_WINDOW,
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
