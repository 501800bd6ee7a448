"""LoRA nodes on a tiny checkpoint: stacked, changed and mixed."""

import gc
import logging

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.inference.encode import encode
from engine.nodekit.context import RunningContext
from engine.residency.carriers import HostCarrier
from engine.residency.manager import DeviceResidency, installed
from nodes.loaders import load_checkpoint_file
from nodes.lora import load_lora, load_lora_for_model
from nodes.text import clip_set_last_layer

UNET = "input_blocks.1.1.transformer_blocks.0.attn2"
KEY = f"{UNET}.to_k.weight"
TEXT = "encoder.layers.1.mlp.fc1"


class Counting(HostCarrier):
    """A CPU carrier that counts the values it loads."""

    def __init__(self):
        super().__init__(torch.float32)
        self.brought = 0

    def bring(self, source, patches=()):
        tensor = super().bring(source, patches)
        self.brought += tensor.numel()
        return tensor


@pytest.fixture
def carrier():
    return Counting()


@pytest.fixture
def residency(carrier):
    made = DeviceResidency(
        torch.device("cpu"), torch.float32, budget=10**9, carriers=lambda _: carrier
    )
    with installed(made):
        yield made


@pytest.fixture
def folder(settings, small_tensors):
    models = settings.models_directories[0]
    for kind in ("checkpoints", "loras"):
        (models / kind).mkdir(parents=True)
    save_file(small_tensors, models / "checkpoints" / "small.safetensors")
    return models / "loras"


@pytest.fixture
def ctx(files, folder):
    return RunningContext("1", files)


@pytest.fixture
def parts(ctx, residency):
    model, clip, _ = load_checkpoint_file("small.safetensors", ctx)
    return model, clip


def pair(shape, seed, rank=2):
    generator = torch.Generator().manual_seed(seed)
    up = torch.randn(shape[0], rank, generator=generator)
    return {"up": up, "down": torch.randn(rank, shape[1], generator=generator) * 0.1}


def write(folder, name, model, clip, seed=0, nowhere=False):
    """A file of one change of the denoiser and one of the text encoder."""
    shapes = {
        f"lora_unet_{UNET.replace('.', '_')}_to_k": model.net.sources[KEY].shape,
        f"lora_te_text_model_{TEXT.replace('.', '_')}": (
            clip.parts["clip_l"].weights.sources[f"{TEXT}.weight"].shape
        ),
    }
    if nowhere:
        shapes["lora_unet_down_blocks_9_conv"] = (4, 4)
    tensors = {
        f"{module}.lora_{part}.weight": value
        for module, shape in shapes.items()
        for part, value in pair(shape, seed).items()
    }
    save_file(tensors, folder / name)
    return tensors


def weight(residency, weights, name):
    """A tensor as used in computing."""
    with residency.use(weights):
        return weights.module.get_parameter(name).detach().clone()


def test_both_parts_change_and_the_originals_stay(parts, folder, ctx, residency):
    model, clip = parts
    tensors = write(folder, "a.safetensors", model, clip)
    plain = weight(residency, model.net, KEY)
    changed, texts = load_lora(model, clip, "a.safetensors", ctx, 0.5, -1.0)
    module = f"lora_unet_{UNET.replace('.', '_')}_to_k"
    product = tensors[f"{module}.lora_up.weight"] @ tensors[f"{module}.lora_down.weight"]
    assert torch.allclose(weight(residency, changed.net, KEY), plain + 0.5 * product, atol=1e-6)
    assert torch.equal(weight(residency, model.net, KEY), plain)
    assert changed.net.base is model.net
    [before], [after] = (encode(each, "a cat", lambda *_: None) for each in (clip, texts))
    assert not torch.allclose(before[0], after[0])
    assert ctx.shown == {}


def test_strength_0_changes_nothing_and_reads_no_file(parts, ctx):
    model, clip = parts
    assert load_lora(model, clip, "missing.safetensors", ctx, 0.0, 0.0) == (model, clip)
    assert load_lora_for_model(model, "missing.safetensors", ctx, 0.0) is model


def test_strengths_of_one_file_add_up(parts, folder, ctx, residency):
    model, clip = parts
    write(folder, "a.safetensors", model, clip)
    once = load_lora_for_model(model, "a.safetensors", ctx, 0.5)
    twice = load_lora_for_model(model, "a.safetensors", ctx, 0.8)
    twice = load_lora_for_model(twice, "a.safetensors", ctx, -0.3)
    assert torch.allclose(
        weight(residency, once.net, KEY), weight(residency, twice.net, KEY), atol=1e-6
    )


def test_clip_skip_before_or_after_is_the_same(parts, folder, ctx):
    model, clip = parts
    write(folder, "a.safetensors", model, clip)
    _, first = load_lora(model, clip_set_last_layer(clip, -2), "a.safetensors", ctx)
    _, then = load_lora(model, clip, "a.safetensors", ctx)
    [one], [other] = (
        encode(each, "a cat", lambda *_: None) for each in (first, clip_set_last_layer(then, -2))
    )
    assert torch.equal(one[0], other[0])


def test_the_log_and_the_node_name_what_has_no_place(parts, folder, ctx, caplog):
    model, clip = parts
    write(folder, "a.safetensors", model, clip, nowhere=True)
    with caplog.at_level(logging.WARNING):
        load_lora(model, clip, "a.safetensors", ctx)
    [sentence] = ctx.shown["text"]
    assert "1 of its names have no place" in sentence
    assert "lora_unet_down_blocks_9_conv" in sentence
    assert caplog.messages == [sentence]


def test_another_family_s_file_says_so_and_the_picture_is_made_without_it(parts, folder, ctx):
    model, clip = parts
    name = "lora_unet_down_blocks_2_attentions_1_transformer_blocks_9_attn2_to_k"
    tensors = {f"{name}.lora_up.weight": torch.ones(640, 4)}
    save_file(tensors | {f"{name}.lora_down.weight": torch.ones(4, 2048)}, folder / "x.safetensors")
    changed, _ = load_lora(model, clip, "x.safetensors", ctx)
    assert changed is model
    [sentence] = ctx.shown["text"]
    assert "made for Stable Diffusion XL. Choose a model of that family" in sentence


def test_another_strength_brings_only_what_it_touches(parts, folder, ctx, residency, carrier):
    model, clip = parts
    for name, seed in (("a.safetensors", 0), ("b.safetensors", 1)):
        write(folder, name, model, clip, seed)
    with residency.use(model.net):
        whole, carrier.brought = carrier.brought, 0
    for strength in (0.5, 0.6):
        gc.collect()  # only equality, not identity, may show that a patch is the same
        changed = load_lora_for_model(model, "a.safetensors", ctx, strength)
        changed = load_lora_for_model(changed, "b.safetensors", ctx, 1.0)
        with residency.use(changed.net):
            pass
        assert carrier.brought == model.net.sources[KEY].read_parts()[0].numel()
        assert carrier.brought < 0.05 * whole
        with residency.use(changed.net):  # the same again
            assert carrier.brought < 0.05 * whole
        carrier.brought = 0


def test_twenty_prompts_with_five_changing_loras_leave_memory_flat(
    parts, folder, ctx, residency, carrier
):
    model, clip = parts
    names = [f"{i}.safetensors" for i in range(5)]
    for seed, name in enumerate(names):
        write(folder, name, model, clip, seed)
    held = []
    for turn in range(20):
        changed, texts = model, clip
        for i, name in enumerate(names):
            changed, texts = load_lora(changed, texts, name, ctx, 0.1 * ((turn + i) % 7), 0.5)
        with residency.use(changed.net, texts.parts["clip_l"].weights):
            held.append(residency.held)
    assert len(set(held[1:])) == 1
    assert torch.equal(weight(residency, model.net, KEY), weight(residency, model.net.base, KEY))


def test_a_replaced_file_counts_at_once(parts, folder, ctx, residency):
    model, clip = parts
    write(folder, "a.safetensors", model, clip)
    first = weight(residency, load_lora_for_model(model, "a.safetensors", ctx).net, KEY)
    before = load_lora.fingerprint_of({"lora_name": "a.safetensors"}, ctx)
    write(folder, "b.safetensors", model, clip, seed=1)
    (folder / "b.safetensors").replace(folder / "a.safetensors")
    assert load_lora.fingerprint_of({"lora_name": "a.safetensors"}, ctx) != before
    second = weight(residency, load_lora_for_model(model, "a.safetensors", ctx).net, KEY)
    assert not torch.equal(first, second)
    assert load_file(folder / "a.safetensors")
