"""Text encoders and tokenizers of Stable Diffusion XL."""

from engine.compat.parts.text_models import (
    SDXLClipG,
    SDXLClipModel,
    SDXLRefinerClipModel,
    StableCascadeClipG,
    StableCascadeClipModel,
)
from engine.compat.parts.tokenizers import SDXLClipGTokenizer, SDXLTokenizer
