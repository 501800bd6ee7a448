"""The style adapter of T2I-Adapter (Mou et al. 2023): an encoded picture to tokens of a prompt.

Learned tokens pass through a transformer together with those of CLIP's ViT-L, and are projected to
the width of the text. Names of tensors are those of the published file, with OpenCLIP's in the
layers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.nets.clip_layers import LayerConfig, Layers, of_open_clip
from engine.weights.state_dict import Entry, StateDict

MARK = "style_embedding"
LAYERS = "transformer_layes."
"""Misspelt so in the files."""
OWN = (MARK, "proj", "ln_pre.weight", "ln_pre.bias", "ln_post.weight", "ln_post.bias")
HEADS = 8


@dataclass(frozen=True, slots=True)
class StyleConfig:
    """The sizes: width of the encoded picture, learned tokens, width of the text, layers."""

    channels: int
    tokens: int
    text: int
    feed_forward: int
    layers: int


class StyleAdapter(nn.Module):
    """See the module."""

    def __init__(self, config: StyleConfig) -> None:
        super().__init__()
        width = config.channels
        self.style_embedding = nn.Parameter(torch.empty(1, config.tokens, width))
        self.proj = nn.Parameter(torch.empty(width, config.text))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        layer = LayerConfig(width, config.feed_forward, HEADS, "quick_gelu", causal=False)
        self.encoder = Layers(layer, config.layers)

    def forward(self, states: Tensor) -> Tensor:
        """The last states of an image encoder [B, T, D] -> [B, tokens, text width]."""
        learned = self.style_embedding.expand(len(states), -1, -1)
        begin = self.ln_pre(torch.cat((states, learned), dim=1))
        *_, found = self.encoder.each(begin, lambda: None)
        return self.ln_post(found[:, -learned.shape[1] :]) @ self.proj


def tensors(weights: StateDict) -> StateDict | None:
    """The adapter's tensors under the module's names; None without one."""
    if MARK not in weights:
        return None
    entries: dict[str, Entry] = {}
    for name, entry in weights.entries.items():
        if name in OWN:
            entries[name] = entry
        elif name.startswith(LAYERS):
            entries |= of_open_clip(name.removeprefix(LAYERS), entry)
    return replace(weights, entries=entries).refuse_empty()


def style_config(found: StateDict) -> StyleConfig:
    """The configuration from tensor shapes.

    Raises:
        WeightsError: a tensor is missing or misshapen.
    """
    learned, projection = found.shape(MARK) or (), found.shape("proj") or ()
    wide = found.shape("encoder.layers.0.mlp.fc1.weight") or ()
    if len(learned) != 3 or len(projection) != 2 or len(wide) != 2 or learned[2] % HEADS:
        raise WeightsError(
            f"{found.origin}: not a complete style adapter: {MARK} {list(learned)}, proj "
            f"{list(projection)}, {LAYERS}0.mlp.c_fc.weight {list(wide)}; expected 3, 2 and 2 axes"
        )
    numbers = {name.split(".")[2] for name in found if name.startswith("encoder.layers.")}
    layers = max(int(each) + 1 for each in numbers if each.isdecimal() and len(each) < 4)
    return StyleConfig(learned[2], learned[1], projection[1], wide[0], layers)
