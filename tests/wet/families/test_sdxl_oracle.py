"""SDXL's text against transformers: a whole file in the original layout, both encoders at once."""

import os

import torch

from engine.families.sdxl.family import StableDiffusionXL
from engine.inference.encode import encode
from engine.inference.values import Clip, TextPart
from engine.residency.carriers import Wants
from engine.residency.handles import LazyWeights
from engine.text.clip import CLIP_G, CLIP_L
from engine.text.table import ENCODERS
from engine.text.tokens import clip_tokenizer
from engine.weights.state_dict import StateDict

PROMPT = "a photo of a cat, golden light"


def clip_of(weights):
    family, parts = StableDiffusionXL(), {}
    for name in family.text.styles:
        encoder = ENCODERS[name]
        tensors = encoder.tensors(family.encoder(weights, name))
        config = encoder.config(tensors)
        with torch.device("meta"):
            module = encoder.build(config)
        handle = LazyWeights(
            name, 1, lambda module=module: module, sources=tensors.entries, wants=Wants()
        )
        parts[name] = TextPart(encoder, config, handle)
    return Clip(family.text, parts)


def settings(width, layers, activation):
    return {
        "vocab_size": 49408,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 64,
        "max_position_embeddings": 77,
        "hidden_act": activation,
        "projection_dim": width,
        "bos_token_id": 49406,
        "eos_token_id": 49407,
    }


def tokens_of(encoder):
    numbers = clip_tokenizer().numbers(PROMPT)
    row = [49406, *numbers, 49407]
    return torch.tensor([[*row, *[encoder.chunks.pad] * (77 - len(row))]])


def test_both_encoders_equal_transformers(random_checkpoints, cpu_residency):
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    sizes = random_checkpoints.SMALL_XL
    tensors = random_checkpoints.tensors(sizes, torch.float32)
    [[states, extras]] = encode(clip_of(StateDict.of(tensors)), PROMPT, lambda *_: None)
    narrow = CLIPTextModel(
        CLIPTextConfig(**settings(sizes.text_width, sizes.text_layers, "quick_gelu"))
    ).eval()
    prefix = "conditioner.embedders.0.transformer.text_model."
    own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    missing, unexpected = narrow.load_state_dict(own, strict=False)
    assert [name for name in missing if "position_ids" not in name] == unexpected == []
    wide = CLIPTextModelWithProjection(
        CLIPTextConfig(**settings(sizes.open_width, sizes.open_layers, "gelu"))
    ).eval()
    prefix = "conditioner.embedders.1.model."
    converted = convert_open_clip_checkpoint(wide, dict(tensors), prefix=prefix)
    missing, unexpected = wide.load_state_dict(converted, strict=False)
    assert [name for name in missing if "position_ids" not in name] == []
    assert unexpected == []
    with torch.no_grad():
        first = narrow(tokens_of(CLIP_L), output_hidden_states=True)
        second = wide(tokens_of(CLIP_G), output_hidden_states=True)
    expected = torch.cat((first.hidden_states[-2], second.hidden_states[-2]), dim=-1)
    assert (states - expected).abs().max() < 2e-5
    assert (extras["pooled_output"] - second.text_embeds).abs().max() < 2e-5
