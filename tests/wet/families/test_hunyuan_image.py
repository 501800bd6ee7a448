"""HunyuanImage 2.1: the network and the autoencoder as in diffusers, in all layouts."""

from __future__ import annotations

import inspect

import diffusers
import pytest
import torch
from safetensors.torch import save_file

from engine.diffusion.conditioning import Step
from engine.errors import WeightsError
from engine.families.detect import detect, detect_autoencoder
from engine.families.family import Entry
from engine.families.hunyuan_video.glyphs import text
from engine.families.hunyuan_video.glyphs.image import HunyuanImage21Family
from engine.families.hunyuan_video.glyphs.network import HunyuanGlyphsConfig
from engine.families.hunyuan_video.network import HunyuanVideoConfig
from engine.inference import vae as autoencoding
from engine.inference.load import load_vae
from engine.residency.manager import DeviceResidency, installed
from engine.text.tokenizer_files import qwen2
from engine.weights.state_dict import StateDict
from tests.wet.video_files import hunyuan_image, hunyuan_image_original

from .flux_files import random_tensors
from .hunyuan_files import (
    GLYPHS,
    TIME,
    WORDS,
    asked,
    drawn,
    entry_of,
    layouts,
    of_diffusers,
    strays,
)

FAMILY = HunyuanImage21Family()
CPU = torch.device("cpu")
SIZE = (4, 6)


def config(*, distilled=False):
    blocks = HunyuanVideoConfig(64, 64, WORDS, 0, 256, 1024, 2, 2, 2, guidance=distilled)
    return HunyuanGlyphsConfig(
        blocks, (64, 64), glyph_channels=GLYPHS, glyph_inner=2048, flow_map=distilled
    )


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.inference_mode(), installed(DeviceResidency(CPU, torch.float32, budget=10**9)):
        yield


def twin(given, *, distilled):
    """diffusers' class with the tensors."""
    net = diffusers.HunyuanImageTransformer2DModel(
        num_attention_heads=2,
        num_layers=2,
        num_single_layers=2,
        text_embed_dim=WORDS,
        text_embed_2_dim=GLYPHS,
        guidance_embeds=distilled,
        use_meanflow=distilled,
    )
    net.load_state_dict(of_diffusers(given, "time_guidance_embed"))
    return net.eval()


def expected(net, x, entry, *, distilled):
    """The class as its pipeline calls it."""
    context = torch.cat((entry.embedding, drawn(1, 3, WORDS, seed=8)), 1).expand(2, -1, -1)
    mask = torch.tensor([[1] * 7 + [0] * 3] * 2)
    glyphs, glyph_mask = torch.zeros(2, 8, GLYPHS), torch.zeros(2, 8, dtype=torch.int64)
    if text.GLYPHS in entry.extras:
        glyphs[:, :5], glyph_mask[:, :5] = entry.extras[text.GLYPHS], 1
    more = {}
    if distilled:
        told = entry.extras.get("guidance", 3.25)
        more = {"guidance": torch.full((2,), 1000 * told), "timestep_r": torch.zeros(2)}
    given = {"encoder_hidden_states_2": glyphs, "encoder_attention_mask_2": glyph_mask}
    return net(x, TIME, context, mask, **given, **more).sample


@pytest.mark.parametrize("distilled", [False, True])
@pytest.mark.parametrize("glyphs", [False, True])
def test_pictures_are_those_of_the_class(glyphs, distilled):
    sizes = config(distilled=distilled)
    given = random_tensors(FAMILY.build(sizes))
    x = drawn(2, 64, *SIZE)
    entry = entry_of(glyphs=glyphs, **({"guidance": 5.0} if distilled and glyphs else {}))
    wanted = expected(twin(given, distilled=distilled), x, entry, distilled=distilled)
    assert strays(asked(FAMILY, sizes, given, x, entry), wanted) < 1e-5


def test_the_distilled_model_is_told_where_a_step_leads():
    entry, sizes = Entry(drawn(1, 7, WORDS, seed=2), {}), config(distilled=True)
    inputs = FAMILY.inputs(sizes, entry, run=None, role=None)
    step = Step(torch.tensor([0.8]), torch.tensor([1.0, 0.8, 0.5, 0.0]))
    assert inputs["target"].at_step(step).value.tolist() == [500.0]


def test_all_layouts_of_pictures_are_read():
    sizes = config(distilled=True)
    given = random_tensors(FAMILY.build(sizes))
    for name, layout in layouts(given, "time_guidance_embed").items():
        family, found = detect(StateDict.of(layout))
        assert (family.name, found) == ("HunyuanImage 2.1", sizes), name
        read = family.denoiser(found, StateDict.of(layout))
        assert set(read) == set(given), name
        assert all(torch.equal(read[key], each) for key, each in given.items()), name


def test_the_template_is_that_of_the_pipeline():
    from diffusers.pipelines.hunyuan_image import pipeline_hunyuanimage as pictures

    method = pictures.HunyuanImagePipeline._get_qwen_prompt_embeds
    defaults = inspect.signature(method).parameters
    assert defaults["template"].default == text.PICTURE_TEMPLATE
    assert defaults["drop_idx"].default == text.PICTURE_LEFT_OUT
    before = text.PICTURE_TEMPLATE.partition("{}")[0]
    assert len(qwen2().numbers(before)) == text.PICTURE_LEFT_OUT
    for prompt in ('a \'B\' and "A", "A"', "\u2018x\u2019 and \u201cy\u201d", "no words"):
        wanted = pictures.extract_glyph_text(prompt) or ""
        assert text.PICTURE_QUOTATIONS.of(prompt) == wanted


@pytest.mark.parametrize("layout", ["original", "of frames", "diffusers"])
def test_the_autoencoder_encodes_and_decodes_as_the_class(layout, tmp_path):
    net = hunyuan_image()
    tensors = dict(net.state_dict())
    if layout != "diffusers":
        tensors = hunyuan_image_original(net)
    if layout == "of frames":
        tensors = {
            name: each[:, :, None].clone() if each.ndim == 4 else each
            for name, each in tensors.items()
        }
    save_file(tensors, tmp_path / "vae.safetensors")
    vae = load_vae(tmp_path / "vae.safetensors")
    assert (vae.latent.channels, vae.latent.downscale) == (64, (32, 32))
    pixels = torch.rand(1, 64, 96, 3, generator=torch.Generator().manual_seed(1))
    latent = autoencoding.encode(vae, pixels)
    given = pixels.movedim(-1, 1) * 2 - 1
    assert strays(latent, net.encode(given).latent_dist.mode()) < 1e-5
    wanted = (net.decode(latent).sample.movedim(1, -1) / 2 + 0.5).clamp(0, 1)
    assert strays(autoencoding.decode(vae, latent), wanted) < 1e-5


def test_a_damaged_autoencoder_is_named():
    tensors = hunyuan_image_original(hunyuan_image())
    tensors["encoder.down.5.block.0.conv1.weight"] = torch.zeros(40, 32, 3, 3)
    with pytest.raises(WeightsError, match="expected 6 levels"):
        detect_autoencoder(StateDict.of(tensors))
