"""HiDream-I1: equal to a direct call of diffusers' class, in every shape of pictures; adapters."""

import pytest
import torch
from diffusers.loaders import single_file_utils
from safetensors.torch import save_file

from engine.adapters.explain import complaints
from engine.adapters.read import adapter_of
from engine.errors import NodeError, WeightsError
from engine.families.bridge.hidream import combine
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.inference.adapters import matched_with, patched_model
from engine.inference.load import load_denoiser, remark
from engine.residency.manager import DeviceResidency
from engine.weights.state_dict import StateDict
from tests.wet import hidream_files
from tests.wet.bridge_files import PREFIX

CPU = torch.device("cpu")
WHOLE = 10**9
TIME = torch.tensor([0.7, 0.3])


@pytest.fixture(scope="module")
def net():
    return hidream_files.network()


@pytest.fixture(scope="module")
def path(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("hidream") / "hidream.safetensors"
    named = {PREFIX + key: each.clone() for key, each in net.state_dict().items()}
    save_file(named, path)
    return path


@pytest.fixture
def model(path):
    return load_denoiser(path)


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.inference_mode():
        yield


def drawn(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def entry():
    extras = {"pooled_output": drawn(1, 2048, seed=3), "llama_states": drawn(1, 6, 4096, seed=4)}
    return Entry(drawn(1, 5, hidream_files.WIDTH, seed=2), extras)


def called(model, x, given, *, residency=None, checkpoint=lambda: None):
    """The model's prediction for an entry at two times."""
    residency = residency or DeviceResidency(CPU, torch.float32, budget=WHOLE)
    inputs = model.family.inputs(model.config, given, run=Run(x.shape), role=None)
    dtype = residency.dtype_of(model.net)
    rows = {
        key: each.value.expand(2, *each.value.shape[1:]).to(dtype) for key, each in inputs.items()
    }
    time = model.parameterization.timestep(TIME)
    nothing = {"control": None, "hooks": None, "checkpoint": checkpoint}
    with residency.use(model.net):
        return model.family.predict(model.net.module, x.to(dtype), time, rows, **nothing).float()


def expected(net, x):
    """The class as its pipeline calls it: it predicts the way to the clean picture."""
    given = entry()
    layers = given.extras["llama_states"].unflatten(2, (32, 128)).permute(2, 0, 1, 3)
    pooled = given.extras["pooled_output"].expand(2, -1)
    text = given.embedding.expand(2, -1, -1)
    return -net(x, TIME * 1000, text, layers.expand(-1, 2, -1, -1), pooled).sample


def distance(found, wanted):
    assert found.shape == wanted.shape
    return ((found - wanted).norm() / wanted.norm()).item()


def test_a_file_predicts_what_the_class_does(model, net):
    blocks, x = [], drawn(2, 16, 6, 6)
    found = called(model, x, entry(), checkpoint=lambda: blocks.append(1))
    assert distance(found, expected(net, x)) < 1e-5
    assert len(blocks) == 2
    assert "via diffusers" in (remark(model) or "")


def test_names_are_those_that_diffusers_converts(net):
    tensors = {PREFIX + key: each for key, each in net.state_dict().items()}
    family, config = detect(StateDict.of(tensors))
    found = family.denoiser(config, StateDict.of(tensors))
    wanted = single_file_utils.convert_hidream_transformer_to_diffusers(dict(tensors))
    assert set(found) == set(wanted)
    del tensors[f"{PREFIX}caption_projection.2.linear.weight"]
    with pytest.raises(WeightsError, match="2 projections of texts for 2 blocks"):
        detect(StateDict.of(tensors))


def test_pictures_need_not_be_square(model, net):
    x = drawn(2, 16, 4, 7)
    whole = torch.cat((x, x[..., :1]), dim=-1)
    assert distance(called(model, x, entry()), expected(net, whole)[..., :7]) < 1e-5
    wide = drawn(2, 16, 128, 130)
    filled, net.max_seq = net.max_seq, 64 * 65  # so that nothing is filled up
    wanted = expected(net, wide)
    net.max_seq = filled
    assert distance(called(model, wide, entry()), wanted) < 1e-5


def test_it_streams_and_runs_in_bf16(path):
    x = drawn(2, 16, 6, 6)
    half = DeviceResidency(CPU, torch.bfloat16, budget=WHOLE)
    rounded = called(load_denoiser(path), x, entry(), residency=half)
    least = DeviceResidency(CPU, torch.bfloat16, budget=900_000, block_limit=20_000)  # of 5.7 MB
    assert torch.equal(called(load_denoiser(path), x, entry(), residency=least), rounded)
    # an expert more or less for a token where two of them are about as good
    assert distance(rounded, called(load_denoiser(path), x, entry())) < 0.2


@pytest.mark.parametrize("prefix", ["diffusion_model.", "lora_unet_"])
def test_an_adapter_changes_the_weights(prefix, model):
    module = "single_stream_blocks.0.block.attn1.to_q"
    down, up = drawn(4, 128, seed=7), drawn(128, 4, seed=8)
    net = hidream_files.network()
    net.get_submodule(module).weight.add_(0.5 * up @ down)
    key = module if "." in prefix else module.replace(".", "_")
    kinds = ("lora_A", "lora_B") if "." in prefix else ("lora_down", "lora_up")
    tensors = {
        f"{prefix}{key}.{kind}.weight": each for kind, each in zip(kinds, (down, up), strict=True)
    }
    adapter = adapter_of(StateDict.of(tensors), "lora")
    matched = matched_with(adapter, model, None)
    assert complaints(adapter, matched, model.family.name) == []
    x = drawn(2, 16, 6, 6)
    found = called(patched_model(model, matched, 0.5), x, entry())
    assert distance(found, expected(net, x)) < 1e-5


def test_what_is_not_for_it_is_refused(model):
    x, given = drawn(2, 16, 6, 6), entry()
    edited = {**given.extras, "concat_latent_image": x[:1]}
    with pytest.raises(NodeError, match="HiDream-E1 does not run here"):
        called(model, x, Entry(given.embedding, edited))
    with pytest.raises(NodeError, match="has none numbers of Llama"):
        called(model, x, Entry(given.embedding, {}))
    with pytest.raises(WeightsError, match=r"Llama 3\.1 8B is missing\. Load"):
        combine({"t5xxl": object()})
