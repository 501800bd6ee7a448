"""The latent diffusion models of 2022 against diffusers, in the original layout."""

from __future__ import annotations

import json
import os

import pytest
import torch
from safetensors.torch import save_file

from engine.diffusion.conditioning import Role
from engine.errors import NodeError, WeightsError
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.families.ldm.family import LatentDiffusionOfClasses, LatentDiffusionOfText
from engine.families.sd15.family import StableDiffusion1
from engine.inference.encode import encode
from engine.inference.load import load_checkpoint, load_clip, load_denoiser, load_vae
from engine.inference.vae import decode
from engine.inference.vae import encode as encode_picture
from engine.text.word_pieces import word_pieces
from engine.weights.state_dict import StateDict

TOLERANCE = 1e-5
PROMPT = "A watercolour of three Zürich rooftops, golden-hour light"
NO_EMBEDDINGS = lambda *_: None  # noqa: E731
UNET = "model.diffusion_model."


@pytest.fixture
def files(tmp_path, ldm_of_classes, ldm_of_text):
    paths = {"classes": tmp_path / "cin.safetensors", "text": tmp_path / "t2i.safetensors"}
    save_file(ldm_of_classes, paths["classes"])
    save_file(ldm_of_text, paths["text"])
    return paths


@pytest.fixture(autouse=True)
def offline():
    os.environ["HF_HUB_OFFLINE"] = "1"


def part(tensors, prefix):
    return {
        name.removeprefix(prefix): tensor.clone()
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def distance(found, expected):
    return float((found - expected).norm() / expected.norm())


def test_files_are_recognised_with_their_levels_and_latents(files):
    model, clip, vae = load_checkpoint(files["classes"])
    assert model.family.name == LatentDiffusionOfClasses.name
    assert list(clip.parts) == ["classes"]
    assert (vae.kind.name, vae.latent.channels, vae.latent.downscale) == (
        "VQ autoencoder",
        3,
        (4, 4),
    )
    assert (model.latent.channels, model.latent.scale, model.latent.downscale) == (3, 1.0, (4, 4))
    betas = torch.linspace(0.0015**0.5, 0.0195**0.5, 1000, dtype=torch.float64) ** 2
    last = (1 - betas).prod()
    expected = float(((1 - last) / last) ** 0.5)
    assert model.parameterization.sigma_max == pytest.approx(expected, rel=1e-5)
    model, clip, vae = load_checkpoint(files["text"])
    assert model.family.name == LatentDiffusionOfText.name
    assert list(clip.parts) == ["bert"]
    assert (model.latent.channels, model.latent.scale, model.latent.downscale) == (
        4,
        0.18215,
        (8, 8),
    )
    assert model.parameterization.sigma_max == pytest.approx(14.6146, rel=1e-4)


@pytest.mark.parametrize(
    ("which", "config"),
    [
        (
            "classes",
            {
                "in_channels": 3,
                "out_channels": 3,
                "block_out_channels": [32, 64],
                "cross_attention_dim": 48,
                "attention_head_dim": 1,
                "down_block_types": ["CrossAttnDownBlock2D"] * 2,
                "up_block_types": ["CrossAttnUpBlock2D"] * 2,
            },
        ),
        (
            "text",
            {
                "in_channels": 4,
                "out_channels": 4,
                "block_out_channels": [64, 128],
                "cross_attention_dim": 32,
                "attention_head_dim": 8,
                "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
                "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
            },
        ),
    ],
)
def test_the_unet_is_diffusers_own(
    cpu_residency, files, tmp_path, ldm_of_classes, ldm_of_text, which, config
):
    from diffusers import UNet2DConditionModel

    values = {**config, "layers_per_block": 1, "sample_size": 8}
    (tmp_path / "config.json").write_text(
        json.dumps({**values, "_class_name": "UNet2DConditionModel"})
    )
    tensors = {"classes": ldm_of_classes, "text": ldm_of_text}[which]
    state = {UNET + name: each for name, each in part(tensors, UNET).items()}
    oracle = UNet2DConditionModel.from_single_file(
        state, config=str(tmp_path), local_files_only=True
    ).eval()
    model = load_checkpoint(files[which])[0]
    x = torch.randn(2, config["in_channels"], 8, 12)
    times = torch.tensor([3.0, 871.0])
    context = torch.randn(2, 5, config["cross_attention_dim"])
    with cpu_residency.use(model.net), torch.no_grad():
        found = model.family.predict(
            model.net.module,
            x,
            times,
            {"context": context},
            control=None,
            hooks=None,
            checkpoint=lambda: None,
        )
        expected = oracle(x, times, context).sample
    assert distance(found, expected) < TOLERANCE


def test_the_autoencoder_with_a_codebook_is_diffusers_own(cpu_residency, files, ldm_of_classes):
    from diffusers import VQModel
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    oracle = VQModel(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 32, 64),
        layers_per_block=1,
        num_vq_embeddings=64,
    ).eval()
    state = part(ldm_of_classes, "first_stage_model.")
    converted = convert_ldm_vae_checkpoint(dict(state), dict(oracle.config))
    oracle.load_state_dict({**converted, **_codebook(state)})
    vae = load_checkpoint(files["classes"])[2]
    pixels = torch.rand(2, 16, 24, 3)
    z = torch.randn(2, 3, 5, 7)
    with torch.no_grad():
        expected = oracle.encode(pixels.movedim(-1, 1) * 2 - 1).latents
        picture = oracle.decode(z).sample.clamp(-1, 1).movedim(1, -1) / 2 + 0.5
    assert distance(encode_picture(vae, pixels), expected) < TOLERANCE
    assert float((decode(vae, z) - picture).abs().max()) < TOLERANCE


def _codebook(state):
    return {name: tensor for name, tensor in state.items() if name.startswith("quantize.")}


def test_an_autoencoder_in_diffusers_layout_is_the_same(cpu_residency, tmp_path, ldm_of_classes):
    from diffusers import VQModel

    with torch.random.fork_rng():
        torch.manual_seed(4)
        oracle = VQModel(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(32, 64),
            layers_per_block=1,
            num_vq_embeddings=1500,
        ).eval()
        z = torch.randn(1, 3, 40, 33) * 1e-3  # more cells than are compared at a time
    save_file(oracle.state_dict(), tmp_path / "vq.safetensors")
    vae = load_vae(tmp_path / "vq.safetensors")
    with torch.no_grad():
        picture = oracle.decode(z).sample.clamp(-1, 1).movedim(1, -1) / 2 + 0.5
    assert distance(decode(vae, z), picture) < TOLERANCE


def bert_of_diffusers(tensors):
    from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import (
        LDMBertConfig,
        LDMBertModel,
    )

    sizes = {"encoder_layers": 3, "encoder_ffn_dim": 64, "encoder_attention_heads": 2}
    oracle = LDMBertModel(LDMBertConfig(d_model=32, head_dim=64, **sizes)).eval()
    theirs = {
        "token_emb.weight": "model.embed_tokens.weight",
        "pos_emb.emb.weight": "model.embed_positions.weight",
        "norm.weight": "model.layer_norm.weight",
        "norm.bias": "model.layer_norm.bias",
    }
    inner = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}
    own = oracle.state_dict()
    for name, tensor in part(tensors, "cond_stage_model.transformer.").items():
        if name.startswith("to_logits"):
            continue
        if name not in theirs:
            _, _, number, place, *rest = name.split(".")
            layer, feed = divmod(int(number), 2)
            start = f"model.layers.{layer}."
            if place == "0":
                start += "final_layer_norm." if feed else "self_attn_layer_norm."
            elif feed:
                start += "fc1." if rest[1] == "0" else "fc2."
            else:
                start += f"self_attn.{inner[rest[0]]}."
            theirs[name] = start + rest[-1]
        own[theirs[name]] = tensor
    oracle.load_state_dict(own)
    return oracle


def test_prompts_equal_transformers_tokens_and_diffusers_states(
    cpu_residency, files, tmp_path, ldm_of_text
):
    import gzip

    from transformers import BertTokenizer

    from engine.text import word_pieces as module

    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_bytes(gzip.decompress(module._VOCABULARY.read_bytes()))
    tokenizer = BertTokenizer(str(vocabulary))
    numbers = tokenizer(
        PROMPT, max_length=77, padding="max_length", truncation=True, return_tensors="pt"
    )["input_ids"]
    clip = load_checkpoint(files["text"])[1]
    with torch.no_grad():
        expected = bert_of_diffusers(ldm_of_text).model(numbers)[0]
    [[states, extras]] = encode(clip, PROMPT, NO_EMBEDDINGS)
    assert extras == {}
    assert states.shape == (1, 77, 32)
    assert distance(states, expected) < TOLERANCE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "naïve café",
        "O'Neill's 3.5mm",
        "你好 world",
        "snake_case\tand\nlines",
        "x" * 120,
        "\uff21\uff22 \ufb01",
    ],
)
def test_words_are_split_like_transformers(tmp_path, text):
    import gzip

    from transformers import BertTokenizer

    from engine.text import word_pieces as module

    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_bytes(gzip.decompress(module._VOCABULARY.read_bytes()))
    expected = BertTokenizer(str(vocabulary))(text, add_special_tokens=False)["input_ids"]
    assert word_pieces().numbers(text) == expected


def test_the_vocabulary_is_berts():
    assert word_pieces().size == 30522
    assert word_pieces().numbers("i like strawberries") == [1045, 2066, 13137, 20968]
    assert word_pieces().numbers("\ud800") == word_pieces().numbers("?")


def test_weights_long_prompts_and_textual_inversions(cpu_residency, files):
    clip = load_checkpoint(files["text"])[1]
    plain, empty, strong = (
        encode(clip, text, NO_EMBEDDINGS)[0][0] for text in ("fox", "", "(fox:1.5)")
    )
    assert distance(strong[:, 1] - empty[:, 1], 1.5 * (plain[:, 1] - empty[:, 1])) < 1e-5
    long = encode(clip, "fox " * 80, NO_EMBEDDINGS)[0][0]
    assert long.shape == (1, 154, 32)
    learned = torch.randn(2, 32)
    found = encode(clip, "embedding:mine fox", lambda name, encoder: learned)[0][0]
    assert found.shape == (1, 77, 32)
    assert distance(found, plain) > 0.01


def test_a_prompt_of_the_class_model_is_a_number(cpu_residency, files, ldm_of_classes):
    clip = load_checkpoint(files["classes"])[1]
    table = ldm_of_classes["cond_stage_model.embedding.weight"]
    for text, row in (("7", 7), (" 0 ", 0), ("", 20), ("20", 20)):
        assert torch.equal(encode(clip, text, NO_EMBEDDINGS)[0][0], table[None, row : row + 1])
    for text in ("a fox", "21", "-1", "3.5", "9" * 30, "²"):
        with pytest.raises(NodeError, match=r"knows classes by number.*from 0 to 19"):
            encode(clip, text, NO_EMBEDDINGS)


def test_parts_in_separate_files(cpu_residency, tmp_path, ldm_of_classes, ldm_of_text):
    for name, tensors in (("classes", ldm_of_classes), ("text", ldm_of_text)):
        text = part(tensors, "cond_stage_model.")
        save_file(text, tmp_path / f"{name}.safetensors")
        clip = load_clip([tmp_path / f"{name}.safetensors"], "stable_diffusion")
        assert encode(clip, "3", NO_EMBEDDINGS)[0][0].shape[1] in (1, 77)


@pytest.mark.parametrize(
    ("context", "channels", "family"),
    [
        (512, 3, LatentDiffusionOfClasses),
        (1280, 4, LatentDiffusionOfText),
        (768, 4, StableDiffusion1),
    ],
)
def test_a_unet_alone_is_recognised_by_its_sizes(tmp_path, fill, context, channels, family):
    from engine.nets.layouts import regular_unet
    from engine.nets.unet import UNet

    sizes = {"in_channels": channels, "blocks": 1, "heads": 1}
    config = regular_unet(64, (1, 2), (1, 0), context=context, **sizes)
    save_file(fill(lambda: UNet(config)).state_dict(), tmp_path / "unet.safetensors")
    assert isinstance(load_denoiser(tmp_path / "unet.safetensors").family, family)


def test_a_conditioning_of_another_model_is_refused(files):
    model = load_checkpoint(files["classes"])[0]
    entry = Entry(torch.zeros(1, 77, 768), {})
    with pytest.raises(NodeError, match=r"768 numbers, the model takes 48.*number of a class"):
        model.family.inputs(model.config, entry, run=Run((1, 3, 8, 8)), role=Role.POSITIVE)


FAULTS = {
    "a codebook of another width": (
        {"first_stage_model.quantize.embedding.weight": torch.ones(8, 4)},
        r"quantize\.embedding\.weight should have entries of 3 numbers, found the shape \[8, 4\]",
    ),
    "no table of classes": (
        {"cond_stage_model.embedding.weight": torch.ones(48)},
        r"not a table of classes: embedding\.weight should be a matrix",
    ),
    "an empty table": (
        {"cond_stage_model.embedding.weight": torch.ones(0, 48)},
        "which is empty",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_files_are_sentences(tmp_path, ldm_of_classes, fault):
    change, says = FAULTS[fault]
    save_file({**ldm_of_classes, **change}, tmp_path / "cin.safetensors")
    with pytest.raises(WeightsError, match=says) as found:
        load_checkpoint(tmp_path / "cin.safetensors")
    assert "cin.safetensors" in str(found.value)


def test_a_text_encoder_that_takes_no_prompt_is_refused(tmp_path, ldm_of_text):
    place = "cond_stage_model.transformer."
    for name, value, says in (
        ("pos_emb.emb.weight", torch.ones(40, 32), "it has 40 positions, a prompt takes 77"),
        ("token_emb.weight", torch.ones(100, 32), "another vocabulary: it has 100 tokens"),
        ("attn_layers.layers.0.1.to_q.weight", torch.ones(100, 32), "do not split into heads"),
    ):
        save_file({**ldm_of_text, place + name: value}, tmp_path / "t2i.safetensors")
        with pytest.raises(WeightsError, match=says):
            load_checkpoint(tmp_path / "t2i.safetensors")


def test_stable_diffusion_is_not_taken_for_it(small_tensors):
    assert isinstance(detect(StateDict.of(small_tensors))[0], StableDiffusion1)
