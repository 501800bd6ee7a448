"""Adapters of text encoders: a tensor is rounded once, to its file's dtype, unless all are CLIP."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from engine.adapters.match import Match, match
from engine.adapters.names import Target
from engine.adapters.read import adapter_of
from engine.inference.adapters import patched_clip
from engine.inference.values import Clip, TextPart
from engine.residency.handles import LazyWeights
from engine.text.table import ENCODERS
from engine.weights.state_dict import Entry, StateDict


def clip_of(dtype: torch.dtype) -> tuple[Clip, Tensor]:
    weight = torch.linspace(-1, 1, 12).reshape(3, 4).to(dtype)
    entry = Entry((3, 4), dtype, lambda: weight)
    handle = LazyWeights("text", 0, nn.Module, sources={"a.weight": entry})
    part = TextPart(ENCODERS["clip_l"], None, handle)
    other = TextPart(ENCODERS["t5xxl"], None, handle)
    return Clip(None, {"clip_l": part, "t5xxl": other}), weight  # pyright: ignore[reportArgumentType]


def lora(seed: int) -> Match:
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        "lora_te_a.lora_up.weight": torch.randn(3, 2, generator=generator) * 0.01,
        "lora_te_a.lora_down.weight": torch.randn(2, 4, generator=generator) * 0.01,
    }
    target = Target.of({"a.weight": (3, 4)}, {})
    return match(adapter_of(StateDict.of(tensors), seed), {"clip_l": target})


def changed(clip: Clip, weight: Tensor) -> Tensor:
    result = weight.float()
    for patch in clip.parts["clip_l"].weights.patches["a.weight"]:
        result = patch.apply(result)
    return result


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_changed_tensor_is_rounded_once(dtype):
    clip, weight = clip_of(dtype)
    one, two = lora(1), lora(2)
    exact = weight.float()
    for each in (one, two):
        for patch in each.patches("clip_l", 0.7)["a.weight"]:
            exact = patch.apply(exact)
    stacked = patched_clip(patched_clip(clip, one, 0.7), two, 0.7)
    assert torch.equal(changed(stacked, weight), exact.to(dtype).float())
    again = patched_clip(patched_clip(clip, one, 0.7), two, 0.7)
    patches = [each.parts["clip_l"].weights.patches for each in (stacked, again)]
    assert patches[0] == patches[1]
    assert len(patches[0]["a.weight"]) == (2 if dtype == torch.float32 else 3)
    assert clip.parts["clip_l"].weights.patches == {}


def test_clip_alone_is_not_rounded():
    whole, _ = clip_of(torch.float16)
    clip = replace(whole, parts={"clip_l": whole.parts["clip_l"]})
    stacked = patched_clip(patched_clip(clip, lora(1), 0.7), lora(2), 0.7)
    assert len(stacked.parts["clip_l"].weights.patches["a.weight"]) == 2
