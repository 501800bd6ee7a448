"""Text encoders and tokenizers of Stable Diffusion 1."""

from engine.compat.parts.embeddings import expand_directory_list, load_embed
from engine.compat.parts.prompt_text import (
    escape_important,
    gen_empty_tokens,
    parse_parentheses,
    token_weights,
    unescape_important,
)
from engine.compat.parts.text_models import (
    ClipTokenWeightEncoder,
    SD1CheckpointClipModel,
    SD1ClipModel,
    SDClipModel,
)
from engine.compat.parts.tokenizers import SD1Tokenizer, SDTokenizer
