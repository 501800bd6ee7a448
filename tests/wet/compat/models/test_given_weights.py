"""State dicts of packs that read GGUF files, and how they clone a text encoder's patcher."""

import enum

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.compat.boundary import plugin_boundary
from engine.compat.given_weights import given_entry, given_weights
from engine.compat.install import host_module
from engine.errors import WeightsError
from engine.families.flux.network import Flux, FluxConfig
from engine.inference.load import load_checkpoint
from engine.residency.manager import current

FLUX = FluxConfig(64, 64, 32, 24, 256, 512, 1, 1, guidance=True)


class Kind(enum.IntEnum):
    F16 = 1
    Q8_0 = 8
    IQ2_XXS = 16
    BF16 = 30


class Packed(torch.Tensor):
    """As such packs have it: bytes that say the shape of their values."""

    def __new__(cls, data, **_):
        return torch.Tensor._make_subclass(cls, data)

    def __init__(self, _data, *, tensor_type, tensor_shape):
        super().__init__()
        self.tensor_type, self.tensor_shape = tensor_type, torch.Size(tensor_shape)

    @property
    def shape(self):
        return self.tensor_shape

    def detach(self):
        return self


def q8_0(values):
    """[rows, columns] packed by the format's definition, and what it means."""
    blocks = values.float().numpy().reshape(-1, 32)
    scale = (np.abs(blocks).max(axis=1, keepdims=True) / 127).astype(np.float16)
    safe = np.where(scale == 0, 1, scale).astype(np.float32)
    levels = np.round(blocks / safe).clip(-127, 127).astype(np.int8)
    data = np.concatenate([scale.view(np.uint8), levels.view(np.uint8)], axis=1)
    packed = torch.from_numpy(data.reshape(values.shape[0], -1).copy())
    meant = torch.from_numpy(levels * scale.astype(np.float32)).reshape(values.shape)
    return Packed(packed, tensor_type=Kind.Q8_0, tensor_shape=values.shape), meant


def test_packed_tensors_stay_packed_and_mean_what_the_format_says():
    torch.manual_seed(0)
    packed, meant = q8_0(torch.randn(6, 64))
    entry = given_entry("w", packed)
    assert (entry.shape, entry.nbytes, entry.is_compact) == ((6, 64), 6 * 2 * 34, True)
    assert torch.allclose(entry.unpack(entry.read_parts(), torch.float32), meant)
    half = Packed(torch.ones(2, 3).half(), tensor_type=Kind.F16, tensor_shape=(3, 2))
    assert given_entry("h", half).read().shape == (3, 2)
    bytes_ = torch.tensor([1.5, -2.0], dtype=torch.bfloat16).view(torch.uint8)
    read = given_entry("b", Packed(bytes_, tensor_type=Kind.BF16, tensor_shape=(2,))).read()
    assert read.tolist() == [1.5, -2.0]


@pytest.mark.parametrize(
    ("kind", "shape", "said"),
    [(Kind.IQ2_XXS, (1, 256), "IQ2_XXS"), (Kind.Q8_0, (7, 64), "shape needs"), (99, (1,), "99")],
)
def test_what_cannot_be_read_is_named(kind, shape, said):
    bad = Packed(torch.zeros(6, 68, dtype=torch.uint8), tensor_type=kind, tensor_shape=shape)
    with pytest.raises(WeightsError, match=f"tensor w .*{said}"):
        given_weights({"w": bad, "note": "no tensor"})


def test_a_model_of_packed_tensors_computes_what_it_computes_unpacked(cpu_residency, fill):
    stored, plain, packed = fill(lambda: Flux(FLUX)).state_dict(), {}, {}
    for name, each in stored.items():
        if each.ndim == 2 and each.shape[1] % 32 == 0:
            packed[name], plain[name] = q8_0(each)
        else:
            packed[name] = plain[name] = each.float()
    load = host_module("comfy.sd").load_diffusion_model_state_dict
    options = {"custom_operations": torch.nn}
    first, second = (load(each, model_options=options) for each in (packed, plain))
    names = first.to_value().net.sources
    assert names["double_blocks.0.img_attn.qkv.weight"].is_compact
    x, vector = torch.randn(1, 16, 8, 8), torch.randn(1, 24)
    call = {"context": torch.randn(1, 5, 32), "y": vector, "guidance": torch.tensor([3.5])}
    found = []
    for each in (first, second):
        with current().use(each.to_value().net):
            net = each.model.diffusion_model
            found.append(net(x, torch.tensor([0.5]), **call))
    assert torch.isfinite(found[0]).all()
    assert torch.allclose(found[0].float(), found[1].float(), rtol=1e-4, atol=1e-5)


def test_a_text_encoders_patcher_is_cloned_by_a_class_that_was_made_for_models(
    small_tensors, tmp_path, cpu_residency
):
    save_file(small_tensors, tmp_path / "small.safetensors")
    clip = plugin_boundary().to_object(load_checkpoint(tmp_path / "small.safetensors")[1])

    class Own(host_module("comfy.model_patcher").ModelPatcher):
        def clone(self, *args, **kwargs):
            before, self.__class__ = self.__class__, Own
            made = super().clone(*args, **kwargs)
            made.__class__, self.__class__ = Own, before
            made.size = 0
            return made

    tokens = clip.tokenize("a boat")
    plain = clip.encode_from_tokens(tokens)
    before = clip.patcher
    clip.patcher = Own.clone(before)
    assert clip.patcher is not before
    assert type(before) is type(clip.patcher), "the engine calls what Own lacks"
    assert torch.equal(clip.encode_from_tokens(tokens), plain)
    assert torch.equal(clip.clone().encode_from_tokens(tokens), plain)
