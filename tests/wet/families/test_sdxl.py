"""SDXL and its refiner are recognised in every layout and size; their text and size inputs."""

import json
import math

import pytest
import torch
from safetensors.torch import save_file

from engine.diffusion.conditioning import Role
from engine.errors import NodeError, WeightsError
from engine.families.autoencoders import find_autoencoder
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.families.sdxl import text as xl_text
from engine.families.sdxl.family import StableDiffusionXL, StableDiffusionXLRefiner
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.nets.unet_names import unet_names
from engine.nodekit.context import RunningContext
from engine.text.encoder import Encoded
from engine.text.table import ENCODERS
from engine.weights.apply import check
from engine.weights.state_dict import StateDict
from nodes import loaders, text, text_loaders

UNET = "model.diffusion_model."
CLIP_L = "conditioner.embedders.0.transformer."
CLIP_G = "conditioner.embedders.1.model."
BASE, REFINER = StableDiffusionXL(), StableDiffusionXLRefiner()


@pytest.fixture(scope="module")
def base(random_checkpoints):
    return random_checkpoints.tensors(random_checkpoints.SMALL_XL, torch.float16)


@pytest.fixture(scope="module")
def refiner(random_checkpoints):
    return random_checkpoints.tensors(random_checkpoints.SMALL_REFINER, torch.float16)


def parts_fit(tensors):
    """Check every part's names and shapes against its module; returns (family, configuration)."""
    weights = StateDict.of(tensors)
    family, config = detect(weights)
    check(family.build(config), family.denoiser(config, weights))
    for name in family.text.styles:
        encoder, found = ENCODERS[name], family.encoder(weights, name)
        if found is not None:
            part = encoder.tensors(found)
            with torch.device("meta"):
                check(encoder.build(encoder.config(part)), part)
    found = family.autoencoder(weights)
    if found is not None:
        autoencoder = find_autoencoder(found)
        check(autoencoder.kind.build(autoencoder.config), autoencoder.tensors)
    return family, config


def on_meta(shapes):
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def unet_shapes(*arguments, **options):
    with torch.device("meta"):
        unet = UNet(regular_unet(*arguments, linear=True, **options))
    return {name: tuple(each.shape) for name, each in unet.state_dict().items()}


@pytest.mark.parametrize(("which", "name"), [("base", BASE.name), ("refiner", REFINER.name)])
def test_a_whole_file_is_recognised(which, name, request):
    family, _ = parts_fit(request.getfixturevalue(which))
    assert family.name == name


def test_the_full_layout_is_that_of_the_released_file(random_checkpoints, reference_folder):
    released = json.loads((reference_folder / "sdxl_shapes.json").read_text(encoding="utf-8"))
    ours = dict(random_checkpoints.shapes(random_checkpoints.SDXL))
    ours["conditioner.embedders.1.model.logit_scale"] = ()
    assert ours == {name: tuple(shape) for name, shape in released.items()}
    family, config = parts_fit(on_meta(ours))
    assert family.name == BASE.name
    assert config.unet.context_channels == 2048


PRUNED = ("middle_block.1.", "middle_block.2.")
XL = {"context": 2048, "vector": 2816}
SHAPES = {
    "SDXL": lambda: unet_shapes(64, (1, 2, 4), (0, 2, 3), **XL),
    "inpainting": lambda: unet_shapes(64, (1, 2, 4), (0, 1, 2), **XL, in_channels=9),
    "SSD-1B": lambda: {
        name: shape
        for name, shape in unet_shapes(64, (1, 2, 4), (0, 1, 2), **XL).items()
        if not name.startswith(PRUNED)
    },
    "one block a level": lambda: unet_shapes(64, (1, 2, 4), (0, 1, 2), **XL, blocks=1),
    "refiner": lambda: unet_shapes(64, (1, 2, 4, 4), (0, 1, 1, 0), context=1280, vector=2560),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("layout", ["", UNET, "diffusers"])
def test_a_unet_alone_is_known_by_what_it_takes(name, layout):
    shapes = SHAPES[name]()
    expected = REFINER if name == "refiner" else BASE
    if layout == "diffusers":
        config = expected.detect(StateDict.of(on_meta(shapes))).unet
        theirs = {ours: other for other, ours in unet_names(config).items()}
        shapes = {
            f"{theirs[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": shape
            for key, shape in shapes.items()
        }
    else:
        shapes = {f"{layout}{key}": shape for key, shape in shapes.items()}
    family, config = parts_fit(on_meta(shapes))
    assert family.name == expected.name
    assert config.unet.in_channels == (9 if name == "inpainting" else 4)


def test_a_whole_file_in_diffusers_layout_is_mapped(base):
    config = BASE.detect(StateDict.of(base)).unet
    theirs = {ours: other for other, ours in unet_names(config).items()}
    renamed = {}
    for key, tensor in base.items():
        if key.startswith(UNET):
            module, _, kind = key.removeprefix(UNET).rpartition(".")
            renamed[f"unet.{theirs[module]}.{kind}"] = tensor
        else:
            for ours, other in ((CLIP_L, "text_encoder."), ("first_stage_model.", "vae.")):
                key = key.replace(ours, other)  # noqa: PLW2901 - the same key, renamed
            renamed[key.replace(CLIP_G, "text_encoder_2.")] = tensor
    family, found = parts_fit(renamed)
    assert (family.name, found.unet) == (BASE.name, config)


EDM_V = {"edm_vpred.sigma_max": torch.tensor(120.0), "edm_vpred.sigma_min": torch.tensor(0.004)}
MEAN, DEVIATION = torch.tensor([-1.5, 2.0, -1.0, 2.5]), torch.tensor([8.0, 5.0, 6.0, 4.0])
PLAYGROUND = {"edm_mean": MEAN.view(1, 4, 1, 1), "edm_std": DEVIATION.view(1, 4, 1, 1)}
NOTHING = torch.zeros(0)


@pytest.mark.parametrize(
    ("marks", "prediction", "largest"),
    [
        ({}, "eps", 14.6146),
        ({"v_pred": NOTHING}, "v", 14.6146),
        ({"v_pred": NOTHING, "ztsnr": NOTHING}, "v", 4518.76),
        ({f"{UNET}v_pred": NOTHING, f"{UNET}ztsnr": NOTHING}, "v", 4518.76),
        ({"ztsnr": NOTHING}, "eps", 14.6146),
        (EDM_V, "v", 120.0),
        ({**EDM_V, "v_pred": NOTHING}, "v", 120.0),
        (PLAYGROUND, "edm", 80.0),
    ],
)
def test_a_mark_tells_what_is_predicted(base, marks, prediction, largest):
    family, config = parts_fit({**base, **marks})
    levels = family.parameterization(config)
    assert levels.prediction == prediction
    assert levels.sigma_max == pytest.approx(largest, rel=1e-4)


def test_playground_brings_the_numbers_of_its_latents(base):
    family, config = parts_fit({**base, **PLAYGROUND})
    z = torch.randn(1, 4, 2, 2)
    expected = (z - MEAN.view(1, 4, 1, 1)) * 0.5 / DEVIATION.view(1, 4, 1, 1)
    assert torch.allclose(family.latent(config).into(z), expected, atol=1e-6)
    assert family.parameterization(config).sigma_data == 0.5
    plain = BASE.latent(BASE.detect(StateDict.of(base)))
    assert torch.allclose(plain.into(z), z * 0.13025)


@pytest.mark.parametrize(
    ("marks", "says"),
    [
        ({"edm_mean": torch.ones(3), "edm_std": torch.ones(4)}, r"edm_mean has the shape \[3\]"),
        ({"edm_mean": MEAN, "edm_std": torch.zeros(4)}, "edm_std is .*numbers above 0"),
        ({"edm_vpred.sigma_max": torch.tensor(math.nan)}, "sigma_max is .*expected numbers"),
        ({**EDM_V, "edm_vpred.sigma_min": torch.tensor(500.0)}, "rise from above 0"),
    ],
)
def test_a_mark_of_impossible_numbers_is_refused(base, marks, says):
    with pytest.raises(WeightsError, match=f"looks like Stable Diffusion XL, but its .*{says}"):
        detect(StateDict.of({**base, **marks}))


def sinusoid(number):
    """256 numbers by the paper's formula."""
    angles = [number * math.exp(-math.log(10_000) * i / 128) for i in range(128)]
    return torch.tensor([*map(math.cos, angles), *map(math.sin, angles)])


def entry(channels, pooled=64, **extras):
    known = {"pooled_output": torch.arange(float(pooled))[None], **extras}
    return Entry(torch.zeros(1, 77, channels), known)


SIZES = {"width": 1, "height": 2, "crop_w": 3, "crop_h": 4, "target_width": 5, "target_height": 6}


@pytest.mark.parametrize(
    ("extras", "numbers"),
    [
        (SIZES, (2, 1, 4, 3, 6, 5)),
        ({}, (96, 160, 0, 0, 96, 160)),
        ({"width": 1024, "height": 512}, (512, 1024, 0, 0, 512, 1024)),
    ],
)
def test_sizes_follow_the_pooled_text(base, extras, numbers):
    config = BASE.detect(StateDict.of(base))
    given = BASE.inputs(config, entry(128, **extras), run=Run((1, 4, 12, 20)), role=Role.POSITIVE)
    expected = torch.cat([torch.arange(64.0), *map(sinusoid, numbers)])
    assert torch.allclose(given["vector"].value, expected[None], atol=2e-4)


@pytest.mark.parametrize(
    ("role", "extras", "score"),
    [
        (Role.POSITIVE, {}, 6.0),
        (Role.NEGATIVE, {}, 2.5),
        (Role.NEGATIVE, {"aesthetic_score": 4}, 4),
    ],
)
def test_the_refiner_is_told_a_score(refiner, role, extras, score):
    config = REFINER.detect(StateDict.of(refiner))
    given = REFINER.inputs(config, entry(64, **extras), run=Run((1, 4, 12, 20)), role=role)
    expected = torch.cat([torch.arange(64.0), *map(sinusoid, (96, 160, 0, 0, score))])
    assert torch.allclose(given["vector"].value, expected[None], atol=2e-4)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (entry(768), "tokens have 768 numbers, the model takes 128.*DualCLIPLoader"),
        (entry(128, pooled=32), "are 1568 numbers, the model takes 1600"),
        (Entry(torch.zeros(1, 77, 128), {"pooled_output": None}), "no pooled output"),
    ],
)
def test_a_conditioning_of_another_model_says_so(base, given, says):
    config = BASE.detect(StateDict.of(base))
    with pytest.raises(NodeError, match=says):
        BASE.inputs(config, given, run=Run((1, 4, 8, 8)), role=Role.POSITIVE)


def test_both_encoders_are_needed():
    one = Encoded(torch.zeros(1, 77, 64), torch.zeros(1, 64))
    with pytest.raises(WeightsError, match=r"CLIP bigG is missing\. Load both with DualCLIPLoader"):
        xl_text.combine({"clip_l": one})
    with pytest.raises(WeightsError, match="CLIP L is missing"):
        xl_text.combine({"clip_g": one})
    states, extras = xl_text.combine({"clip_g": one, "clip_l": one})
    assert (states.shape, extras["pooled_output"].shape) == ((1, 77, 128), (1, 64))


@pytest.fixture
def context(files, settings, base, cpu_residency):
    """Files of SDXL's parts in the user's folders."""
    parts = {
        "checkpoints/xl": ("", base),
        "text_encoders/l": (CLIP_L, base),
        "text_encoders/g": (CLIP_G, base),
        "embeddings/both": None,
        "embeddings/narrow": None,
        "embeddings/wide": None,
    }
    vectors = {
        "both": {"clip_l": torch.ones(1, 64), "clip_g": torch.ones(2, 64)},
        "narrow": {"clip_l": torch.ones(2, 64), "clip_g": torch.ones(2, 32)},
        "wide": {"emb_params": torch.ones(3, 1024)},
    }
    for name, part in parts.items():
        path = settings.models_directories[0] / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        if part is None:
            save_file(vectors[path.stem], path)
            continue
        prefix, tensors = part
        kept = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        save_file(kept, path)
    return RunningContext("1", files)


def two(context, first, second, kind="sdxl"):
    names = {"clip_name1": f"{first}.safetensors", "clip_name2": f"{second}.safetensors"}
    return text_loaders.load_two(**names, type=kind, ctx=context)


def same(one, other):
    return all(torch.equal(a[0], b[0]) for a, b in zip(one, other, strict=True)) and all(
        torch.equal(a[1]["pooled_output"], b[1]["pooled_output"])
        for a, b in zip(one, other, strict=True)
    )


def test_encoders_in_files_of_their_own_are_put_in_order(context):
    _, clip, _ = loaders.load_checkpoint_file("xl.safetensors", context)
    expected = text.clip_text_encode("a (red:1.4) cat", clip, context)
    assert expected[0][0].shape == (1, 77, 128)
    for names in (("l", "g"), ("g", "l")):
        assert same(
            text.clip_text_encode("a (red:1.4) cat", two(context, *names), context), expected
        )


@pytest.mark.parametrize(
    ("load", "says"),
    [
        (
            lambda ctx: two(ctx, "l", "l"),
            r"takes CLIP L and CLIP bigG for Stable Diffusion XL; found CLIP L in l\.safet.*Choose",
        ),
        (
            lambda ctx: two(ctx, "l", "g", kind="flux"),
            r"type flux takes CLIP L and T5 XXL for FLUX.1; found CLIP L in .*, CLIP bigG in ",
        ),
    ],
)
def test_encoders_that_do_not_belong_together_are_refused(context, load, says):
    with pytest.raises(WeightsError, match=says):
        load(context)


def test_a_lone_bigg_is_the_refiner_s(context, refiner, tmp_path):
    clip = text_loaders.load_one(clip_name="g.safetensors", type="stable_diffusion", ctx=context)
    encoded = text.clip_text_encode_sdxl_refiner(text="a cat", clip=clip, ascore=5.0, ctx=context)
    assert encoded[0][0].shape == (1, 77, 64)
    assert encoded[0][1]["aesthetic_score"] == 5.0
    with pytest.raises(NodeError, match=r"this one lacks CLIP L.*CLIPTextEncodeSDXLRefiner"):
        text.clip_text_encode_sdxl(clip=clip, text_g="a", text_l="b", ctx=context)


def test_one_text_for_each_encoder(context):
    _, clip, _ = loaders.load_checkpoint_file("xl.safetensors", context)
    plain = text.clip_text_encode("a cat", clip, context)
    both = text.clip_text_encode_sdxl(
        clip=clip, text_g="a cat", text_l="a cat", **SIZES, ctx=context
    )
    assert same(both, plain)
    assert {key: both[0][1][key] for key in SIZES} == SIZES
    long = "one two three four five six seven eight nine ten " * 9
    uneven = text.clip_text_encode_sdxl(clip=clip, text_g="a cat", text_l=long, ctx=context)
    assert uneven[0][0].shape == (1, 154, 128)
    assert torch.equal(uneven[0][0][:, :77, 64:], plain[0][0][:, :, 64:])
    empty = text.clip_text_encode("", clip, context)
    assert torch.equal(uneven[0][0][:, 77:, 64:], empty[0][0][:, :, 64:])


def test_embeddings_serve_the_encoders_of_their_width_and_the_node_says_so(context, monkeypatch):
    shown = []
    monkeypatch.setattr(RunningContext, "show", lambda _, **what: shown.append(what["text"]))
    _, clip, _ = loaders.load_checkpoint_file("xl.safetensors", context)

    def encoded(prompt):
        return text.clip_text_encode(prompt, clip, context)[0][0]

    plain = encoded("a cat")
    assert not torch.equal(encoded("a embedding:both cat"), plain)
    assert shown == []
    narrow = encoded("a embedding:narrow cat")
    assert torch.equal(narrow[..., 64:], plain[..., 64:])
    assert not torch.equal(narrow[..., :64], plain[..., :64])
    assert torch.equal(encoded("a embedding:wide cat"), plain)
    vectors = "its vectors have"
    assert [said for (said,) in shown] == [
        f"embedding:narrow is read by CLIP L only: {vectors} 32 numbers; CLIP bigG takes 64",
        f"embedding:wide is left out: {vectors} 1024 numbers; CLIP L takes 64, CLIP bigG takes 64",
    ]
