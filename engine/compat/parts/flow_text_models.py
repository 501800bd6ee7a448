# pyright: basic
"""The text encoders of flow models, as classes that plugins test for."""

from __future__ import annotations

from engine.compat.parts.text_models import TextModel


class FluxClipModel(TextModel):
    """CLIP L and T5-XXL, of FLUX.1."""


class SD3ClipModel(TextModel):
    """CLIP L, CLIP G and T5-XXL, of Stable Diffusion 3."""
