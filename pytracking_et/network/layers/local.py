"""Local self-attention.

Papers: Parmar et al., "Image Transformer", ICML 2018 (arXiv 1802.05751); Ramachandran et al.,
"Stand-Alone Self-Attention in Vision Models", NeurIPS 2019 (arXiv 1906.05909), section 3: every
position attends to the k x k positions around it, with learned relative row and column embeddings
added to the keys. Positions beyond the border take no part.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .transformer import HEAD_CHANNELS, ProjectedAttention

# Ramachandran et al., table 5: 7 is where accuracy stops growing.
WINDOW = 7


class LocalLayer(ProjectedAttention):
    """(B, C, H, W) -> (B, C, H, W); the tower's `kernel` is not used, the window is 7 x 7."""

    def __init__(
        self,
        channels: int,
        kernel: int,
        position: int = 0,
        window: int = WINDOW,
        **options: bool,
    ) -> None:
        super().__init__(channels, **options)
        self.window = window
        half = HEAD_CHANNELS // 2
        self.row_embedding = nn.Parameter(torch.randn(window, half) * half**-0.5)
        self.column_embedding = nn.Parameter(torch.randn(window, half) * half**-0.5)

    def neighbours(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, k * k, H, W): the window around each position, zero outside."""
        height, width = x.shape[2:]
        reach = self.window // 2
        padded = F.pad(x, (reach, reach, reach, reach))
        shifts = [
            padded[:, :, row : row + height, column : column + width]
            for row in range(self.window)
            for column in range(self.window)
        ]
        return torch.stack(shifts, 2)

    def embedding(self) -> Tensor:
        """Relative embeddings (k * k, D): first half the row's, second half the column's."""
        window = self.window
        rows = self.row_embedding[:, None].expand(window, window, -1)
        columns = self.column_embedding[None].expand(window, window, -1)
        return torch.cat([rows, columns], 2).reshape(window**2, -1)

    def mix(self, x: Tensor) -> Tensor:
        """Attend within the window of each position."""
        batch, channels, height, width = x.shape
        maps = self.qkv(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        query, key, value = maps.chunk(3, 1)
        shape = (batch, self.heads, HEAD_CHANNELS, self.window**2, height, width)
        keys = self.neighbours(key).reshape(shape)
        keys = keys + self.embedding().t().reshape(1, 1, HEAD_CHANNELS, -1, 1, 1)
        queries = query.reshape(batch, self.heads, HEAD_CHANNELS, 1, height, width)
        logits = (queries * keys).sum(2) / HEAD_CHANNELS**0.5
        inside = self.neighbours(torch.ones_like(x[:1, :1]))[:, 0]
        logits = logits.masked_fill(inside[:, None] == 0, float("-inf"))
        weights = logits.softmax(2).unsqueeze(2)
        mixed = (weights * self.neighbours(value).reshape(shape)).sum(3)
        mixed = mixed.reshape(batch, channels, height, width).permute(0, 2, 3, 1)
        return self.out(mixed).permute(0, 3, 1, 2)
