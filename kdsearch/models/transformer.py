"""Transformer encoder for text classification."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import nn

PADDING = 0
"""The token id that fills a text up to the common length."""


class Transformer(nn.Module):
    """Token and learned position embeddings, pre-norm encoder layers, the mean over what is not padding, head.

    Pre-norm (arXiv 2002.04745) trains without a warm-up of the learning rate. Padding is neither attended to nor
    averaged, so a text's logits don't depend on how much of it follows; a text of nothing else gives the head's bias.

    Args:
        length: most tokens of a text.
        vocabulary_size: token ids are below it.
        depth: layers, `stage1` to `stage<depth>`.
        width: of the embeddings; the layers' feed-forward part is four times as wide.
        heads: of the attention; divides `width`.
    """

    def __init__(
        self,
        length: int,
        vocabulary_size: int,
        class_count: int,
        *,
        depth: int,
        width: int,
        heads: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary_size, width, padding_idx=PADDING)
        self.positions = nn.Embedding(length, width)
        self.dropout = nn.Dropout(dropout)
        self.stage_names = tuple(f"stage{index}" for index in range(1, depth + 1))
        for name in self.stage_names:
            # One by one: nn.TransformerEncoder would give all layers the same initial weights.
            self.add_module(name, _layer(width, heads, dropout))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, class_count)
        self._init_embeddings()

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids [B, L] (int64, L up to `length`, 0 is padding) to logits [B, classes]."""
        padding = tokens == PADDING
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.dropout(self.tokens(tokens) + self.positions(positions))
        # A text of padding alone attends to its first position: attention to nothing is not a number.
        masked = padding & ~(padding.all(dim=1, keepdim=True) & (positions == 0))
        for name in self.stage_names:
            x = self.get_submodule(name)(x, src_key_padding_mask=masked)
        kept = (~padding).unsqueeze(-1).to(x.dtype)
        pooled = (self.norm(x) * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1)
        logits: Tensor = self.head(pooled)
        return logits

    def _init_embeddings(self) -> None:
        """Normal with standard deviation 0.02, as BERT (arXiv 1810.04805); torch's 1 drowns what the layers add."""
        for embedding in (self.tokens, self.positions):
            nn.init.normal_(embedding.weight, std=0.02)
        with torch.no_grad():
            self.tokens.weight[PADDING].zero_()


def _layer(width: int, heads: int, dropout: float) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout, activation="gelu", batch_first=True, norm_first=True
    )
