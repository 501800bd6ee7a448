"""Stable Diffusion 2 is recognised in every layout, with what it predicts; its text."""

import dataclasses
import os

import pytest
import torch
from safetensors.torch import save_file

from engine.diffusion.conditioning import Role
from engine.diffusion.parameterization import Prediction
from engine.errors import NodeError, WeightsError
from engine.families import open_clip_text
from engine.families.autoencoders import find_autoencoder
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.families.sd2.family import NORM_BIAS, StableDiffusion2
from engine.nets.attention import attend
from engine.nets.unet_names import unet_names
from engine.nodekit.context import RunningContext
from engine.text.clip import CLIP_H
from engine.text.tokens import clip_tokenizer
from engine.weights.apply import check
from engine.weights.state_dict import StateDict
from nodes import loaders, text, text_loaders
from nodes.text import clip_set_last_layer

UNET, TEXT = "model.diffusion_model.", "cond_stage_model.model."
BIAS = UNET + NORM_BIAS
PROMPT = "a photo of a cat, golden light"


@pytest.fixture(scope="module")
def tensors(random_checkpoints):
    return random_checkpoints.tensors(random_checkpoints.SMALL_2, torch.float16)


@pytest.fixture
def context(files, settings, tensors, cpu_residency):
    checkpoints, encoders = (
        settings.models_directories[0] / name for name in ("checkpoints", "text_encoders")
    )
    for folder in (checkpoints, encoders):
        folder.mkdir(parents=True)
    save_file(tensors, checkpoints / "two.safetensors")
    alone = {k.removeprefix(TEXT): v for k, v in tensors.items() if k.startswith(TEXT)}
    save_file(alone, encoders / "open.safetensors")
    found = CLIP_H.tensors(StateDict.of(alone))
    save_file({f"text_model.{k}": found[k].clone() for k in found}, encoders / "hf.safetensors")
    return RunningContext("1", files)


def detected(tensors):
    weights = StateDict.of(tensors)
    family, config = detect(weights)
    check(family.build(config), family.denoiser(config, weights))
    return family, config


def deep(random_checkpoints, deviation):
    """A UNet with the twelve blocks of the released ones, whose norm's biases deviate so."""
    sizes = dataclasses.replace(
        random_checkpoints.SMALL_2, multipliers=(1, 1, 1, 1), depths=(1, 1, 1, 0), blocks=2
    )
    found = random_checkpoints.tensors(sizes, torch.float16)
    found[BIAS] = torch.tensor([-deviation, deviation]).half().repeat(32)
    return found


def test_our_own_tool_writes_what_we_read(random_checkpoints, tensors):
    family, config = detected(tensors)
    assert family.name == "Stable Diffusion 2"
    unet, encoder, autoencoder = random_checkpoints.parts(random_checkpoints.SMALL_2).values()
    assert config.unet == unet.config
    weights = StateDict.of(tensors)
    found = CLIP_H.tensors(family.encoder(weights, "clip_h"))
    assert CLIP_H.config(found) == encoder.config
    assert find_autoencoder(family.autoencoder(weights)).config == autoencoder.config
    assert config.prediction is Prediction.EPS
    assert family.latent(config).scale == 0.18215


def test_what_a_file_predicts_shows_in_a_norm(random_checkpoints):
    assert detected(deep(random_checkpoints, 0.08))[1].prediction is Prediction.EPS
    assert detected(deep(random_checkpoints, 0.10))[1].prediction is Prediction.V
    marked = {**deep(random_checkpoints, 0.08), "v_pred": torch.zeros(0)}
    assert detected(marked)[1].prediction is Prediction.V
    inpainting = deep(random_checkpoints, 0.5)
    inpainting[f"{UNET}input_blocks.0.0.weight"] = torch.zeros(64, 9, 3, 3)
    assert detected(inpainting)[1].prediction is Prediction.EPS


@pytest.mark.parametrize(
    "prefix",
    ["text_encoders.clip_h.transformer.", "text_encoder.", "cond_stage_model.transformer."],
)
def test_the_text_encoder_may_have_the_names_of_transformers(tensors, prefix):
    found = {k: v for k, v in tensors.items() if not k.startswith(TEXT)}
    part = CLIP_H.tensors(StateDict.of(tensors).part(TEXT))
    found |= {f"{prefix}text_model.{name}": part[name] for name in part}
    family, _ = detected(found)
    assert family.name == "Stable Diffusion 2"
    again = CLIP_H.tensors(family.encoder(StateDict.of(found), "clip_h"))
    assert again.shapes == part.shapes


def test_a_unet_alone_is_known_by_the_width_of_clip(random_checkpoints):
    sizes = dataclasses.replace(random_checkpoints.SMALL_2, open_width=1024, open_layers=1)
    found = random_checkpoints.tensors(sizes, torch.float16)
    alone = {k.removeprefix(UNET): v for k, v in found.items() if k.startswith(UNET)}
    family, config = detected(alone)
    assert (family.name, config.unet.context_channels) == ("Stable Diffusion 2", 1024)
    family, same = detected(diffusers_names(alone, config))
    assert (family.name, same) == ("Stable Diffusion 2", config)


def diffusers_names(tensors, config):
    back = {ours: theirs for theirs, ours in unet_names(config.unet).items()}
    return {
        f"{back[module]}.{kind}": tensor
        for (module, _, kind), tensor in ((k.rpartition("."), v) for k, v in tensors.items())
    }


def test_unclip_belongs_to_another_family(tensors):
    more = {f"{UNET}label_emb.0.0.weight": torch.zeros(256, 1536)}
    assert StableDiffusion2().detect(StateDict.of({**tensors, **more})) is None


def test_a_depth_model_is_called_by_its_name(tensors):
    depth = {**tensors, f"{UNET}input_blocks.0.0.weight": torch.zeros(64, 5, 3, 3)}
    with pytest.raises(WeightsError, match="this is an SD2 depth-to-image checkpoint"):
        detect(StateDict.of(depth))


def test_prompts_are_encoded_as_transformers_does(context, tensors):
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    oracle = CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=64,
            intermediate_size=256,
            num_hidden_layers=24,
            num_attention_heads=1,
            max_position_embeddings=77,
            hidden_act="gelu",
            projection_dim=64,
            bos_token_id=49406,
            eos_token_id=49407,
        )
    ).eval()
    wide = {name: each.float() for name, each in tensors.items()}
    converted = convert_open_clip_checkpoint(oracle, dict(wide), prefix=TEXT)
    # The converter leaves out what only the pooled output needs: OpenCLIP multiplies by the
    # projection from the right.
    converted["text_projection.weight"] = wide[f"{TEXT}text_projection"].T
    later = {k.replace(".resblocks.23.", ".resblocks.22."): v for k, v in wide.items()}
    last = convert_open_clip_checkpoint(oracle, later, prefix=TEXT)
    converted |= {k.replace(".22.", ".23."): v for k, v in last.items() if ".layers.22." in k}
    missing, unexpected = oracle.load_state_dict(converted, strict=False)
    assert [name for name in missing if "position_ids" not in name] == unexpected == []
    row = [49406, *clip_tokenizer().numbers(PROMPT), 49407]
    tokens = torch.tensor([[*row, *[0] * (77 - len(row))]])
    with torch.no_grad():
        found = oracle(tokens, output_hidden_states=True)
        final = oracle.text_model.final_layer_norm
        states = {layer: final(found.hidden_states[layer]) for layer in (-1, -2, -3)}
    clip = loaders.load_checkpoint_file("two.safetensors", context)[1]
    [[plain, extras]] = text.clip_text_encode(PROMPT, clip, context)
    assert (plain - states[-2]).abs().max() < 2e-5
    assert (extras["pooled_output"] - found.text_embeds).abs().max() < 2e-5
    for layer, expected in states.items():
        skipped = clip_set_last_layer(clip=clip, stop_at_clip_layer=layer)
        [[chosen, _]] = text.clip_text_encode(PROMPT, skipped, context)
        assert (chosen - expected).abs().max() < 2e-5


@pytest.mark.parametrize("name", ["open", "hf"])
def test_a_text_encoder_in_a_file_of_its_own(context, name):
    clip = loaders.load_checkpoint_file("two.safetensors", context)[1]
    alone = text_loaders.load_one(
        clip_name=f"{name}.safetensors", type="stable_diffusion", ctx=context
    )
    [[expected, _]] = text.clip_text_encode("a (red:1.3) fox", clip, context)
    [[found, _]] = text.clip_text_encode("a (red:1.3) fox", alone, context)
    assert torch.equal(found, expected)


def test_a_missing_text_encoder_is_an_error():
    with pytest.raises(WeightsError, match="needs the text encoder CLIP H, which is missing"):
        open_clip_text.combine({})


def test_a_prompt_encoded_for_another_model_is_refused(tensors):
    family, config = detected(tensors)
    entry = Entry(torch.zeros(1, 77, 768), {})
    with pytest.raises(NodeError, match=r"have 768 numbers, the model takes 64.*an SD2 checkpoint"):
        family.inputs(config, entry, run=Run((1, 4, 4, 4)), role=Role.POSITIVE)


def test_large_queries_do_not_overflow_fp16():
    """Released files have products of queries and keys beyond 65,504, fp16's largest number."""
    generator = torch.Generator().manual_seed(1)
    query = torch.randn(1, 16, 64, generator=generator) * 60
    key = query + torch.randn(1, 16, 64, generator=generator)
    value = torch.randn(1, 16, 64, generator=generator)
    assert (query @ key.mT).max() > 1e5
    found = attend(query.half(), key.half(), value.half(), 1).float()
    expected = attend(*(each.half().float() for each in (query, key, value)), 1)
    assert (found - expected).abs().max() < 2e-3


def test_the_full_layout_has_the_sizes_of_the_released_files(random_checkpoints):
    shapes = dict(random_checkpoints.shapes(random_checkpoints.SD20))
    found = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    found[BIAS] = torch.zeros(320)
    family, config = detect(StateDict.of(found))
    assert (family.name, config.unet.context_channels) == ("Stable Diffusion 2", 1024)
    first = config.unet.input_blocks[1][1]
    assert (first.heads, first.linear) == (5, True)
