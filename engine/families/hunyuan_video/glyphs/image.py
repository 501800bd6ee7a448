"""HunyuanImage 2.1 (Tencent 2025, 17 billion): pictures of about 2048 x 2048 pixels, distilled too.

The distilled model is told the strength of guidance and the time that a step leads to (MeanFlow,
Geng et al. 2025). Behaviour: diffusers 0.42 (Apache-2.0), pipeline_hunyuanimage.py; its guidance
with momentum is not copied: samplers guide as they do everywhere. The refiner, a second network
with an autoencoder of its own, does not run here.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.diffusion.conditioning import Input, Role, Step
from engine.diffusion.parameterization import Parameterization, flow
from engine.families.family import Entry, Run, TextPlan
from engine.families.hunyuan_video.glyphs import text
from engine.families.hunyuan_video.glyphs.family import HunyuanGlyphsFamily
from engine.families.hunyuan_video.glyphs.network import HunyuanGlyphsConfig
from engine.families.latent_format import LatentFormat
from engine.text.encoder import TextStyle

LATENT = LatentFormat(64, (32, 32), scale=0.75289)
SHIFT = 5.0
TIMES = 1000.0
GUIDANCE = 3.25
"""Told to the distilled model where the conditioning has none."""
TYPE = "hunyuan_image"
NAME = "HunyuanImage 2.1"


class HunyuanImage21Family(HunyuanGlyphsFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = NAME
    examples = "HunyuanImage 2.1 and its distilled model (huggingface.co/tencent/HunyuanImage-2.1)"
    kind = "picture"
    beside = frozenset({0})
    latent_format = LATENT
    text = TextPlan(
        {
            text.TEXT: TextStyle(
                layer=text.LAYER,
                normalised=False,
                template=text.PICTURE_TEMPLATE,
                left_out=text.PICTURE_LEFT_OUT,
                weighted=False,
            ),
            text.GLYPH_ENCODER: TextStyle(weighted=False, quoted=text.PICTURE_QUOTATIONS),
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
        """The words, the strength of guidance, and for the distilled model the next time.

        Raises `NodeError` if the conditioning is for another model.
        """
        del run, role
        inputs = self.words(config, entry, model=NAME, kind=TYPE)
        guidance = entry.extras.get("guidance", GUIDANCE)
        if config.blocks.guidance:
            strength = GUIDANCE if guidance is None else float(guidance)
            inputs["guidance"] = Input(torch.tensor([strength]))
        if config.flow_map:
            inputs["target"] = Input(torch.zeros(1), at=_next_time)
        return inputs


def _next_time(step: Step) -> Tensor:
    """[1]: the time that a step leads to; 0 where there is no run."""
    following = step.sigmas[step.index + 1 : step.index + 2]
    return following.float() * TIMES if len(following) else torch.zeros(1)
