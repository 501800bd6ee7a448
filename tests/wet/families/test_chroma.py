"""Chroma: the network as in diffusers, in both layouts."""

from __future__ import annotations

import inspect
import json

import pytest
import torch

from engine.diffusion.conditioning import Role
from engine.errors import NodeError
from engine.families.chroma.family import ChromaFamily, tensors
from engine.families.chroma.network import ChromaConfig
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.nets.layers import timestep_embedding
from engine.weights.state_dict import Entry as Stored
from engine.weights.state_dict import StateDict

from .flux_files import loaded, random_tensors

FAMILY = ChromaFamily()
TINY = ChromaConfig(
    in_channels=64,
    out_channels=64,
    context_channels=32,
    channels=256,
    inner=1024,
    double=2,
    single=2,
    given=64,
    hidden=96,
    layers=2,
)


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.inference_mode():
        yield


def diffusers_twin(given, folder):
    from diffusers import ChromaTransformer2DModel
    from diffusers.loaders import single_file_model, single_file_utils

    name = "convert_chroma_transformer_checkpoint_to_diffusers"
    source = inspect.getsource(getattr(single_file_utils, name))
    # The converter is written for one width: an upgrade that changes it must fail here.
    assert "inner_dim = 3072" in source
    scope = dict(vars(single_file_utils))
    exec(source.replace("inner_dim = 3072", f"inner_dim = {TINY.channels}"), scope)
    loadable = single_file_model.SINGLE_FILE_LOADABLE_CLASSES["ChromaTransformer2DModel"]
    original = loadable["checkpoint_mapping_fn"]
    loadable["checkpoint_mapping_fn"] = scope[name]
    values = {
        "_class_name": "ChromaTransformer2DModel",
        "patch_size": 1,
        "in_channels": TINY.in_channels,
        "num_layers": TINY.double,
        "num_single_layers": TINY.single,
        "attention_head_dim": 128,
        "num_attention_heads": TINY.channels // 128,
        "joint_attention_dim": TINY.context_channels,
        "axes_dims_rope": [16, 56, 56],
        "approximator_num_channels": TINY.given,
        "approximator_hidden_dim": TINY.hidden,
        "approximator_layers": TINY.layers,
    }
    (folder / "config.json").write_text(json.dumps(values))
    try:
        return ChromaTransformer2DModel.from_single_file(
            {key: value.clone() for key, value in given.items()},
            config=str(folder),
            local_files_only=True,
        ).eval()
    finally:
        loadable["checkpoint_mapping_fn"] = original


@pytest.mark.filterwarnings("ignore:.*FluxPosEmbed.*")
def test_the_network_is_that_of_diffusers(tmp_path):
    given = random_tensors(FAMILY.build(TINY))
    twin = diffusers_twin(given, tmp_path)
    # The numbers of the last layer are those of the released network here.
    numbers = timestep_embedding(torch.tensor([342.0, 343.0]) * 1000, 32)
    twin.time_text_embed.mod_proj[-2:] = numbers
    net = loaded(FAMILY.build(TINY), given)
    x, context = torch.randn(2, 16, 6, 8), torch.randn(2, 5, 32)
    time = torch.tensor([0.7, 0.2])
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    found = net(x, time, context, torch.zeros(2), mask=mask)
    tokens = x.reshape(2, 16, 3, 2, 4, 2).permute(0, 2, 4, 1, 3, 5).reshape(2, 12, 64)
    expected = twin(
        hidden_states=tokens,
        encoder_hidden_states=context,
        timestep=time,
        img_ids=torch.cartesian_prod(torch.tensor([0]), torch.arange(3), torch.arange(4)).float(),
        txt_ids=torch.zeros(5, 3),
        attention_mask=torch.cat((mask, torch.ones(2, 12, dtype=torch.bool)), dim=1),
    ).sample
    expected = expected.reshape(2, 3, 4, 16, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(2, 16, 6, 8)
    assert (found - expected).norm() / expected.norm() <= 1e-5
    read = tensors(StateDict.of(twin.state_dict()))
    assert read is not None
    assert FAMILY.detect(read) == TINY
    assert all(torch.equal(read[name], each) for name, each in given.items())


def test_the_full_size_layout_is_recognised_by_shape():
    config = ChromaConfig(64, 64, 4096, 3072, 12288, 19, 38, 64, 5120, 5)
    net = FAMILY.build(config)
    assert sum(each.numel() for each in net.parameters()) == 8_899_983_424
    assert config.modulations == 344
    found = {
        name: Stored(tuple(each.shape), each.dtype, torch.Tensor)
        for name, each in net.state_dict().items()
    }
    family, detected = detect(StateDict(found))
    assert (family.name, detected) == ("Chroma", config)


def test_a_conditioning_of_another_model_is_refused():
    other = Entry(torch.zeros(1, 5, 48), {})
    with pytest.raises(NodeError, match="Load CLIP, type chroma"):
        FAMILY.inputs(TINY, other, run=Run((1, 16, 6, 8)), role=Role.POSITIVE)
