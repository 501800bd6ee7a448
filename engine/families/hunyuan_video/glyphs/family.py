"""What the families of this network have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from torch import Tensor, nn

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Join
from engine.families.family import Checkpoint, Entry, check_tokens
from engine.families.hunyuan_video.glyphs import keys, text
from engine.families.hunyuan_video.glyphs.network import HunyuanGlyphs, HunyuanGlyphsConfig, Words
from engine.families.transformer_family import TransformerFamily
from engine.nets.hooks import NetHooks, Residuals
from engine.weights.state_dict import StateDict

USUAL_WORDS = 256


class HunyuanGlyphsFamily(TransformerFamily):
    """The part of `engine.families.family.ModelFamily` that these families share."""

    network = HunyuanGlyphs
    kind: keys.Kind
    beside: frozenset[int]
    """The numbers of channels that their models may be given beside the latent."""
    encoder_prefixes: Mapping[str, Sequence[str]] = {
        name: (place,) for name, place in text.PLACES.items()
    }

    def tensors(self, weights: StateDict) -> StateDict | None:
        """The denoiser's tensors within a file, under FLUX.1's names; None without."""
        return keys.tensors(weights, self.kind)

    def configure(self, found: StateDict) -> HunyuanGlyphsConfig:
        """The sizes, from those tensors."""
        return keys.config(found, self.beside)

    def words(
        self, config: HunyuanGlyphsConfig, entry: Entry, *, model: str, kind: str
    ) -> dict[str, Input]:
        """The text and the glyphs of quoted words; `kind` is the loaders' name of the encoders.

        Raises:
            NodeError: the conditioning is for another model.
        """
        check_tokens(
            entry,
            config.blocks.context_channels,
            advice=f"Encode the prompt with Qwen2.5-VL 7B: DualCLIPLoader, type {kind}.",
        )
        inputs = {"context": Input(entry.embedding, Join.PAD_WITH_MASK)}
        glyphs = text.glyphs_of(entry, config.glyph_channels, model)
        if glyphs is not None:
            inputs["glyphs"] = Input(glyphs, Join.PAD_WITH_MASK)
        return inputs

    def predict(
        self,
        net: nn.Module,
        x: Tensor,
        timestep: Tensor,
        inputs: Mapping[str, Tensor],
        *,
        control: Residuals | None,
        hooks: NetHooks | None,
        checkpoint: Checkpoint,
    ) -> Tensor:
        """One call of the denoiser; see `ModelFamily`."""
        words = Words(
            inputs["context"],
            inputs.get("context_mask"),
            inputs.get("glyphs"),
            inputs.get("glyphs_mask"),
            inputs.get("seen"),
        )
        return net(
            x,
            timestep,
            words,
            guidance=inputs.get("guidance"),
            target=inputs.get("target"),
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )

    def lora_names(self, config: HunyuanGlyphsConfig) -> Mapping[str, str | Rows]:
        """See `engine.families.hunyuan_video.glyphs.keys`."""
        return keys.lora_names(config)

    def activation_bytes(
        self, config: HunyuanGlyphsConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """The tensors of one block: tokens of the width, and of a feed-forward beside."""
        tokens = shape[0] * (prod(shape[2:]) + USUAL_WORDS)
        return tokens * (14 * config.blocks.channels + 3 * config.blocks.inner) * dtype_bytes
