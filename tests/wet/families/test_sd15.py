"""Stable Diffusion 1 is recognised in every layout, and distinguished from similar networks."""

import dataclasses
import json

import pytest
import torch

from engine.diffusion.conditioning import Role
from engine.errors import NodeError, WeightsError
from engine.families.autoencoders import find_autoencoder
from engine.families.detect import detect, detect_autoencoder
from engine.families.family import Entry, Run
from engine.families.sd15.family import RGB_FACTORS, StableDiffusion1
from engine.text.clip import CLIP_L
from engine.weights.apply import check
from engine.weights.state_dict import StateDict

UNET = "model.diffusion_model."
TEXT = "cond_stage_model.transformer."
VAE = "first_stage_model."


@pytest.fixture
def tensors(small_tensors):
    return dict(small_tensors)


def detected(tensors, **metadata):
    weights = StateDict.of(tensors, metadata=metadata)
    family, config = detect(weights)
    return family, config, weights


def parts_fit(tensors, **metadata):
    """Check that every part's names and shapes are those of its module."""
    family, config, weights = detected(tensors, **metadata)
    check(family.build(config), family.denoiser(config, weights))
    text = CLIP_L.tensors(family.encoder(weights, "clip_l"))
    with torch.device("meta"):
        check(CLIP_L.build(CLIP_L.config(text)), text)
    found = find_autoencoder(family.autoencoder(weights))
    check(found.kind.build(found.config), found.tensors)
    return config


def test_our_own_tool_writes_what_we_read(random_checkpoints, tensors):
    family, config, weights = detected(tensors)
    assert family.name == "Stable Diffusion 1"
    unet, text, autoencoder = random_checkpoints.parts(random_checkpoints.SMALL).values()
    assert config.unet == unet.config
    assert CLIP_L.config(CLIP_L.tensors(family.encoder(weights, "clip_l"))) == text.config
    assert find_autoencoder(family.autoencoder(weights)).config == autoencoder.config
    parts_fit(tensors)


def test_the_full_layout_is_that_of_the_released_files(random_checkpoints, reference_folder):
    released = json.loads((reference_folder / "sd15_shapes.json").read_text())
    ours = dict(random_checkpoints.shapes(random_checkpoints.SD15))
    ours[random_checkpoints.POSITION_IDS] = (1, 77)
    assert ours == {name: tuple(shape) for name, shape in released.items()}


def test_training_state_and_ema_copies_are_left_aside(tensors):
    extra = {
        "model_ema.decay": torch.tensor(0.9999),
        "model_ema.num_updates": torch.tensor(5, dtype=torch.int32),
        "model_ema.diffusion_modelinput_blocks00weight": torch.ones(3),
        "betas": torch.ones(1000),
        "alphas_cumprod": torch.ones(1000),
        "logvar": torch.zeros(1000),
        f"{VAE}loss.discriminator.main.0.weight": torch.ones(3),
        f"{VAE}loss.logvar": torch.zeros(()),
        f"{TEXT}text_projection.weight": torch.ones(2, 2),
        "cond_stage_model.logit_scale": torch.ones(()),
    }
    parts_fit({**tensors, **extra})


def test_old_files_lack_the_middle_name_of_the_text_encoder(tensors):
    old = {
        name.replace("transformer.text_model.", "transformer."): t for name, t in tensors.items()
    }
    assert old.keys() != tensors.keys()
    parts_fit(old)


@pytest.mark.parametrize(
    ("usual", "other"),
    [(VAE, "vae."), (UNET, "model.model."), (f"{TEXT}text_model.", "text_encoder.text_model.")],
)
def test_other_prefixes_are_known(tensors, usual, other):
    parts_fit({name.replace(usual, other): tensor for name, tensor in tensors.items()})


def test_the_autoencoder_s_attention_may_be_stored_as_matrices(tensors):
    flat = {
        name: t[:, :, 0, 0] if ".attn_1." in name and t.ndim == 4 else t
        for name, t in tensors.items()
    }
    parts_fit(flat)
    family, _, weights = detected(flat)
    found = find_autoencoder(family.autoencoder(weights)).tensors
    name = "decoder.mid.attn_1.q.weight"
    assert torch.equal(found[name], tensors[VAE + name])


def test_a_file_may_lack_parts(tensors):
    family, config, weights = detected({n: t for n, t in tensors.items() if not n.startswith(VAE)})
    assert family.autoencoder(weights) is None
    assert family.latent(config).downscale == (8, 8)


def test_a_unet_alone_is_known_by_the_width_of_clip(random_checkpoints):
    sizes = dataclasses.replace(random_checkpoints.SMALL, text_width=768, text_layers=1)
    alone = {
        name.removeprefix(UNET): tensor
        for name, tensor in random_checkpoints.tensors(sizes, torch.float16).items()
        if name.startswith(UNET)
    }
    for prefix in ("", UNET):
        family, config, weights = detected({prefix + name: t for name, t in alone.items()})
        assert family.encoder(weights, "clip_l") is None
        assert config.unet.context_channels == 768


@pytest.mark.parametrize(
    ("marks", "prediction", "zero_snr"),
    [
        ((), "eps", False),
        (("v_pred",), "v", False),
        (("v_pred", "ztsnr"), "v", True),
        ((f"{UNET}v_pred",), "v", False),
    ],
)
def test_a_mark_tells_what_is_predicted(tensors, marks, prediction, zero_snr):
    marked = {**tensors, **{mark: torch.tensor([]) for mark in marks}}
    config = parts_fit(marked)
    parameterization = StableDiffusion1().parameterization(config)
    assert parameterization.prediction == prediction
    assert (parameterization.sigma_max > 1000) == zero_snr
    assert len(parameterization.sigmas) == 1000


def test_metadata_tells_heads_and_preview_colours(tensors):
    rgb = {"factors": [[1, 2, 3]] * 4, "bias": [0.5, 0, -0.5]}
    family, config, _ = detected(
        tensors,
        **{"calotype.attention_heads": "4", "calotype.latent_rgb_factors": json.dumps(rgb)},
    )
    attention = config.unet.input_blocks[1][1]
    assert attention.heads == 4
    latent = family.latent(config)
    assert latent.rgb_factors == ((1.0, 2.0, 3.0),) * 4
    assert latent.rgb_bias == (0.5, 0.0, -0.5)


def test_without_metadata_there_are_eight_heads_and_published_colours(tensors):
    family, config, _ = detected(tensors)
    assert config.unet.input_blocks[1][1].heads == 8
    assert family.latent(config).rgb_factors == RGB_FACTORS
    assert family.latent(config).scale == 0.18215


@pytest.mark.parametrize(
    "metadata",
    [
        {"calotype.attention_heads": "many"},
        {"calotype.attention_heads": "0"},
        {"calotype.latent_rgb_factors": "{"},
        {"calotype.latent_rgb_factors": "[]"},
        {"calotype.latent_rgb_factors": '{"factors": [[1, 2]], "bias": [0, 0, 0]}'},
        {"calotype.latent_rgb_factors": '{"factors": [[1, 2, 3]], "bias": [0, 0, 0]}'},
    ],
)
def test_odd_metadata_is_an_error_that_names_it(tensors, metadata):
    with pytest.raises(WeightsError, match=rf"metadata {next(iter(metadata))}"):
        detected(tensors, **metadata)


def test_a_missing_layer_is_an_error_that_names_the_file(tensors, tmp_path):
    del tensors[f"{UNET}middle_block.0.in_layers.2.weight"]
    weights = StateDict.of(tensors, path=tmp_path / "broken.safetensors")
    with pytest.raises(WeightsError, match=r"^broken\.safetensors: looks like Stable Diffusion 1"):
        detect(weights)


def test_an_autoencoder_alone(tensors):
    for prefix in (VAE, "vae.", ""):
        alone = {
            name.replace(VAE, prefix): tensor
            for name, tensor in tensors.items()
            if name.startswith(VAE)
        }
        found = detect_autoencoder(StateDict.of(alone))
        check(found.kind.build(found.config), found.tensors)
        with pytest.raises(WeightsError, match=r"an autoencoder \(VAE\)"):
            detect(StateDict.of(alone))


def test_estimates_of_memory_grow_with_the_picture(tensors):
    family, config, weights = detected(tensors)
    found = find_autoencoder(family.autoencoder(weights))
    for part, its_config in ((family, config), (found.kind, found.config)):
        small = part.activation_bytes(its_config, (1, 4, 8, 8), 4)
        assert part.activation_bytes(its_config, (2, 4, 16, 16), 4) == 8 * small > 0


def test_a_prompt_encoded_for_another_model_is_refused(tensors):
    family, config, _ = detected(tensors)
    entry = Entry(torch.zeros(1, 77, 128), {})
    with pytest.raises(NodeError, match=r"tokens have 128 numbers, the model takes 64.*Load CLIP"):
        family.inputs(config, entry, run=Run((1, 4, 4, 4)), role=Role.POSITIVE)
