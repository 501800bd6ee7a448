"""What the families of diffusion transformers have in common: how a file becomes a denoiser.

They differ in their networks, in what they attend to and in what they are given beside the latent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from engine.families import autoencoders
from engine.families.latent_format import LatentFormat
from engine.text.encoder import TOKENIZER_TENSORS
from engine.weights.state_dict import Entry, StateDict


class TransformerFamily:
    """The part of `engine.families.family.ModelFamily` that these families share.

    Attributes:
        name: see the protocol.
        tensors: the denoiser's tensors within a file, under their original names; None without.
        configure: the configuration from those tensors.
        network: the denoiser's class.
        latent_format: of its denoiser's latents.
        encoder_prefixes: by text encoder, what precedes its tensors' names in a checkpoint.
    """

    name: str
    tensors: Callable[[StateDict], StateDict | None]
    configure: Callable[[StateDict], Any]
    network: Callable[[Any], nn.Module]
    latent_format: LatentFormat
    encoder_prefixes: Mapping[str, Sequence[str]] = MappingProxyType({})

    def detect(self, weights: StateDict) -> Any | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        found = self.tensors(weights)
        return None if found is None else self.configure(found)

    def latent(self, config: Any) -> LatentFormat:
        """See `latent_format`."""
        del config
        return self.latent_format

    def build(self, config: Any) -> nn.Module:
        """The denoiser on the meta device."""
        with torch.device("meta"):
            return self.network(config)

    def denoiser(self, config: Any, weights: StateDict) -> StateDict:
        """The denoiser's tensors under their original names."""
        del config
        found = self.tensors(weights)
        if found is None:
            raise ValueError(f"these are no tensors of {self.name}")
        return found

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """The tensors of the text encoder `name` within a checkpoint; None without it."""
        for prefix in self.encoder_prefixes.get(name, ()):
            part = weights.part(prefix)
            if len(part):
                return _with_tokenizer(part, weights, prefix)
        return None

    def autoencoder(self, weights: StateDict) -> StateDict | None:
        """The autoencoder within a checkpoint."""
        return autoencoders.within(weights)

    def metadata(self, config: Any) -> Mapping[str, str]:
        """Nothing: the tensors are sufficient."""
        del config
        return {}

    def dtypes(self, config: Any) -> Sequence[torch.dtype]:
        """Not fp16, whose largest number the tokens of most of them exceed."""
        del config
        return (torch.bfloat16, torch.float32)


def _with_tokenizer(encoder: StateDict, weights: StateDict, prefix: str) -> StateDict:
    """The tensors of an encoder, and its tokenizer where that stands above them in the file."""
    above: dict[str, Entry] = {}
    for name, entry in weights.entries.items():
        outer, last = name[: name.rfind(".") + 1], name[name.rfind(".") + 1 :]
        if last in TOKENIZER_TENSORS and prefix.startswith(outer):
            above[last] = entry
    return replace(encoder, entries={**above, **encoder.entries}) if above else encoder
