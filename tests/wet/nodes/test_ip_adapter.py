"""The nodes of IP-Adapter in whole runs; the computation itself is compared with diffusers'."""

import pytest
import torch
from safetensors.torch import save_file

from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError, WeightsError
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, RandomNoise, Sampler
from engine.inference.vision import ClipVisionOutput, encode_nothing
from engine.nodekit.context import RunningContext
from engine.residency.manager import DeviceResidency, current, installed
from engine.vision.clip_network import ClipVision, ClipVisionConfig
from nodes.ip_adapter import AVERAGE, PER_ROW, apply_ip_adapter, load_ip_adapter_file
from nodes.loaders import load_checkpoint_file
from nodes.vision import clip_vision_encode, load_clip_vision
from tests.wet.inference.ip_adapter_files import LAYOUTS, plain, plus

TEXT = 64
SIGMAS = torch.tensor([14.0, 3.0, 0.5, 0.0])
TINY = ClipVisionConfig(28, 7, 64, 128, 3, 1, "quick_gelu", 48)


def unet_shapes(tensors):
    prefix = "model.diffusion_model."
    return {k.removeprefix(prefix): tuple(v.shape) for k, v in tensors.items() if prefix in k}


@pytest.fixture
def shown():
    return []


@pytest.fixture
def folder(settings):
    found = settings.models_directories[0] / "ipadapter"
    found.mkdir(parents=True)
    return found


@pytest.fixture
def context(files, folder, small_tensors, shown, fill, cpu_residency):
    for kind in ("checkpoints", "clip_vision"):
        (folder.parent / kind).mkdir()
    save_file(small_tensors, folder.parent / "checkpoints" / "small.safetensors")
    module = fill(lambda: ClipVision(TINY))
    named = {
        key if key.startswith("visual") else f"vision_model.{key}": value
        for key, value in module.state_dict().items()
    }
    save_file(named, folder.parent / "clip_vision" / "tiny.safetensors")
    shapes = unet_shapes(small_tensors)
    for name, make in LAYOUTS.items():
        channels = 48 if name == "plain" else 64
        save_file(make(shapes, channels=channels, width=TEXT), folder / f"{name}.safetensors")

    class Watched(RunningContext):
        def show(self, **more):
            shown.append(more)

    return Watched("1", files)


@pytest.fixture
def model(context):
    return load_checkpoint_file("small.safetensors", context)[0]


@pytest.fixture
def encoder(context):
    return load_clip_vision("tiny.safetensors", context)


@pytest.fixture
def pictures():
    return torch.rand(2, 40, 60, 3, generator=torch.Generator().manual_seed(1))


def text(value: float, **extras):
    return [[torch.linspace(-1, value, 5 * TEXT).reshape(1, 5, TEXT), extras]]


def run(model, positive=None, rows: int = 1, size=(8, 8), negative=None):
    guider = CfgGuider(model, positive or text(1.0), negative or text(0.5), 5.0)
    latent = {"samples": torch.zeros(rows, 4, *size)}
    return sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), SIGMAS, latent).samples


def strays(found, expected) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_picture_is_a_further_prompt(context, model, encoder, pictures, layout):
    """From a picture or from what was encoded; the counterpart of hidden states is encoded too."""
    adapter = load_ip_adapter_file(f"{layout}.safetensors", context)
    image = pictures[:1]
    first = apply_ip_adapter(model, adapter, encoder, image, ctx=context)
    assert not model.hooks.patches
    found = run(first)
    assert strays(found, run(model)) > 1e-3
    seen = clip_vision_encode(clip_vision=encoder, image=image, crop="center", ctx=context)
    second = apply_ip_adapter(
        model,
        adapter,
        clip_vision_output=seen,
        negative_output=None if layout == "plain" else encode_nothing(encoder),
        ctx=context,
    )
    assert strays(run(second), found) < 1e-6
    if layout != "plain":
        zeros = apply_ip_adapter(model, adapter, clip_vision_output=seen, ctx=context)
        assert strays(run(zeros), found) > 1e-4
    held = current().held
    run(second)
    assert current().held == held


@pytest.mark.slow
def test_several_pictures(context, model, encoder, pictures):
    adapter = load_ip_adapter_file("plain.safetensors", context)

    def applied(image, several="concatenate"):
        return apply_ip_adapter(model, adapter, encoder, image, several=several, ctx=context)

    one, other = (run(applied(pictures[i : i + 1]), rows=2) for i in (0, 1))
    twice = run(applied(pictures[[0, 0]]), rows=2)
    assert strays(twice, one) < 1e-5  # attention over repeated tokens is the same
    both = run(applied(pictures), rows=2)
    mean = run(applied(pictures, AVERAGE), rows=2)
    assert min(strays(both, one), strays(both, other), strays(mean, both)) > 1e-4
    each = run(applied(pictures, PER_ROW), rows=2)
    assert strays(each[:1], one[:1]) < 1e-5
    assert strays(each[1:], other[1:]) < 1e-5


def test_a_part_of_the_run(context, model, encoder, pictures, shown):
    adapter = load_ip_adapter_file("plain.safetensors", context)
    image = pictures[:1]

    def applied(**settings):
        return run(apply_ip_adapter(model, adapter, encoder, image, ctx=context, **settings))

    whole, none = applied(), run(model)
    early = applied(end_percent=0.5)  # sigma 1.6 of 14, 3 and 0.5
    late = applied(start_percent=0.5)
    assert min(strays(early, whole), strays(early, none), strays(late, early)) > 1e-4
    assert torch.equal(applied(weight=0.0), none)
    assert shown == []
    assert torch.equal(applied(start_percent=0.6, end_percent=0.4), none)
    assert "has no effect: it starts at 0.6" in shown[0]["text"][0]


@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_a_mask_limits_it(context, model, encoder, pictures, size):
    adapter = load_ip_adapter_file("plain.safetensors", context)
    image, rows = pictures[:1], 2

    def applied(mask, *texts):
        found = apply_ip_adapter(model, adapter, encoder, image, mask=mask, ctx=context)
        return run(found, *texts[:1], rows=rows, size=size, negative=(*texts, None, None)[1])

    whole, none = applied(None), run(model, rows=rows, size=size)
    assert strays(applied(torch.ones(1, 64, 64)), whole) < 1e-5
    assert strays(applied(torch.zeros(64, 64)), none) < 1e-5
    half = torch.zeros(2, 64, 64)
    half[0] = 1  # only in the first picture of the batch
    found = applied(half)
    assert strays(found[:1], whole[:1]) < 1e-5
    assert strays(found[1:], none[1:]) < 1e-5
    left = torch.zeros(1, 64, 64)
    left[..., :32] = 1
    assert min(strays(applied(left), whole), strays(applied(left), none)) > 1e-4
    # Entries with areas get their part of the mask: here the right half, where it is 0.
    left[..., 8:] = 0
    area = (size[0], size[1] // 2, 0, size[1] - size[1] // 2)
    texts = text(1.0, area=area), text(0.5, area=area)
    plain_run = run(model, texts[0], rows=rows, size=size, negative=texts[1])
    assert strays(applied(left, *texts), plain_run) < 1e-5
    assert strays(applied(None, *texts), plain_run) > 1e-4


def test_two_of_one_file_share_its_weights_and_stream(context, model, encoder, pictures):
    adapter = load_ip_adapter_file("plus.safetensors", context)
    assert load_ip_adapter_file("plus.safetensors", context) is adapter
    once = apply_ip_adapter(model, adapter, encoder, pictures[:1], weight=0.5, ctx=context)
    twice = apply_ip_adapter(once, adapter, encoder, pictures[:1], weight=0.5, ctx=context)
    expected = run(apply_ip_adapter(model, adapter, encoder, pictures[:1], ctx=context))
    held = current().held
    assert strays(run(twice), expected) < 1e-5
    assert current().held == held
    current().release(2**40)
    cpu = torch.device("cpu")
    with installed(DeviceResidency(cpu, torch.float32, resident=1, block_limit=2**16)) as tight:
        assert strays(run(twice), expected) < 1e-5
        tight.release(2**40)
    with installed(DeviceResidency(cpu, torch.bfloat16)):
        assert 1e-5 < strays(run(twice), expected) < 0.2


def test_what_does_not_fit_gets_a_sentence(context, model, encoder, pictures, folder):
    adapter = load_ip_adapter_file("plain.safetensors", context)
    with pytest.raises(NodeError, match="connect clip_vision and image, or clip_vision_output"):
        apply_ip_adapter(model, adapter, encoder, ctx=context)
    wide = ClipVisionOutput(torch.zeros(1, 5, 1024), torch.zeros(1, 768), torch.zeros(1, 5, 1024))
    with pytest.raises(NodeError, match=r"vectors of 48 numbers; this .* 768 \(probably ViT-L"):
        apply_ip_adapter(model, adapter, clip_vision_output=wide, ctx=context)
    states = load_ip_adapter_file("plus.safetensors", context)
    seen = ClipVisionOutput(torch.zeros(1, 5, 64), torch.zeros(1, 48), torch.zeros(1, 5, 64))
    with pytest.raises(NodeError, match=r"encoded as \[17, 64\] and \[5, 64\]"):
        apply_ip_adapter(model, states, encoder, pictures, seen, ctx=context)
    other = {
        f"{part}.transformer_blocks.0.attn2.{kind}.weight": (24, 24)
        for part in ("input_blocks.1.1", "middle_block.1")
        for kind in ("to_q", "to_k")
    }
    save_file(plain(other, channels=48, width=TEXT), folder / "other.safetensors")
    adapter = load_ip_adapter_file("other.safetensors", context)
    with pytest.raises(NodeError, match="made for a model with 2 attentions to the text of 24"):
        apply_ip_adapter(model, adapter, encoder, pictures, ctx=context)


def faced(tensors):
    tensors["image_proj.proj.0.weight"] = tensors.pop("image_proj.proj.weight")


@pytest.mark.parametrize(
    ("layout", "change", "sentence"),
    [
        (plain, faced, r"takes the vector of a face from face recognition \(FaceID\)"),
        (plain, lambda t: t.pop("image_proj.norm.weight"), "image_proj.norm.weight should have"),
        (plain, lambda t: t.pop("ip_adapter.1.to_v_ip.weight"), r"missing \(1\): pairs\.0\.to_v"),
        (plus, lambda t: t.pop("image_proj.layers.1.0.to_q.weight"), r"missing \(1\): image_proj"),
        (plus, lambda t: t.update({"extra": torch.zeros(1)}), r"not part of the network \(1\)"),
        (plus, lambda t: [t.pop(n) for n in list(t) if "ip_ad" in n], "no IP-Adapter: of no kno"),
        (
            plain,
            lambda t: t.update({"image_proj.norm.weight": torch.zeros(7)}),
            "makes 256 numbers, not whole tokens of 7",
        ),
    ],
)
def test_damaged_and_foreign_files(context, small_tensors, folder, layout, change, sentence):
    tensors = layout(unet_shapes(small_tensors), width=TEXT)
    change(tensors)
    save_file(tensors, folder / "bad.safetensors")
    with pytest.raises(WeightsError, match=sentence):
        load_ip_adapter_file("bad.safetensors", context)
