"""The text encoders of Stable Diffusion 3."""

from engine.compat.parts.flow_text_models import SD3ClipModel
