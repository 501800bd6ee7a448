"""The text encoders of FLUX."""

from engine.compat.parts.flow_text_models import FluxClipModel
