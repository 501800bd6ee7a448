"""Nodes for hooks: changes of weights that conditioning entries carry, scheduled by time."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any

from engine.files import file_identity
from engine.inference.adapters import adapter_file
from engine.inference.hook_groups import AdapterChanges, ModelChanges, with_keyframes
from engine.inference.load import load_checkpoint
from engine.inference.values import ClipHooks, Hook, Keyframe
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, FileChoice, Options, Range, Socket
from nodes.lora import LoraName
from nodes.sockets import Clip, HookKeyframes, Hooks

Strength = Annotated[float, Range(-20.0, 20.0, step=0.01)]
Time = Annotated[float, Range(0.0, 1.0, step=0.001)]
Positive = Annotated[float, Range(0.0, 10.0, step=0.001)]
CheckpointName = Annotated[str, FileChoice("checkpoints")]
Floats = Annotated[Any, Socket("FLOATS"), Options(default=-1, min=-1, step=0.001, forceInput=True)]
CATEGORY = "advanced/hooks"
EASING: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "linear": lambda x: x,
        "ease_in": lambda x: x * x,
        "ease_out": lambda x: 1.0 - (1.0 - x) ** 2,
        "ease_in_out": lambda x: (1.0 - math.cos(math.pi * x)) / 2.0,
    }
)


@node(
    "CreateHookLora", category=f"{CATEGORY}/create", display="Create Hook LoRA", experimental=True
)
def create_hook_lora(
    lora_name: LoraName,
    ctx: Context,
    strength_model: Strength = 1.0,
    strength_clip: Strength = 1.0,
    prev_hooks: Hooks | None = None,
) -> Hooks:
    """A LoRA for some entries only: attach it to a conditioning or a text encoder."""
    if strength_model == 0 and strength_clip == 0:
        return prev_hooks or ()
    adapter = adapter_file(ctx.files.find("loras", lora_name))
    return (*(prev_hooks or ()), Hook(AdapterChanges(adapter), strength_model, strength_clip))


@create_hook_lora.fingerprint
def _(lora_name: str | None, ctx: Context) -> object:
    return lora_name and file_identity(ctx.files.find("loras", lora_name))


@node(
    "CreateHookLoraModelOnly",
    category=f"{CATEGORY}/create",
    display="Create Hook LoRA (MO)",
    experimental=True,
)
def create_hook_lora_for_model(
    lora_name: LoraName,
    ctx: Context,
    strength_model: Strength = 1.0,
    prev_hooks: Hooks | None = None,
) -> Hooks:
    """A LoRA for some entries only, applied to the model and not to the text encoder."""
    return create_hook_lora(lora_name, ctx, strength_model, 0.0, prev_hooks)


@create_hook_lora_for_model.fingerprint
def _(lora_name: str | None, ctx: Context) -> object:
    return lora_name and file_identity(ctx.files.find("loras", lora_name))


@node(
    "CreateHookModelAsLora",
    category=f"{CATEGORY}/create",
    display="Create Hook Model as LoRA",
    experimental=True,
)
def create_hook_model(
    ckpt_name: CheckpointName,
    ctx: Context,
    strength_model: Strength = 1.0,
    strength_clip: Strength = 1.0,
    prev_hooks: Hooks | None = None,
) -> Hooks:
    """Use a whole checkpoint like a LoRA: at strength 1 its entries use that model."""
    model, clip, _ = load_checkpoint(ctx.files.find("checkpoints", ckpt_name))
    changes = ModelChanges(model.net, clip.parts)
    return (*(prev_hooks or ()), Hook(changes, strength_model, strength_clip))


@create_hook_model.fingerprint
def _(ckpt_name: str | None, ctx: Context) -> object:
    return ckpt_name and file_identity(ctx.files.find("checkpoints", ckpt_name))


@node(
    "CreateHookModelAsLoraModelOnly",
    category=f"{CATEGORY}/create",
    display="Create Hook Model as LoRA (MO)",
    experimental=True,
)
def create_hook_model_only(
    ckpt_name: CheckpointName,
    ctx: Context,
    strength_model: Strength = 1.0,
    prev_hooks: Hooks | None = None,
) -> Hooks:
    """Use a checkpoint's diffusion model like a LoRA; the text encoder is unchanged."""
    return create_hook_model(ckpt_name, ctx, strength_model, 0.0, prev_hooks)


@create_hook_model_only.fingerprint
def _(ckpt_name: str | None, ctx: Context) -> object:
    return ckpt_name and file_identity(ctx.files.find("checkpoints", ckpt_name))


@node(
    "CreateHookKeyframe",
    category=f"{CATEGORY}/scheduling",
    display="Create Hook Keyframe",
    output_names=("HOOK_KF",),
    experimental=True,
)
def create_keyframe(
    strength_mult: Strength = 1.0,
    start_percent: Time = 0.0,
    prev_hook_kf: HookKeyframes | None = None,
) -> HookKeyframes:
    """Multiply a hook's strength by a factor from this part of sampling on."""
    return in_order(prev_hook_kf or (), [Keyframe(strength_mult, start_percent, 1)])


@node(
    "CreateHookKeyframesInterpolated",
    category=f"{CATEGORY}/scheduling",
    display="Create Hook Keyframes Interp.",
    output_names=("HOOK_KF",),
    experimental=True,
)
def create_keyframes_between(
    *,
    strength_start: Positive = 1.0,
    strength_end: Positive = 1.0,
    interpolation: Annotated[str, Choice(*EASING)],
    start_percent: Time = 0.0,
    end_percent: Time = 1.0,
    keyframes_count: Annotated[int, Range(2, 100, step=1)] = 5,
    print_keyframes: bool = False,
    prev_hook_kf: HookKeyframes | None = None,
) -> HookKeyframes:
    """Keyframes that interpolate between two strengths."""
    ease, last = EASING[interpolation], keyframes_count - 1
    strengths = [
        strength_start + (strength_end - strength_start) * ease(i / last)
        for i in range(keyframes_count)
    ]
    return spread(strengths, (start_percent, end_percent), prev_hook_kf or (), log=print_keyframes)


@node(
    "CreateHookKeyframesFromFloats",
    category=f"{CATEGORY}/scheduling",
    display="Create Hook Keyframes From Floats",
    output_names=("HOOK_KF",),
    experimental=True,
)
def create_keyframes_from_floats(
    floats_strength: Floats,
    start_percent: Time = 0.0,
    end_percent: Time = 1.0,
    print_keyframes: bool = False,
    prev_hook_kf: HookKeyframes | None = None,
) -> HookKeyframes:
    """Keyframes with these strengths, evenly spaced."""
    several = isinstance(floats_strength, list | tuple)
    strengths = [float(each) for each in (floats_strength if several else [floats_strength])]
    return spread(strengths, (start_percent, end_percent), prev_hook_kf or (), log=print_keyframes)


@node(
    "SetHookKeyframes",
    category=f"{CATEGORY}/scheduling",
    display="Set Hook Keyframes",
    experimental=True,
)
def set_keyframes(hooks: Hooks, hook_kf: HookKeyframes | None = None) -> Hooks:
    """Schedule hooks by keyframes."""
    return with_keyframes(hooks, hook_kf) if hook_kf is not None else hooks


@node(
    "CombineHooks2", category=f"{CATEGORY}/combine", display="Combine Hooks [2]", experimental=True
)
def combine_2(hooks_A: Hooks | None = None, hooks_B: Hooks | None = None) -> Hooks:  # noqa: N803
    """Combine two groups of hooks, applied in order."""
    return (*(hooks_A or ()), *(hooks_B or ()))


@node(
    "CombineHooks4", category=f"{CATEGORY}/combine", display="Combine Hooks [4]", experimental=True
)
def combine_4(
    hooks_A: Hooks | None = None,  # noqa: N803 - the incumbent's names of the inputs
    hooks_B: Hooks | None = None,  # noqa: N803
    hooks_C: Hooks | None = None,  # noqa: N803
    hooks_D: Hooks | None = None,  # noqa: N803
) -> Hooks:
    """Combine up to four groups of hooks, applied in order."""
    return (*combine_2(hooks_A, hooks_B), *combine_2(hooks_C, hooks_D))


@node(
    "CombineHooks8", category=f"{CATEGORY}/combine", display="Combine Hooks [8]", experimental=True
)
def combine_8(
    hooks_A: Hooks | None = None,  # noqa: N803 - the incumbent's names of the inputs
    hooks_B: Hooks | None = None,  # noqa: N803
    hooks_C: Hooks | None = None,  # noqa: N803
    hooks_D: Hooks | None = None,  # noqa: N803
    hooks_E: Hooks | None = None,  # noqa: N803
    hooks_F: Hooks | None = None,  # noqa: N803
    hooks_G: Hooks | None = None,  # noqa: N803
    hooks_H: Hooks | None = None,  # noqa: N803
) -> Hooks:
    """Combine up to eight groups of hooks, applied in order."""
    first = combine_4(hooks_A, hooks_B, hooks_C, hooks_D)
    return (*first, *combine_4(hooks_E, hooks_F, hooks_G, hooks_H))


@node("SetClipHooks", category=f"{CATEGORY}/clip", display="Set CLIP Hooks", experimental=True)
def set_clip_hooks(
    clip: Clip,
    apply_to_conds: bool = True,
    schedule_clip: bool = False,
    hooks: Hooks | None = None,
) -> Clip:
    """Encode prompts with hooks; `apply_to_conds` also passes them to the sampler.

    `schedule_clip` encodes a prompt once for every keyframe.
    """
    return replace(clip, hooks=ClipHooks(hooks or (), apply_to_conds, schedule_clip))


def spread(
    strengths: Sequence[float], span: tuple[float, float], before: HookKeyframes, *, log: bool
) -> HookKeyframes:
    """Keyframes of these strengths over a span of time, after others.

    The first holds for one step at least.
    """
    start, end = span
    last = max(len(strengths) - 1, 1)
    made = [
        Keyframe(strength, start + (end - start) * i / last, 0 if i else 1)
        for i, strength in enumerate(strengths)
    ]
    if log:
        for each in made:
            logging.getLogger(__name__).info(
                "hook keyframe: from %.3f on times %.3f", each.start, each.strength
            )
    return in_order(before, made)


def in_order(before: HookKeyframes, more: Sequence[Keyframe]) -> HookKeyframes:
    """All of them by their starts."""
    return tuple(sorted((*before, *more), key=lambda each: each.start))
