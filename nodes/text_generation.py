"""Texts written by language models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from engine.errors import NodeError
from engine.inference.write import Request, write
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import (
    Choice,
    DynamicCombo,
    InOptionalSection,
    Options,
    Range,
    Socket,
    Text,
)
from engine.text.generation import Choosing
from engine.text.tokens import Picture
from nodes.sockets import Audio, Clip, Image

MOST_SEED = 2**64 - 1
FRAMES_A_SECOND = 24
"""Of a video, of which one frame a second is looked at."""
MTP = ("auto", "off", "2", "3", "4", "5", "tree2s1", "tree2s2", "tree3s1", "tree4s1m8")
Prompt = Annotated[str, Text(multiline=True, dynamic_prompts=True)]


class Sampled(NamedTuple):
    """The inputs of random choice."""

    temperature: Annotated[float, Range(0.01, 2.0, step=0.01)] = 0.7
    top_k: Annotated[int, Range(0, 1000)] = 64
    top_p: Annotated[float, Range(0.0, 1.0, step=0.01)] = 0.95
    min_p: Annotated[float, Range(0.0, 1.0, step=0.01)] = 0.05
    repetition_penalty: Annotated[float, Range(0.0, 5.0, step=0.01)] = 1.05
    seed: Annotated[int, Range(0, MOST_SEED)] = 0
    presence_penalty: Annotated[float, Range(0.0, 5.0, step=0.01), InOptionalSection()] = 0.0


class Likeliest(NamedTuple):
    """No random choice has no inputs."""


class Generated(NamedTuple):
    """A text, and what was thought before it."""

    generated_text: str
    thinking: str


@node("TextGenerate", category="textgen", display="Generate Text")
def text_generate(
    *,
    clip: Clip,
    image: Image | None = None,
    video: Image | None = None,
    audio: Audio | None = None,
    system_prompt: Annotated[str | None, Socket("STRING"), Options(forceInput=True)] = None,
    prompt: Prompt = "",
    max_length: Annotated[int, Range(1, 32768)] = 512,
    sampling_mode: Annotated[Mapping[str, Any], DynamicCombo({"on": Sampled, "off": Likeliest})],
    thinking: Annotated[bool, InOptionalSection()] = False,
    use_default_template: Annotated[bool, InOptionalSection(), Options(advanced=True)] = True,
    mtp: Annotated[  # noqa: ARG001 - of files with weights for it, which are not read here
        str,
        Choice(*MTP),
        InOptionalSection(),
        Options(advanced=True),
    ] = "auto",
    ctx: Context,
) -> Generated:
    """Let a language model answer a prompt, with pictures if it sees.

    Models: Qwen3, Qwen3-VL, Qwen2.5-VL, Mistral Small, Gemma 2. Of a video (24 frames a second) one
    frame a second is looked at. `mtp` has no effect: no file read here has the weights for it.
    """
    if audio is not None:
        raise NodeError("none of the language models here can hear; leave audio empty")
    frames = [*_pictures(image), *_pictures(None if video is None else video[::FRAMES_A_SECOND])]
    request = Request(
        prompt,
        pictures=frames,
        system=system_prompt or "",
        dressed=use_default_template,
        thinks=thinking,
        choosing=choosing_of(sampling_mode),
        most=max_length,
    )
    found = write(
        clip,
        request,
        checkpoint=ctx.checkpoint,
        on_token=lambda count: ctx.progress(count, max_length),
    )
    return Generated(found.text, found.thinking)


def choosing_of(mode: Mapping[str, Any]) -> Choosing:
    """The choice that the inputs of a sampling mode say."""
    if mode["sampling_mode"] == "off":
        return Choosing()
    given = {**Sampled()._asdict(), **mode}
    return Choosing(**{name: given[name] for name in Sampled._fields})


def _pictures(images: Any) -> list[Picture]:
    return [] if images is None else [Picture(each[None, ..., :3]) for each in images]
