"""Nodes for hooks and for conditioning with several properties."""

from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.inference.encode import encode
from engine.inference.values import Hook, Keyframe
from engine.nodekit.context import RunningContext
from nodes import conditioning_properties as properties
from nodes import hooks

ENTRY = [[torch.zeros(1, 1, 4), {"pooled_output": 1}]]


@dataclass(frozen=True)
class Add:
    amount: float

    def apply(self, weight: Tensor) -> Tensor:
        return weight + self.amount


@dataclass(frozen=True)
class AddsStrength:
    def of_model(self, model, strength):
        return {}

    def of_clip(self, clip, strength):
        return {"clip_l": {"encoder.layers.0.mlp.fc1.weight": (Add(strength),)}}


def hook(strength: float = 0.5) -> Hook:
    return Hook(AddsStrength(), strength, strength)


@pytest.fixture
def ctx(files):
    folder = files.folders("loras")[0]
    folder.mkdir(parents=True)
    pair = {"unet.x.lora_A.weight": torch.ones(1, 4), "unet.x.lora_B.weight": torch.ones(4, 1)}
    save_file(pair, folder / "a.safetensors")
    return RunningContext("1", files)


def test_loras_become_hooks_that_are_equal_where_they_do_the_same(ctx):
    one = hooks.create_hook_lora("a.safetensors", ctx, 0.5, 0.25)
    again = hooks.create_hook_lora("a.safetensors", ctx, 0.5, 0.25)
    assert one == again
    assert one != hooks.create_hook_lora("a.safetensors", ctx, 0.5, 0.0)
    model_only = hooks.create_hook_lora_for_model("a.safetensors", ctx, 0.5, one)
    assert [(each.strength_model, each.strength_clip) for each in model_only] == [
        (0.5, 0.25),
        (0.5, 0.0),
    ]
    assert hooks.create_hook_lora("missing.safetensors", ctx, 0.0, 0.0, one) == one


@pytest.mark.parametrize(
    ("easing", "expected"),
    [
        ("linear", [0.0, 0.5, 1.0]),
        ("ease_in", [0.0, 0.25, 1.0]),
        ("ease_out", [0.0, 0.75, 1.0]),
        ("ease_in_out", [0.0, 0.5, 1.0]),
    ],
)
def test_keyframes_between_two_strengths(easing, expected):
    found = hooks.create_keyframes_between(
        strength_start=0.0,
        strength_end=1.0,
        interpolation=easing,
        start_percent=0.2,
        end_percent=0.6,
        keyframes_count=3,
    )
    assert [each.strength for each in found] == pytest.approx(expected)
    assert [each.start for each in found] == pytest.approx([0.2, 0.4, 0.6])
    assert [each.steps for each in found] == [1, 0, 0]


def test_keyframes_stand_in_the_order_of_their_starts():
    late = hooks.create_keyframe(0.3, 0.8)
    both = hooks.create_keyframe(0.1, 0.2, late)
    assert both == (Keyframe(0.1, 0.2), Keyframe(0.3, 0.8))
    floats = hooks.create_keyframes_from_floats([0.5, 0.6], 0.0, 1.0, prev_hook_kf=both)
    assert [each.strength for each in floats] == [0.5, 0.1, 0.3, 0.6]
    assert hooks.create_keyframes_from_floats(0.7) == (Keyframe(0.7, 0.0),)
    assert hooks.set_keyframes((hook(),), both)[0].keyframes == both
    assert hooks.set_keyframes((hook(),)) == (hook(),)


def test_hooks_are_combined_in_their_order():
    one, two, three = (hook(each) for each in (0.1, 0.2, 0.3))
    assert hooks.combine_2((one,), None) == (one,)
    assert hooks.combine_4((one,), None, (two, three)) == (one, two, three)
    assert hooks.combine_8(hooks_H=(three,), hooks_A=(one,)) == (one, three)


@pytest.mark.parametrize("to_entries", [True, False])
def test_prompts_are_read_with_hooks(tiny_clip, to_entries):
    changed = hooks.set_clip_hooks(tiny_clip, to_entries, hooks=(hook(),))
    [[plain, _]], [[found, extras]] = (
        encode(each, "a cat", lambda *_: None) for each in (tiny_clip, changed)
    )
    assert not torch.allclose(plain, found)
    assert extras.get("hooks") == ((hook(),) if to_entries else None)
    [[again, _]] = encode(tiny_clip, "a cat", lambda *_: None)
    assert torch.equal(plain, again)


def test_a_prompt_is_read_for_every_keyframe(tiny_clip):
    frames = (Keyframe(0.0, 0.0), Keyframe(1.0, 0.5))
    group = hooks.set_keyframes((hook(),), frames)
    changed = hooks.set_clip_hooks(tiny_clip, schedule_clip=True, hooks=group)
    first, second = encode(changed, "a cat", lambda *_: None)
    [[plain, _]] = encode(tiny_clip, "a cat", lambda *_: None)
    assert torch.equal(first[0], plain)
    assert not torch.allclose(second[0], plain)
    assert (first[1]["clip_end_percent"], second[1]["clip_start_percent"]) == (0.5, 0.5)


def test_properties_are_set_where_they_are_given():
    [[_, none]] = properties.set_properties(cond_NEW=ENTRY, strength=0.5, set_cond_area="default")
    assert none == ENTRY[0][1]
    [[_, all_of_them]] = properties.set_properties(
        cond_NEW=ENTRY,
        strength=0.5,
        set_cond_area="mask bounds",
        mask=torch.ones(8, 8),
        hooks=(hook(),),
        timesteps=(0.1, 0.6),
    )
    assert all_of_them["mask"].shape == (1, 8, 8)
    assert (all_of_them["mask_strength"], all_of_them["set_area_to_bounds"]) == (0.5, True)
    assert (all_of_them["start_percent"], all_of_them["end_percent"]) == (0.1, 0.6)
    assert all_of_them["hooks"] == (hook(),)
    assert "hooks" not in ENTRY[0][1]


def test_hooks_follow_those_that_an_entry_has():
    once = properties.with_hooks(ENTRY, (hook(0.1),))
    [[_, extras]] = properties.with_hooks(once, (hook(0.2),))
    assert extras["hooks"] == (hook(0.1), hook(0.2))


def test_pairs_and_what_rules_the_rest():
    pair = properties.set_properties_of_pair_and_combine(
        positive=ENTRY,
        negative=[],
        positive_NEW=ENTRY,
        negative_NEW=ENTRY,
        set_cond_area="default",
    )
    assert (len(pair.positive), len(pair.negative)) == (2, 1)
    rest = properties.set_default_of_pair(*pair, ENTRY, ENTRY, (hook(),))
    assert [entry[1].get("default") for entry in rest.positive] == [None, None, True]
    assert rest.negative[-1][1]["hooks"] == (hook(),)
    both = properties.combine_pairs(*pair, *rest)
    assert (len(both.positive), len(both.negative)) == (5, 3)
    assert properties.timesteps_range(0.2, 0.7) == ((0.2, 0.7), (0.0, 0.2), (0.7, 1.0))
