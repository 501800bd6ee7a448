"""Anima, raw and turbo: pictures from text (Anima026)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.families.anima import keys, text
from engine.families.anima.network import Anima, AnimaConfig
from engine.families.family import Checkpoint, Entry, Run, check_tokens
from engine.families.transformer_family import TransformerFamily
from engine.families.wan_autoencoder import LATENT
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.transformer_layers import patch_grid
from engine.weights.state_dict import StateDict

SHIFT = 3.0
USUAL_TOKENS = 512
"""Of a text, for the estimate of memory."""


class AnimaFamily(TransformerFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Anima"
    examples = "Anima (huggingface.co/circlestone-labs/Anima)"
    encoder_prefixes = text.PREFIXES
    text = text.PLAN
    tensors = staticmethod(keys.tensors)
    configure = staticmethod(keys.config)
    network = Anima
    latent_format = LATENT

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """Qwen3 0.6B within a checkpoint; T5's tokens need no tensors."""
        return StateDict({}) if name == text.TOKENS else super().encoder(weights, name)

    def parameterization(self, config: AnimaConfig) -> Parameterization:
        """A flow of time 0..1 with a shift that does not depend on the size."""
        del config
        return flow(SHIFT, multiplier=1.0)

    def inputs(
        self, config: AnimaConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The states of the language model, and the tokens of T5.

        Raises `NodeError` if the conditioning is for another model.
        """
        del run, role
        check_tokens(
            entry,
            config.adapter.source,
            advice=text.ADVICE,
        )
        return {"context": Input(entry.embedding), **text.numbers(entry)}

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
        del control
        return net(
            x,
            timestep,
            inputs["context"],
            inputs["t5xxl_ids"],
            inputs.get("t5xxl_weights"),
            hooks=hooks,
            checkpoint=checkpoint,
        )

    def lora_names(self, config: AnimaConfig) -> Mapping[str, str]:
        """See `engine.families.anima.keys`."""
        return keys.lora_names(config)

    def activation_bytes(self, config: AnimaConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """The tensors of one block: tokens of the width, and of a feed-forward beside."""
        rows, columns = patch_grid(shape[-2], shape[-1])
        tokens = shape[0] * (rows * columns * shape[2] + USUAL_TOKENS)
        return tokens * (14 * config.channels + 3 * config.inner) * dtype_bytes
