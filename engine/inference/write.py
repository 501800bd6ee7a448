"""Language models among the text encoders write texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch

from engine.errors import NodeError
from engine.families.family import Checkpoint
from engine.inference.values import Clip, TextPart
from engine.residency.manager import current
from engine.text.decoder import LanguageEncoder, LanguageSetup
from engine.text.encoder import TextStyle
from engine.text.generation import Choosing, generate
from engine.text.tokens import Picture

LIKELIEST = Choosing()
THINKING = "<think>"
THOUGHT = "</think>"


@dataclass(frozen=True, slots=True)
class Request:
    """What a text is asked for with.

    Attributes:
        prompt: the user's.
        pictures: in front of it.
        system: the system prompt; empty for the model's own.
        dressed: whether the prompt is written into the turns that the model was trained with.
        thinks: whether a model that can may think first.
        choosing: how tokens are chosen.
        most: tokens that are written.
    """

    prompt: str
    pictures: Sequence[Picture] = ()
    system: str = ""
    dressed: bool = True
    thinks: bool = False
    choosing: Choosing = LIKELIEST
    most: int = 512


class Written(NamedTuple):
    """A text, and what was thought before it."""

    text: str
    thinking: str


def write(
    clip: Clip,
    request: Request,
    *,
    checkpoint: Checkpoint = lambda: None,
    on_token: Callable[[int], None] = lambda _: None,
) -> Written:
    """Let the first language model of a CLIP write.

    Raises:
        NodeError: there is none, or its file lacks what writing needs.
    """
    part, encoder = _writer(clip)
    setup = cast("LanguageSetup", part.config)
    prompt = request.prompt
    chat = encoder.chat
    if request.pictures and not (encoder.takes_pictures and chat.picture):
        raise NodeError(
            f"{encoder.title} looks at no pictures; leave image and video empty, or load a model "
            "that does, such as Qwen3-VL or Qwen2.5-VL"
        )
    if request.dressed:
        prompt = chat.written(
            prompt, system=request.system, pictures=len(request.pictures), thinks=request.thinks
        )
    else:
        prompt = chat.picture * len(request.pictures) + prompt
    style = TextStyle(weighted=False)
    tokens = encoder.tokenize(setup, prompt, None, style=style, pictures=request.pictures)
    residency = current()
    itemsize = residency.dtype_of(part.weights).itemsize
    sizes = setup.sizes
    kept = 2 * sizes.layers * sizes.key_heads * sizes.head_channels * itemsize
    room = encoder.activation_bytes(setup, tokens, itemsize)
    room += kept * (len(tokens[0]) + request.most)
    weights = [part.weights] if part.head is None else [part.weights, part.head]
    with ExitStack() as stack:
        stack.enter_context(residency.use(*weights, room_for=room, checkpoint=checkpoint))
        stack.enter_context(torch.no_grad())
        stack.enter_context(residency.device)
        numbers = generate(
            part.weights.module,
            tokens,
            request.choosing,
            head=None if part.head is None else part.head.module,
            ends=chat.ends,
            most=request.most,
            checkpoint=checkpoint,
            on_token=on_token,
        )
    return divided(setup.tokenizer.get().text(numbers), began=prompt.rstrip().endswith(THINKING))


def divided(text: str, *, began: bool) -> Written:
    """A text without what was thought before it.

    Args:
        text: as the model wrote it.
        began: whether the prompt itself began the thinking.
    """
    opened = text.lstrip().startswith(THINKING)
    if not (began or opened):
        return Written(text.strip(), "")
    thinking, closed, rest = text.lstrip().removeprefix(THINKING).partition(THOUGHT)
    return Written(rest.strip() if closed else "", thinking.strip())


def _writer(clip: Clip) -> tuple[TextPart, LanguageEncoder]:
    for part in clip.parts.values():
        encoder = part.encoder
        if not isinstance(encoder, LanguageEncoder) or part.weights.is_missing:
            continue
        width = cast("LanguageSetup", part.config).sizes.channels
        if part.head is None and width > encoder.tied_width:
            raise NodeError(
                f"the file of {encoder.title} has no output layer (lm_head.weight), so it can "
                "encode prompts but write no text; use a file of the whole model"
            )
        return part, encoder
    titles = ", ".join(part.encoder.title for part in clip.parts.values()) or "none"
    raise NodeError(
        f"no text encoder here can write: {titles}; load a language model with CLIPLoader, such "
        "as Qwen3, Qwen3-VL, Qwen2.5-VL, Mistral or Gemma 2"
    )
