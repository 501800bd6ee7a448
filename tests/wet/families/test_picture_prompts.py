"""unCLIP, Stable Zero123 and Stable Video Diffusion: recognised, and given what they take."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from engine.diffusion.conditioning import Role
from engine.diffusion.parameterization import Prediction
from engine.errors import NodeError, WeightsError
from engine.families.autoencoders import find_autoencoder
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.families.sd2.unclip import MERGED, PICTURES, signal_kept
from engine.nets.layers import timestep_embedding
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.vision.detect import find_image_encoder
from engine.weights.apply import check
from engine.weights.state_dict import StateDict
from tests.wet import picture_checkpoints as files

NAMES = {
    "unclip": "Stable Diffusion 2.1 unCLIP",
    "zero123": "Stable Zero123",
    "video": "Stable Video Diffusion",
}
RUN = Run((4, 4, 8, 8), seed=42)


@pytest.fixture(scope="module")
def tensors(random_checkpoints):
    return {kind: getattr(files, kind)(random_checkpoints) for kind in NAMES}


def detected(tensors):
    weights = StateDict.of(tensors)
    family, config = detect(weights)
    check(family.build(config), family.denoiser(config, weights))
    return family, config


@pytest.fixture
def of(tensors):
    """The inputs that a kind of model is given."""

    def inputs(kind, embedding, run=RUN, **extras):
        family, config = detected(tensors[kind])
        return family.inputs(config, Entry(embedding, extras), run=run, role=Role.POSITIVE)

    return inputs


@pytest.mark.parametrize("kind", NAMES)
def test_files_are_recognised_with_their_parts(tensors, kind):
    family, config = detected(tensors[kind])
    assert family.name == NAMES[kind]
    found = find_image_encoder(StateDict.of(tensors[kind]))
    assert found is not None
    assert found.config == files.EYE
    autoencoder = find_autoencoder(family.autoencoder(StateDict.of(tensors[kind])))
    assert autoencoder is not None
    assert autoencoder.config.temporal is (kind == "video")
    assert family.latent(config).rows_are_frames is (kind == "video")
    assert family.activation_bytes(config, (2, 4, 8, 8), 2) > 0
    assert "conv_in" in family.lora_names(config)


@pytest.mark.parametrize(("deviation", "predicted"), [(0.5, Prediction.V), (0.02, Prediction.EPS)])
def test_unclip_predicts_what_stable_diffusion_2_does(
    random_checkpoints, tensors, deviation, predicted
):
    deep = regular_unet(64, (1, 1, 1, 1), (1, 1, 1, 0), context=64, linear=True, vector=96)
    found = {k: v for k, v in tensors["unclip"].items() if not k.startswith(files.UNET)}
    found |= files.made(random_checkpoints, files.UNET, UNet(deep))
    bias = f"{files.UNET}output_blocks.11.1.transformer_blocks.0.norm1.bias"
    found[bias] = torch.tensor([-deviation, deviation]).half().repeat(32)
    family, config = detected(found)
    assert family.parameterization(config).prediction is predicted


def seen(value, rows=1):
    return SimpleNamespace(image_embeds=torch.full((rows, files.WIDTH), value))


def picture(value=1.0, strength=1.0, augmentation=0.0, rows=1):
    return {
        "clip_vision_output": seen(value, rows),
        "strength": strength,
        "noise_augmentation": augmentation,
    }


TEXT = torch.zeros(1, 77, 64)


def test_the_noise_on_pictures_has_a_cosine_schedule():
    from diffusers import DDPMScheduler

    expected = DDPMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod
    # Diffusers multiplies in float32: seen 4e-7.
    assert (signal_kept() - expected).abs().max() < 1e-6


def test_unclip_without_a_picture_is_given_zeros(of):
    assert not of("unclip", TEXT)["vector"].value.any()


def noised(embeds, level, generator):
    kept = signal_kept()[level]
    noise = torch.randn(embeds.shape, generator=generator)
    return kept.sqrt() * embeds + (1 - kept).sqrt() * noise


@pytest.mark.parametrize("strength", [1.0, 0.4, -2.0])
def test_a_picture_is_noised_by_the_runs_seed_and_weighted(of, strength):
    found = of("unclip", TEXT, **{PICTURES: [picture(0.3, strength, 0.25)]})["vector"].value
    generator = torch.Generator().manual_seed(32)
    embeds = torch.full((1, files.WIDTH), 0.3)
    level = round(999 * 0.25)
    expected = torch.cat(
        (
            noised(embeds, level, generator),
            timestep_embedding(torch.tensor([level]), files.WIDTH),
        ),
        dim=1,
    )
    assert torch.allclose(found, strength * expected, atol=1e-6)
    other = of("unclip", TEXT, Run((1, 4, 8, 8), 43), **{PICTURES: [picture(0.3, 1.0, 0.25)]})
    assert not torch.allclose(found, other["vector"].value, atol=0.01)


@pytest.mark.parametrize("rows", [(1, 1), (2,)])
def test_several_pictures_are_summed_and_noised_again(of, rows):
    given = [picture(0.3, 0.5, 0.0, count) for count in rows]
    found = of("unclip", TEXT, **{PICTURES: given})["vector"].value
    generator = torch.Generator().manual_seed(32)
    one = 0.5 * noised(torch.full((1, files.WIDTH), 0.3), 0, generator)
    level = round(999 * MERGED)
    expected = noised(2 * one, level, generator)
    assert torch.allclose(found[:, : files.WIDTH], expected, atol=1e-6)
    sinusoid = timestep_embedding(torch.tensor([level]), files.WIDTH)
    assert torch.equal(found[:, files.WIDTH :], sinusoid)


def test_a_picture_of_another_image_encoder_is_refused(of):
    wide = picture()
    wide["clip_vision_output"].image_embeds = torch.zeros(1, 1024)
    with pytest.raises(NodeError, match=r"has 1024 numbers, the model takes 48; encode"):
        of("unclip", TEXT, **{PICTURES: [wide]})


def test_a_view_is_projected_with_its_camera_and_the_negative_is_not(tensors, of, fill):
    family, config = detected(tensors["zero123"])
    net = fill(lambda: family.build(config))
    view, none = torch.randn(4, 1, files.WIDTH + 4), torch.zeros(1, 1, files.WIDTH)
    positive, negative = of("zero123", view), of("zero123", none)
    with torch.no_grad():
        context = net.context(positive["seen"].value, positive["projects"].value)
        assert torch.equal(context, net.cc_projection(view))
        assert not net.context(negative["seen"].value, negative["projects"].value).any()
    assert positive["concat"].value.shape == (1, 4, 8, 8)
    assert not positive["concat"].value.any()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 1, 1024), "tokens have 1024 numbers, the model takes 48.*StableZero123_Conditioning"),
        ((3, 1, files.WIDTH + 4), "conditioning has 3 views, the latent 4 rows"),
    ],
)
def test_other_conditioning_is_refused_by_zero123(of, shape, message):
    with pytest.raises(NodeError, match=message):
        of("zero123", torch.zeros(shape))


def test_a_video_is_given_its_numbers_as_sinusoids(of):
    from diffusers.models.embeddings import Timesteps

    seen_by = Timesteps(256, flip_sin_to_cos=True, downscale_freq_shift=0)
    numbers = {"fps": 8, "motion_bucket_id": 100, "augmentation_level": 0.02}
    found = of("video", torch.zeros(1, 1, files.WIDTH), **numbers)
    expected = seen_by(torch.tensor([7.0, 100.0, 0.02])).reshape(1, -1)
    assert torch.allclose(found["vector"].value, expected, atol=1e-5)
    default = of("video", torch.zeros(1, 1, files.WIDTH))["vector"].value
    assert torch.allclose(default, seen_by(torch.tensor([5.0, 127.0, 0.0])).reshape(1, -1))
    assert found["frame"].value.shape == (1, 4)


def views(tensors, tool, width):
    net = regular_unet(
        64, (1,), (1,), context=files.WIDTH, blocks=1, in_channels=8, linear=True, vector=width,
        temporal=True,
    )  # fmt: skip
    rest = {k: v for k, v in tensors["video"].items() if not k.startswith(files.UNET)}
    return detected(rest | files.made(tool, files.UNET, UNet(net)))


@pytest.mark.parametrize("width", [256, 1280])
def test_sv3d_is_given_angles(tensors, random_checkpoints, width):
    family, config = views(tensors, random_checkpoints, width)
    extras = {"elevation": [10.0] * 4, "azimuth": [0.0, 120.0, 240.0, 370.0]}
    entry = Entry(torch.zeros(1, 1, files.WIDTH), extras)
    found = family.inputs(config, entry, run=RUN, role=Role.POSITIVE)["vector"].value
    assert found.shape == (4 if width == 1280 else 1, width)
    assert torch.equal(found[:1, :256], timestep_embedding(torch.tensor([0.0]), 256))
    if width == 1280:
        polar = torch.tensor([80.0]).deg2rad()
        assert torch.allclose(found[0, 256:768], timestep_embedding(polar, 512)[0])
        around = torch.tensor([10.0]).deg2rad()
        assert torch.allclose(found[3, 768:], timestep_embedding(around, 512)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("embedding", "extras", "message"),
    [
        ((1, 1, 768), {}, "tokens have 768 numbers, the model takes 48.*CLIP vision"),
        ((3, 1, 48), {}, "encoded pictures for 3 frames, the latent has 4 frames"),
        ((1, 1, 48), {"concat_latent_image": (5, 4, 8, 8)}, "pictures for 5 frames, the latent"),
        ((1, 1, 48), {"fps": [1, 2]}, "fps for 2 frames"),
        ((1, 1, 48), {"fps": "fast"}, "fps of the conditioning should be a number, found 'fast'"),
    ],
)
def test_frames_that_do_not_fit_are_refused(of, embedding, extras, message):
    given = {
        key: torch.zeros(value) if isinstance(value, tuple) else value
        for key, value in extras.items()
    }
    with pytest.raises(NodeError, match=message):
        of("video", torch.zeros(embedding), **given)


def test_odd_video_networks_are_refused(tensors, random_checkpoints):
    with pytest.raises(WeightsError, match="takes 8 channels and 512 numbers beside them"):
        views(tensors, random_checkpoints, 512)


def test_an_odd_projection_is_refused(tensors):
    bad = {**tensors["zero123"], "cc_projection.weight": torch.zeros(7, 9)}
    with pytest.raises(WeightsError, match=r"cc_projection.weight has the shape \[7, 9\]"):
        detect(StateDict.of(bad))


def test_the_largest_noise_of_a_video_leaves_nothing(tensors):
    family, config = detected(tensors["video"])
    levels = family.parameterization(config)
    assert levels.sigma_max == pytest.approx(700.0, rel=1e-4)
    assert levels.sigma_min == pytest.approx(0.002, rel=1e-4)
    assert levels.timestep(torch.tensor([700.0])).item() == pytest.approx(1.6377, abs=1e-4)


def test_the_estimate_for_frames_holds_what_is_alive(tensors):
    from tests.wet.alive import Alive

    config = regular_unet(
        64, (1, 2, 4, 4), (1, 1, 1, 0), context=files.WIDTH, in_channels=8, linear=True,
        vector=768, temporal=True, head_channels=32,
    )  # fmt: skip
    net = UNet(config).eval()
    x, context, y = torch.randn(4, 8, 32, 32), torch.randn(4, 1, files.WIDTH), torch.randn(4, 768)
    with torch.inference_mode(), Alive(net) as alive:
        net(x, torch.ones(4), context, y, frames=4)
    family, found = detected(tensors["video"])
    found = type(found)(config)
    expected = family.activation_bytes(found, x.shape, 4)
    assert 2 * alive.most < expected < 4 * alive.most, expected / alive.most
