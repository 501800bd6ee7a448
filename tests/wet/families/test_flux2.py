"""FLUX.2: the network and the autoencoder as in diffusers, sizes of the released ones, inputs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from engine.diffusion.conditioning import Role
from engine.errors import NodeError
from engine.families.autoencoders import find_autoencoder
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.families.flux2 import keys
from engine.families.flux2.family import Flux2Family
from engine.families.flux2.network import REFERENCES_APART, Flux2Config
from engine.families.reference_latents import Method, places
from engine.inference.prefix_cache import Precision, RunCache, Where
from engine.nets.hooks import NetHooks
from engine.weights.state_dict import Entry as Stored
from engine.weights.state_dict import StateDict

from .flux_files import loaded, random_tensors

FAMILY = Flux2Family()
TINY = Flux2Config(
    in_channels=128, context_channels=32, channels=256, inner=768, double=2, single=2, guidance=True
)
PUBLISHED = {
    "dev": (15360, 6144, 8, 48, True, 32_223_281_152),
    "klein 9B": (12288, 4096, 8, 24, False, 9_078_581_248),
    "klein 4B": (7680, 3072, 5, 20, False, 3_875_544_576),
}


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.inference_mode():
        yield


def values_of_diffusers(config):
    return {
        "patch_size": 1,
        "in_channels": config.in_channels,
        "num_layers": config.double,
        "num_single_layers": config.single,
        "attention_head_dim": 128,
        "num_attention_heads": config.channels // 128,
        "joint_attention_dim": config.context_channels,
        "timestep_guidance_channels": 256,
        "mlp_ratio": 3.0,
        "axes_dims_rope": [32, 32, 32, 32],
        "rope_theta": 2000,
        "eps": 1e-6,
        "guidance_embeds": config.guidance,
    }


def positions(first, rows, columns):
    axes = (torch.tensor([first]), torch.arange(rows), torch.arange(columns), torch.tensor([0]))
    return torch.cartesian_prod(*axes)


@pytest.mark.parametrize("guidance", [True, False])
def test_the_network_is_that_of_diffusers(guidance, tmp_path):
    from diffusers import Flux2Transformer2DModel

    config = replace(TINY, guidance=guidance)
    tensors = random_tensors(FAMILY.build(config))
    values = {**values_of_diffusers(config), "_class_name": "Flux2Transformer2DModel"}
    (tmp_path / "config.json").write_text(json.dumps(values))
    twin = Flux2Transformer2DModel.from_single_file(
        {key: value.clone() for key, value in tensors.items()},
        config=str(tmp_path),
        local_files_only=True,
    ).eval()
    net = loaded(FAMILY.build(config), tensors)
    x, reference, context = (
        torch.randn(2, 128, 3, 4), torch.randn(2, 128, 2, 3), torch.randn(2, 5, 32)
    )  # fmt: skip
    time, strength = torch.tensor([0.7, 0.2]), torch.tensor([3.5, 4.0]) if guidance else None
    found = net(
        x,
        time,
        context,
        strength,
        references=[(reference, places(Method.INDEX, (3, 4), [(2, 3)])[0])],
    )
    ids = torch.cat((positions(0, 3, 4), positions(10, 2, 3)))[None].expand(2, -1, -1)
    words = torch.nn.functional.pad(torch.arange(5)[:, None], (3, 0))[None].expand(2, -1, -1)
    expected = twin(
        hidden_states=torch.cat((x.flatten(2), reference.flatten(2)), dim=2).transpose(1, 2),
        encoder_hidden_states=context,
        timestep=time,
        guidance=strength,
        img_ids=ids,
        txt_ids=words,
    ).sample[:, :12]
    strays = (found.flatten(2).transpose(1, 2) - expected).norm() / expected.norm()
    assert strays <= 1e-5
    read = keys.tensors(StateDict.of(twin.state_dict()))
    assert read is not None
    assert keys.config(read) == config
    assert read.shapes == {name: tuple(each.shape) for name, each in tensors.items()}
    assert all(torch.equal(read[name], each) for name, each in tensors.items())


class TwinWithCache:
    """diffusers' network with the attention that it has for KV: the first step, and later ones."""

    def __init__(self, config, tensors, folder):
        from diffusers import Flux2Transformer2DModel
        from diffusers.models.transformers import transformer_flux2 as theirs

        values = {**values_of_diffusers(config), "_class_name": "Flux2Transformer2DModel"}
        (folder / "config.json").write_text(json.dumps(values))
        self.net = Flux2Transformer2DModel.from_single_file(
            {key: value.clone() for key, value in tensors.items()},
            config=str(folder),
            local_files_only=True,
        ).eval()
        for block in self.net.transformer_blocks:
            block.attn.set_processor(theirs.Flux2KVAttnProcessor())
        for block in self.net.single_transformer_blocks:
            block.attn.set_processor(theirs.Flux2KVParallelSelfAttnProcessor())
        self.stored = None

    def __call__(self, tokens, ids, refs, ref_ids, **same):
        given = {**same, "return_dict": False}
        if self.stored is not None:
            cached = {"kv_cache": self.stored, "kv_cache_mode": "cached"}
            return self.net(hidden_states=tokens, img_ids=ids[None], **cached, **given)[0]
        found, self.stored = self.net(
            hidden_states=torch.cat((refs, tokens), dim=1),
            img_ids=torch.cat((ref_ids, ids))[None],
            kv_cache_mode="extract",
            num_ref_tokens=refs.shape[1],
            **given,
        )
        return found


def tokens_of(*latents):
    return torch.cat([each.flatten(2) for each in latents], dim=2).transpose(1, 2)


@pytest.mark.parametrize("guidance", [True, False])
def test_references_apart_are_those_of_diffusers(guidance, tmp_path):
    config = replace(TINY, guidance=guidance)
    tensors = random_tensors(FAMILY.build(config))
    twin, net = TwinWithCache(config, tensors, tmp_path), loaded(FAMILY.build(config), tensors)
    pictures = torch.randn(1, 128, 2, 3), torch.randn(1, 128, 3, 1)
    context, strength = torch.randn(1, 5, 32), torch.tensor([3.5]) if guidance else None
    given = [*zip(pictures, places(Method.INDEX, (3, 4), [(2, 3), (3, 1)]), strict=True)]
    words = torch.nn.functional.pad(torch.arange(5)[:, None], (3, 0))[None]
    apart = torch.cat((positions(10, 2, 3), positions(20, 3, 1)))
    cache = RunCache(Where.AUTO, Precision.DEFAULT)
    hooks = NetHooks().with_patch(REFERENCES_APART, cache)
    same = {"encoder_hidden_states": context, "guidance": strength, "txt_ids": words}
    for level in (0.9, 0.4):
        x, time = torch.randn(1, 128, 3, 4), torch.tensor([level])
        ids, refs = positions(0, 3, 4), tokens_of(*pictures)
        expected = twin(tokens_of(x), ids, refs, apart, timestep=time, **same)
        for _ in range(2):  # computed at the first call, read at the others
            found = net(x, time, context, strength, references=given, hooks=hooks)
            strays = (tokens_of(found) - expected).norm() / expected.norm()
            assert strays <= 1e-5
    assert [row.is_complete for row in cache._rows] == [True]
    nowhere = NetHooks().with_patch(REFERENCES_APART, lambda *_: None)
    plain = net(x, time, context, strength, references=given, hooks=nowhere)
    assert torch.allclose(plain, found, atol=1e-5)
    together = net(x, time, context, strength, references=given)
    assert not torch.allclose(together, found, atol=1e-3)


@pytest.mark.parametrize("name", PUBLISHED)
def test_full_size_layouts_are_recognised_by_shape(name):
    from diffusers import Flux2Transformer2DModel

    context, channels, double, single, guidance, parameters = PUBLISHED[name]
    config = Flux2Config(
        in_channels=128,
        context_channels=context,
        channels=channels,
        inner=3 * channels,
        double=double,
        single=single,
        guidance=guidance,
    )
    net = FAMILY.build(config)
    assert sum(each.numel() for each in net.parameters()) == parameters
    with torch.device("meta"):
        twin = Flux2Transformer2DModel(**values_of_diffusers(config))
    assert sum(each.numel() for each in twin.parameters()) == parameters
    found = {
        f"model.diffusion_model.{name}": Stored(tuple(each.shape), each.dtype, torch.Tensor)
        for name, each in net.state_dict().items()
    }
    family, detected = detect(StateDict(found))
    assert (family.name, detected) == ("FLUX.2", config)


def test_it_computes_in_bf16():
    tensors = random_tensors(FAMILY.build(TINY))
    exact = loaded(FAMILY.build(TINY), tensors)
    rough = loaded(FAMILY.build(TINY), {name: each.bfloat16() for name, each in tensors.items()})
    x, context = torch.randn(1, 128, 3, 4), torch.randn(1, 5, 32)
    time, guidance = torch.tensor([0.7]), torch.tensor([4.0])
    found = rough(x.bfloat16(), time, context.bfloat16(), guidance.bfloat16())
    expected = exact(x, time, context, guidance)
    assert found.dtype == torch.bfloat16
    assert (found.float() - expected).norm() / expected.norm() <= 0.02


def test_inputs():
    run, entry = Run((1, 128, 3, 4)), Entry(torch.ones(1, 5, 32), {"guidance": 2.0})
    found = FAMILY.inputs(TINY, entry, run=run, role=Role.POSITIVE)
    context = found["context"].value
    assert context.shape == (1, 512, 32)
    assert not context[:, :507].any()
    assert context[:, 507:].all()
    assert float(found["guidance"].value) == 2.0
    klein = replace(TINY, guidance=False)
    assert set(FAMILY.inputs(klein, entry, run=run, role=Role.POSITIVE)) == {"context"}
    other = Entry(torch.ones(1, 5, 48), {})
    with pytest.raises(NodeError, match="Qwen3 4B for klein 4B"):
        FAMILY.inputs(TINY, other, run=run, role=Role.POSITIVE)
    given = Entry(torch.ones(1, 5, 32), {"reference_latents": [torch.zeros(1, 128, 2, 2)]})
    assert f"reference {Method.INDEX} 0" in FAMILY.inputs(TINY, given, run=run, role=Role.POSITIVE)


@pytest.mark.parametrize("decoder", [None, (32, 32, 64, 64)], ids=["", "other decoder"])
def test_the_autoencoder_is_that_of_diffusers(decoder):
    """Also with a decoder of other widths, as in `full_encoder_small_decoder.safetensors`."""
    from diffusers import AutoencoderKLFlux2

    twin = AutoencoderKLFlux2(
        block_out_channels=(32, 64, 32, 32),
        decoder_block_out_channels=decoder,
        latent_channels=8,
        layers_per_block=1,
    ).eval()
    twin.bn.running_mean.copy_(torch.randn(32))
    twin.bn.running_var.copy_(torch.rand(32) + 0.5)
    found = find_autoencoder(StateDict.of(twin.state_dict()))
    assert found is not None
    latent = found.kind.latent(found.config)
    assert (found.kind.name, latent.channels, latent.pixels) == ("packed KL autoencoder", 32, 16)
    net = found.kind.build(found.config)
    net.load_state_dict({name: found.tensors[name] for name in found.tensors}, assign=True)
    pixels = torch.randn(1, 3, 32, 48)
    mean = twin.encode(pixels).latent_dist.mean
    packed = mean.reshape(1, 8, 2, 2, 3, 2).permute(0, 1, 3, 5, 2, 4).reshape(1, 32, 2, 3)
    deviation = (twin.bn.running_var + 1e-4).sqrt()[:, None, None]
    expected = (packed - twin.bn.running_mean[:, None, None]) / deviation
    encoded = net.encode(pixels)
    assert (encoded - expected).norm() / expected.norm() <= 1e-5
    decoded, pictures = net.decode(encoded), twin.decode(mean).sample
    assert (decoded - pictures).norm() / pictures.norm() <= 1e-5
    # The original files have two convolutions inside the encoder and the decoder.
    inside = {"quant_conv": "encoder.", "post_quant_conv": "decoder."}
    original = {
        f"{inside.get(name.partition('.')[0], '')}{name}": found.tensors[name]
        for name in found.tensors
    }
    again = find_autoencoder(StateDict.of({**original, "bn.num_batches_tracked": torch.tensor(1)}))
    assert again is not None
    assert again.tensors.shapes == found.tensors.shapes
