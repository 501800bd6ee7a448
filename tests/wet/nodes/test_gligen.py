"""GLIGEN against diffusers' modules, on random weights in the layout of its files."""

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError, WeightsError
from engine.families.sdxl.family import StableDiffusionXL
from engine.inference.gligen import gligen_hooks, placed
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, Model, RandomNoise, Sampler
from engine.nets.layouts import stable_diffusion_xl
from engine.nets.unet import UNet
from engine.nodekit.context import RunningContext
from engine.residency.handles import LazyWeights
from engine.residency.manager import DeviceResidency, current, installed
from engine.weights.safetensors import read
from engine.weights.state_dict import StateDict
from nodes.gligen import gligen_text_box_apply, load_gligen_file
from nodes.loaders import load_checkpoint_file
from nodes.text import clip_text_encode

from .gligen_files import OBJECTS, TEXT, modules_of, tensors_of

SIGMAS = torch.tensor([14.0, 3.0, 0.0])


@pytest.fixture(scope="module")
def oracle(small_tensors):
    """Diffusers' modules: that of boxes, and the fusers by the names of their transformers."""
    return modules_of(small_tensors)


@pytest.fixture(scope="module")
def tensors(oracle):
    return tensors_of(*oracle)


@pytest.fixture
def context(files, settings, small_tensors, tensors, cpu_residency):
    models = settings.models_directories[0]
    for kind in ("checkpoints", "gligen"):
        (models / kind).mkdir(parents=True)
    save_file(small_tensors, models / "checkpoints" / "small.safetensors")
    save_file(tensors, models / "gligen" / "boxes.safetensors")
    return RunningContext("1", files)


@pytest.fixture
def loaded(context):
    return load_checkpoint_file("small.safetensors", context)


def text(value: float = 1.0, **extras):
    return [[torch.linspace(-1, value, 5 * TEXT).reshape(1, 5, TEXT), extras]]


def run(model: Model, positive, negative, rows: int = 1, size=(8, 8)):
    latent = {"samples": torch.zeros(rows, 4, *size)}
    guider = CfgGuider(model, positive, negative, 5.0)
    return sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), SIGMAS, latent).samples


def strays(found, expected) -> float:
    return float((found - expected).norm() / expected.norm())


def apply(conditioning, clip, opened, phrase: str, box, context):
    width, height, x, y = box
    return gligen_text_box_apply(
        conditioning_to=conditioning,
        clip=clip,
        gligen_textbox_model=opened,
        text=phrase,
        width=width,
        height=height,
        x=x,
        y=y,
        ctx=context,
    )


def by_oracle(model: Model, oracle, phrases, size) -> Model:
    """The model with diffusers' modules as a plain hook; phrases are (pooled, pixels of a box)."""
    position, fusers = oracle
    rows, columns = (8 * side for side in size)
    boxes, masks, embeddings = torch.zeros(1, 30, 4), torch.zeros(1, 30), torch.zeros(1, 30, TEXT)
    for number, (pooled, (width, height, x, y)) in enumerate(phrases):
        box = (x / columns, y / rows, (x + width) / columns, (y + height) / rows)
        boxes[0, number], masks[0, number] = torch.tensor(box), 1.0
        embeddings[0, number] = pooled
    objects = position(boxes, masks, embeddings)
    names = {
        "input": "input_blocks.{}.1",
        "middle": "middle_block.1",
        "output": "output_blocks.{}.1",
    }

    def patch(tokens, options):
        part, number = options["block"]
        fuser = fusers[f"{names[part].format(number)}.transformer_blocks.0"]
        return fuser(tokens, objects.expand(len(tokens), -1, -1))

    return replace(model, hooks=model.hooks.with_patch("middle_patch", patch))


def pooled_of(clip, phrase: str, context):
    return clip_text_encode(phrase, clip, context)[0][1]["pooled_output"]


@pytest.mark.parametrize("rows", [1, 3])
def test_boxes_are_diffusers(context, loaded, oracle, rows):
    """Two phrases, a latent that is no square; the negative gets them too."""
    model, clip, _ = loaded
    opened = load_gligen_file("boxes.safetensors", context)
    size, boxes = (8, 12), [(32, 40, 8, 16), (96, 64, 0, 0)]
    positive = text()
    for phrase, box in zip(("a red ball", "a (tree:1.2)"), boxes, strict=True):
        positive = apply(positive, clip, opened, phrase, box, context)
    found = run(model, positive, text(0.5), rows, size)
    phrases = [
        (pooled_of(clip, phrase, context), box)
        for phrase, box in zip(("a red ball", "a (tree:1.2)"), boxes, strict=True)
    ]
    expected = run(by_oracle(model, oracle, phrases, size), text(), text(0.5), rows, size)
    assert strays(found, expected) < 1e-5
    assert strays(found, run(model, text(), text(0.5), rows, size)) > 1e-2


def test_a_text_encoder_without_a_pooled_output_is_a_sentence(context, ldm_of_text, settings):
    checkpoints = settings.models_directories[0] / "checkpoints"
    save_file(ldm_of_text, checkpoints / "ldm.safetensors")
    _, clip, _ = load_checkpoint_file("ldm.safetensors", context)
    opened = load_gligen_file("boxes.safetensors", context)
    with pytest.raises(NodeError, match="no vector of a whole phrase"):
        apply(text(), clip, opened, "a ball", (32, 32, 0, 0), context)


def test_entries_without_boxes_are_not_changed(context, loaded):
    """An entry with an area, and a negative with an area, get none of another entry's boxes."""
    model, clip, _ = loaded
    opened = load_gligen_file("boxes.safetensors", context)
    calls: list[int] = []

    def count(tokens, options):
        calls.append(len(options["cond_or_uncond"]))
        return tokens

    watched = replace(model, hooks=model.hooks.with_patch("middle_patch", count))
    positive = apply(text(), clip, opened, "a ball", (32, 32, 0, 0), context)
    assert "gligen" not in text()[0][1]
    other = text(0.7, area=(8, 8, 0, 0), strength=1.0)
    found = run(watched, [*positive, *other], text(0.5))
    alone = run(watched, positive, text(0.5))
    assert strays(found, alone) > 1e-3
    # Entries with the same boxes share a call: positive and negative, then the area and its
    # counterpart.
    assert set(calls) == {2}
    negative = text(0.5, area=(8, 8, 0, 0), strength=1.0)
    with_area = run(model, positive, [*text(0.5), *negative])
    assert strays(with_area, run(model, positive, text(0.5))) > 1e-4


def test_one_handle_for_a_file_within_the_budget(context, loaded, tensors):
    model, clip, _ = loaded
    opened = load_gligen_file("boxes.safetensors", context)
    assert load_gligen_file("boxes.safetensors", context) is opened
    positive = apply(text(), clip, opened, "a ball", (32, 32, 0, 0), context)
    expected = run(model, positive, text(0.5))
    held = current().held
    run(model, text(), text(0.5))
    assert current().held == held
    current().release(2**40)
    cpu = torch.device("cpu")
    with installed(DeviceResidency(cpu, torch.float32, resident=1, block_limit=2**16)) as tight:
        assert strays(run(model, positive, text(0.5)), expected) < 1e-5
        tight.release(2**40)
    with installed(DeviceResidency(cpu, torch.bfloat16)):
        assert 1e-5 < strays(run(model, positive, text(0.5)), expected) < 0.2


def test_another_family_gets_a_sentence(context, loaded, tensors, settings):
    model, clip, _ = loaded
    wider = {
        name: torch.zeros([2 * side for side in tensor.shape]) if ".fuser." in name else tensor
        for name, tensor in tensors.items()
    }
    for name in [name for name in wider if name.endswith("fuser.linear.weight")]:
        wider[name] = torch.zeros(len(wider[name]), OBJECTS)
    save_file(wider, settings.models_directories[0] / "gligen" / "wide.safetensors")
    opened = load_gligen_file("wide.safetensors", context)
    positive = apply(text(), clip, opened, "a ball", (32, 32, 0, 0), context)
    with pytest.raises(NodeError, match="made for a model with 64 channels at input_blocks"):
        run(model, positive, text(0.5))
    other = load_gligen_file("boxes.safetensors", context)
    with pytest.raises(NodeError, match=r"has 48 numbers, boxes\.safetensors takes 64"):
        placed(text(), other, (torch.zeros(1, 48), 1, 1, 0, 0))


def test_on_sdxl_it_says_so(context, loaded):
    model, clip, _ = loaded
    with torch.device("meta"):
        net = UNet(stable_diffusion_xl())
    sources = StateDict.of(dict(net.state_dict())).entries
    weights = LazyWeights("xl", 1, lambda: net, sources=sources)
    xl = replace(model, net=weights, family=StableDiffusionXL())
    opened = load_gligen_file("boxes.safetensors", context)
    positive = apply(text(), clip, opened, "a ball", (32, 32, 0, 0), context)
    hook = gligen_hooks(positive[0][1]["gligen"]).of("middle_patch")[0]
    with pytest.raises(NodeError, match=r"\(Stable Diffusion XL\) has no transformer there"):
        hook.check(xl)


def test_more_boxes_than_it_knows(context, loaded):
    model, clip, _ = loaded
    opened = load_gligen_file("boxes.safetensors", context)
    positive = text()
    for _ in range(30):
        positive = apply(positive, clip, opened, "a", (8, 8, 0, 0), context)
    with pytest.raises(NodeError, match="at most 30 boxes"):
        apply(positive, clip, opened, "a", (8, 8, 0, 0), context)
    assert math.isfinite(float(run(model, positive, text(0.5)).sum()))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.pop("position_net.linears.2.weight"), "looks like a GLIGEN file, but posi"),
        (lambda t: [t.pop(n) for n in list(t) if ".fuser." in n], "but it has 0 fusers"),
        (
            lambda t: t.update({next(n for n in t if "linear.weight" in n): torch.zeros(32, 7)}),
            "takes objects of 7 numbers, position_net makes 48",
        ),
        (lambda t: t.pop(next(n for n in t if "norm1" in n)), r"missing \(1\): fusers"),
        (lambda t: [t.pop(n) for n in list(t) if "position" in n], "no GLIGEN file: of no known"),
    ],
)
def test_damaged_and_foreign_files(context, tensors, settings, change, sentence):
    changed = dict(tensors)
    change(changed)
    path = settings.models_directories[0] / "gligen" / "bad.safetensors"
    save_file(changed, path)
    assert len(read(path)) == len(changed)
    with pytest.raises(WeightsError, match=sentence):
        load_gligen_file("bad.safetensors", context)
