"""Text encoders and tokenizers of Stable Diffusion 2."""

from engine.compat.parts.text_models import SD2ClipHModel, SD2ClipModel
from engine.compat.parts.tokenizers import SD2ClipHTokenizer, SD2Tokenizer
