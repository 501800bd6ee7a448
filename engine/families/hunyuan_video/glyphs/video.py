"""HunyuanVideo 1.5 (Tencent 2025, 8.3 billion): videos of text, and of a first picture.

Every released network takes the picture's latent beside the noisy one, and what SigLIP sees in it;
without a picture both are left empty, which is text to video. Behaviour: diffusers 0.42
(Apache-2.0), pipeline_hunyuan_video1_5_image2video.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.errors import NodeError
from engine.families.family import Checkpoint, Entry, Run, TextPlan
from engine.families.hunyuan_video.frames_beside import frames_beside
from engine.families.hunyuan_video.glyphs import text
from engine.families.hunyuan_video.glyphs.family import HunyuanGlyphsFamily
from engine.families.hunyuan_video.glyphs.network import HunyuanGlyphsConfig
from engine.families.latent_format import LatentFormat
from engine.nets.hooks import NetHooks, Residuals
from engine.text.encoder import TextStyle

LATENT = LatentFormat(32, (4, 16, 16), scale=1.03682, causal_frames=True)
SHIFT = 7.0
SEEN = "clip_vision_output"
TYPE = "hunyuan_video_15"
NAME = "HunyuanVideo 1.5"


class HunyuanVideo15Family(HunyuanGlyphsFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = NAME
    examples = (
        "HunyuanVideo 1.5, 480p and 720p, text to video and image to video, distilled too "
        "(huggingface.co/tencent/HunyuanVideo-1.5)"
    )
    kind = "video"
    beside = frozenset({LATENT.channels + 1})
    latent_format = LATENT
    text = TextPlan(
        {
            text.TEXT: TextStyle(
                layer=text.LAYER,
                normalised=False,
                template=text.VIDEO_TEMPLATE,
                left_out=text.VIDEO_LEFT_OUT,
                weighted=False,
                if_empty=" ",
            ),
            text.GLYPH_ENCODER: TextStyle(weighted=False, quoted=text.VIDEO_QUOTATIONS),
        },
        text.combined(NAME, TYPE),
        optional=frozenset({text.GLYPH_ENCODER}),
        file_types=frozenset({TYPE}),
        places=text.PLACES,
    )

    def parameterization(self, config: HunyuanGlyphsConfig) -> Parameterization:
        """A flow of time 0..1000 with one shift."""
        del config
        return flow(SHIFT)

    def inputs(
        self, config: HunyuanGlyphsConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The words, a given picture, and what is seen in it.

        Raises `NodeError` if the conditioning is for another model.
        """
        del role
        inputs = self.words(config, entry, model=NAME, kind=TYPE)
        given = frames_beside(
            entry, run, LATENT, with_mask=True, advice="encode it with HunyuanVideo 1.5's VAE"
        )
        inputs["beside"] = Input(given, Join.CROP_TO_AREA)
        seen = _seen(entry.extras.get(SEEN), config.seen_channels)
        if seen is not None:
            inputs["seen"] = Input(seen)
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
        return super().predict(
            net,
            torch.cat((x, inputs["beside"]), dim=1),
            timestep,
            inputs,
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )


def _seen(output: Any, width: int) -> Tensor | None:
    """What an image encoder sees [1, T, width]; None without a picture.

    Raises:
        NodeError: it is that of another encoder.
    """
    if output is None:
        return None
    found: Tensor = output.last_hidden_state.float().cpu()
    if found.shape[-1] != width:
        raise NodeError(
            f"the image encoder's states have {found.shape[-1]} numbers, HunyuanVideo 1.5 takes "
            f"{width}: load sigclip_vision_patch14_384.safetensors with Load CLIP Vision"
        )
    return found[:1]
