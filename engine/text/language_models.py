"""The language models that serve as text encoders, and how their files are recognised."""

from __future__ import annotations

from engine.text.chat import GEMMA, LLAMA3, MISTRAL, QWEN3VL, QWEN25
from engine.text.decoder import LanguageEncoder
from engine.text.decoder_keys import Traits
from engine.text.decoder_network import Rotary
from engine.text.qwen3_vision import Qwen3Vision
from engine.text.qwen25_vision import Qwen25Vision
from engine.text.yarn import Llama31Stretch, Yarn
from engine.tokenizer_sources import SOURCES

MISTRAL_PAD, MISTRAL_START = 11, 1
MISTRAL_WIDTH, MINISTRAL_WIDTH = 5120, 3072
LLAMA_VOCABULARY = range(128_256, 131_072)
"""From the tokens of Llama 3, some more for pictures, to those of Mistral's Tekken."""
LLAMA_PAD, LLAMA_START = 128_258, 128_000
LLAMA31_VOCABULARY, END_OF_TURN = 128_256, 128_009
"""Those of LLaVA have more tokens; HiDream-I1 fills prompts with the end of a turn."""


def _qwen3_06b(traits: Traits) -> bool:
    return _qwen3(traits) and traits.width == 1024


def _qwen3_8b(traits: Traits) -> bool:
    return _qwen3(traits) and traits.width == 4096


def _qwen3(traits: Traits) -> bool:
    return traits.normed_heads and not traits.norms_after and not traits.sees


def _other_qwen3(traits: Traits) -> bool:
    return _qwen3(traits) and traits.width not in (1024, 4096)


def _qwen3vl(traits: Traits) -> bool:
    return traits.normed_heads and not traits.norms_after and traits.sees


def _qwen3vl_8b(traits: Traits) -> bool:
    return _qwen3vl(traits) and (traits.width == 4096 or traits.tower == 1152)


def _other_qwen3vl(traits: Traits) -> bool:
    return _qwen3vl(traits) and not _qwen3vl_8b(traits)


def _qwen25(traits: Traits) -> bool:
    return traits.key_bias > 0 and not traits.norms_after


def _mistral(traits: Traits) -> bool:
    plain = not (traits.key_bias or traits.normed_heads or traits.norms_after)
    is_small = traits.width == MINISTRAL_WIDTH
    return plain and not is_small and (traits.tekken or traits.width == MISTRAL_WIDTH)


def _ministral(traits: Traits) -> bool:
    plain = not (traits.key_bias or traits.normed_heads or traits.norms_after)
    return plain and traits.width == MINISTRAL_WIDTH


def _llama(traits: Traits) -> bool:
    plain = not (traits.key_bias or traits.normed_heads or traits.norms_after)
    is_mistral = _mistral(traits) or _ministral(traits)
    return plain and not is_mistral and traits.vocabulary in LLAMA_VOCABULARY


def _llama31(traits: Traits) -> bool:
    return _llama(traits) and traits.vocabulary == LLAMA31_VOCABULARY


def _gemma2(traits: Traits) -> bool:
    return traits.norms_after and not traits.normed_heads


QWEN_FILE = "tokenizer.json of the model (huggingface.co/Qwen)"
QWEN3_06B = LanguageEncoder(
    "qwen3_06b", "Qwen3 0.6B", _qwen3_06b, Rotary(), 1e-6, "qwen3", QWEN_FILE
)
QWEN3_8B = LanguageEncoder("qwen3_8b", "Qwen3 8B", _qwen3_8b, Rotary(), 1e-6, "qwen3", QWEN_FILE)
QWEN3_4B = LanguageEncoder("qwen3_4b", "Qwen3 4B", _other_qwen3, Rotary(), 1e-6, "qwen3", QWEN_FILE)
_QWEN3VL_ROTARY = Rotary(theta=5_000_000.0, sections=(24, 20, 20), interleaved=True)
QWEN3VL_8B = LanguageEncoder(
    "qwen3vl_8b",
    "Qwen3-VL 8B",
    _qwen3vl_8b,
    _QWEN3VL_ROTARY,
    1e-6,
    "qwen3",
    QWEN_FILE,
    vision=Qwen3Vision(),
)
QWEN3VL_4B = LanguageEncoder(
    "qwen3vl_4b",
    "Qwen3-VL 4B",
    _other_qwen3vl,
    _QWEN3VL_ROTARY,
    1e-6,
    "qwen3",
    QWEN_FILE,
    vision=Qwen3Vision(),
    chat=QWEN3VL,
)
QWEN25_7B = LanguageEncoder(
    "qwen25_7b",
    "Qwen2.5-VL 7B",
    _qwen25,
    Rotary(sections=(16, 24, 24)),
    1e-6,
    "qwen2",
    QWEN_FILE,
    vision=Qwen25Vision(),
    chat=QWEN25,
)
MISTRAL3_24B = LanguageEncoder(
    "mistral3_24b",
    "Mistral Small 3.2 24B",
    _mistral,
    Rotary(theta=1e9),
    1e-5,
    None,
    SOURCES["mistral3_24b"].wanted,
    pad=MISTRAL_PAD,
    chat=MISTRAL,
    tied_width=0,
    start=MISTRAL_START,
)
MINISTRAL3_3B = LanguageEncoder(
    "ministral3_3b",
    "Ministral 3 3B",
    _ministral,
    # Queries beyond the length of training are also scaled up; prompts are shorter.
    Rotary(yarn=Yarn(16.0, 16_384)),
    1e-5,
    None,
    SOURCES["ministral3_3b"].wanted,
    pad=MISTRAL_PAD,
    start=MISTRAL_START,
)
GEMMA2_2B = LanguageEncoder(
    "gemma2_2b",
    "Gemma 2 2B",
    _gemma2,
    Rotary(theta=10_000.0),
    1e-6,
    None,
    SOURCES["gemma2_2b"].wanted,
    pad=0,
    start=2,
    head_channels=256,
    chat=GEMMA,
    tied_width=1_000_000,
)
LLAMA3_8B = LanguageEncoder(
    "llama3_8b",
    "Llama 3 8B",
    _llama,
    Rotary(theta=500_000.0),
    1e-5,
    None,
    SOURCES["llama3_8b"].wanted,
    # of the tokenizer of LLaVA, whose language model HunyuanVideo takes
    pad=LLAMA_PAD,
    chat=LLAMA3,
    tied_width=0,
    start=LLAMA_START,
)
LLAMA31_8B = LanguageEncoder(
    "llama31_8b",
    "Llama 3.1 8B",
    _llama31,
    Rotary(theta=500_000.0, yarn=Llama31Stretch(8.0, 8192)),
    1e-5,
    None,
    SOURCES["llama31_8b"].wanted,
    pad=END_OF_TURN,
    pads_with_a_word=True,
    chat=LLAMA3,
    tied_width=0,
    start=LLAMA_START,
)
