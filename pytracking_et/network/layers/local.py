"""Local self-attention.

Papers: Parmar et al., "Image Transformer", ICML 2018 (arXiv 1802.05751); Ramachandran et al.,
"Stand-Alone Self-Attention in Vision Models", NeurIPS 2019 (arXiv 1906.05909), section 3: every
position attends to the k x k positions around it, with learned relative row and column embeddings
added to the keys. Positions beyond the border take no part.

As in Parmar et al. (section 3.3), queries are taken in square tiles that share one neighbourhood,
so that the products are matrix products; a mask gives each query its own window of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .transformer import HEAD_CHANNELS, ProjectedAttention

# Ramachandran et al., table 5: 7 is where accuracy stops growing.
WINDOW = 7
# Side of a tile of queries: of 4, 6 and 8 the fastest on 16 x 16 maps (1 / 4 of the time of windows
# gathered position by position).
TILE = 4
# exp() of it is 0, and in float16 it is no infinity: rows of padding must not become NaN.
NEVER = -1e4


class LocalLayer(ProjectedAttention):
    """(B, C, H, W) -> (B, C, H, W); the tower's `kernel` is not used, the window is 7 x 7."""

    offset: Tensor
    near: Tensor

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
