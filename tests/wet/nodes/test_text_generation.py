"""Texts written by language models: files, turns, interrupts, errors."""

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import NodeError, Stopped, WeightsError
from engine.files import Files
from engine.inference.encode import encode
from engine.inference.load import load_clip
from engine.inference.write import divided
from engine.nodekit.context import RunningContext
from engine.residency.manager import DeviceResidency, installed
from nodes.text_generation import choosing_of, text_generate

OFF = {"sampling_mode": "off"}


@pytest.fixture
def qwen(tmp_path):
    """A file of a tiny Qwen3 with its whole vocabulary and an output layer."""
    return write_qwen(tmp_path / "qwen.safetensors", head=True)


def write_qwen(path, *, head, width=8):
    random = torch.Generator().manual_seed(7)

    def tensor(*shape):
        return torch.randn(*shape, generator=random) * 0.08 + (len(shape) == 1)

    state = {
        "model.embed_tokens.weight": tensor(151_936, width),
        "model.norm.weight": tensor(width),
    }
    for i in range(2):
        layer = f"model.layers.{i}."
        rows = {"q": 256, "k": 128, "v": 128}
        for name, size in rows.items():
            state[f"{layer}self_attn.{name}_proj.weight"] = tensor(size, width)
        state[f"{layer}self_attn.o_proj.weight"] = tensor(width, 256)
        for name in "qk":
            state[f"{layer}self_attn.{name}_norm.weight"] = tensor(128)
        for name in ("gate", "up"):
            state[f"{layer}mlp.{name}_proj.weight"] = tensor(96, width)
        state[f"{layer}mlp.down_proj.weight"] = tensor(width, 96)
        for name in ("input", "post_attention"):
            state[f"{layer}{name}_layernorm.weight"] = tensor(width)
    if head:
        state["lm_head.weight"] = tensor(151_936, width)
    save_file({name: each.to(torch.bfloat16) for name, each in state.items()}, path)
    return path


@pytest.fixture(autouse=True)
def residency():
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)):
        yield


@pytest.fixture
def ctx(files: Files):
    return RunningContext("1", files)


def asked(clip, ctx, **more):
    given = {"prompt": "a cat", "max_length": 6, "sampling_mode": OFF} | more
    return text_generate(clip=clip, ctx=ctx, **given)


def test_it_writes_with_any_type_and_steps_are_reported(qwen, files):
    steps = []
    ctx = RunningContext("1", files, on_progress=lambda _, step, steps_, __: steps.append(step))
    clip = load_clip([qwen], "ltxv")
    text, thinking = asked(clip, ctx)
    assert text
    assert thinking == ""
    assert steps == [1, 2, 3, 4, 5, 6]
    with pytest.raises(NodeError, match="can write, but encode no prompts: type ltxv"):
        encode(clip, "a cat", lambda *_: None)


def test_turns_seeds_and_penalties_change_the_text(qwen, ctx):
    clip = load_clip([qwen], "ltxv")
    first = asked(clip, ctx)
    assert asked(clip, ctx) == first
    assert asked(clip, ctx, use_default_template=False) != first
    assert asked(clip, ctx, system_prompt="You are a dog.") != first
    assert asked(clip, ctx, thinking=True) != first
    on = {"sampling_mode": "on", "temperature": 1.5, "top_p": 1.0, "min_p": 0.0, "seed": 1}
    drawn = asked(clip, ctx, sampling_mode=on)
    assert asked(clip, ctx, sampling_mode=on) == drawn
    assert asked(clip, ctx, sampling_mode={**on, "seed": 2**64 - 1}) != drawn


def test_streamed_weights_write_the_same(qwen, ctx):
    clip = load_clip([qwen], "ltxv")
    cpu = torch.device("cpu")
    whole = asked(clip, ctx)
    clip = load_clip([qwen], "ltxv")
    with installed(DeviceResidency(cpu, torch.float32, resident=1, block_limit=2**20)):
        assert asked(clip, ctx) == whole


def test_an_interrupt_ends_it(qwen, files):
    ctx = RunningContext("1", files, stopped=lambda: True)
    with pytest.raises(Stopped):
        asked(load_clip([qwen], "ltxv"), ctx)


def test_what_cannot_write_says_so(tiny_clip, tmp_path, ctx, qwen):
    with pytest.raises(NodeError, match="no text encoder here can write: CLIP L"):
        asked(tiny_clip, ctx)
    headless = write_qwen(tmp_path / "8b.safetensors", head=False, width=16)
    text, _ = asked(load_clip([headless], "ltxv"), ctx)  # a small model has tied weights
    assert text
    clip = load_clip([qwen], "ltxv")
    with pytest.raises(NodeError, match="looks at no pictures"):
        asked(clip, ctx, image=torch.zeros(1, 8, 8, 3))
    with pytest.raises(NodeError, match="can hear"):
        asked(clip, ctx, audio={"waveform": torch.zeros(1, 1, 8), "sample_rate": 8})
    with pytest.raises(WeightsError):
        load_clip([qwen, qwen], "ltxv")


@pytest.mark.parametrize(
    ("text", "began", "expected"),
    [
        ("Hello ", False, ("Hello", "")),
        ("<think>\nhm\n</think>\n\nYes", False, ("Yes", "hm")),
        ("hm</think>Yes", True, ("Yes", "hm")),
        ("<think>for ever", False, ("", "for ever")),
        ("a </think> b", False, ("a </think> b", "")),
    ],
)
def test_thoughts_are_divided_from_the_answer(text, began, expected):
    assert divided(text, began=began) == expected


def test_older_files_without_the_last_inputs_are_complete():
    found = choosing_of({"sampling_mode": "on", "temperature": 0.5})
    assert (found.temperature, found.top_k, found.presence_penalty) == (0.5, 64, 0.0)
    assert choosing_of(OFF).temperature is None
