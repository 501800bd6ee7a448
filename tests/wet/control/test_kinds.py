"""Every kind of control network in whole runs: strength, batches, streaming, a damaged file."""

import pytest
import torch
from safetensors.torch import save_file

from engine.adapters.read import open_adapter
from engine.control.detect import KINDS
from engine.control.of_unets import OfUNets
from engine.errors import NodeError, WeightsError
from engine.inference.control import Control, controlled, load_control
from engine.inference.control_run import ControlRun
from engine.inference.load import load_checkpoint
from engine.nets.controlnet import ControlNet, ControlNetConfig
from engine.nets.controlnet_union import ControlNetUnion, UnionConfig
from engine.nets.layouts import regular_unet
from engine.nets.t2i_adapter import LevelConfig, T2IAdapter, T2IAdapterConfig
from engine.nets.unet import UNet
from engine.residency.manager import DeviceResidency
from tests.wet.control.conftest import HINTS, close, filled, picture, run, text
from tests.wet.control.test_control_lora import low_rank
from tests.wet.control.test_diffusers_names import in_diffusers_layout

UNET = regular_unet(32, (1, 1, 1, 1), (1, 0, 0, 0), context=64, heads=8)
NET = ControlNetConfig(4, 32, 128, None, UNET.input_blocks, UNET.middle_block, (*HINTS, 32))
UNION = UnionConfig(types=6, flags=6, channels=32, feed_forward=64, layers=1)


def level(number):
    return LevelConfig(192 if number == 0 else 32, 32, 16, True, True, 2, 3, number > 0)


def original():
    return filled(ControlNet(NET))


def t2i_full():
    """In the names of the published files: two blocks for each of four levels."""
    found = {"conv_in.weight": (32, 192, 3, 3), "conv_in.bias": (32,)}
    for number in range(8):
        for part, side in (("block1", 3), ("block2", 1)):
            found[f"body.{number}.{part}.weight"] = (32, 32, side, side)
            found[f"body.{number}.{part}.bias"] = (32,)
    generator = torch.Generator().manual_seed(2)
    return {name: 0.1 * torch.randn(shape, generator=generator) for name, shape in found.items()}


FILES = {
    "original": original,
    "diffusers": lambda: in_diffusers_layout(original(), NET),
    "control_lora": lambda: low_rank(original()),
    "union": lambda: filled(ControlNetUnion(NET, UNION)),
    "t2i_light": lambda: filled(
        T2IAdapter(T2IAdapterConfig(8, 3, None, tuple(level(each) for each in range(4))))
    ),
    "t2i_full": t2i_full,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory, small_tensors):
    """A file of each kind, and a small SD1 of four levels."""
    found = tmp_path_factory.mktemp("kinds")
    prefix = "model.diffusion_model."
    kept = {n: t for n, t in small_tensors.items() if not n.startswith(prefix)}
    own = {prefix + name: tensor for name, tensor in filled(UNet(UNET)).items()}
    save_file({**kept, **own}, found / "model.safetensors")
    for name, made in FILES.items():
        save_file(made(), found / f"{name}.safetensors")
    return found


@pytest.fixture
def model(files):
    return load_checkpoint(files / "model.safetensors")[0]


def with_control(model, *controls, rows=1, **more):
    found = text(), text(0.5)
    for control in controls:
        found = controlled(found, control, also_negative=False)
    return run(model, *found, rows=rows, **more)


def test_every_kind_is_here(files):
    kinds = {type(load_control(files / f"{name}.safetensors").kind) for name in FILES}
    assert kinds == {type(kind) for kind in KINDS if isinstance(kind, OfUNets)}


@pytest.mark.parametrize("name", FILES)
def test_whole_runs(name, files, model):
    net = load_control(files / f"{name}.safetensors")
    shown = picture(2, 72)
    plain = run(model, text(), text(0.5))[0]
    full = with_control(model, Control(net, shown[:1]))[0]
    assert not close(full, plain)
    halves = with_control(model, Control(net, shown[:1], 0.5), Control(net, shown[:1], 0.5))[0]
    assert close(halves, full)
    assert torch.equal(with_control(model, Control(net, shown[:1], start=0.999))[0], plain)
    # One picture for each row, and more pictures than rows.
    each = with_control(model, Control(net, shown), rows=2)[0]
    assert close(each[0], full[0])
    assert not close(each[1], full[0])
    assert close(with_control(model, Control(net, shown))[0], full)
    three = with_control(model, Control(net, shown), rows=3)[0]
    one = with_control(model, Control(net, shown[:1]), rows=3)[0]
    assert close(three[2], one[2])


@pytest.mark.parametrize("name", FILES)
def test_pictures_of_any_size_with_transparency_fit_latents_of_odd_size(name, files, model):
    net = load_control(files / f"{name}.safetensors")
    shown = torch.rand(1, 50, 70, 4, generator=torch.Generator().manual_seed(3))
    found = with_control(model, Control(net, shown), cells=(9, 7))[0]
    assert found.shape[2:] == (9, 7)
    assert found.isfinite().all()
    assert not close(found, run(model, text(), text(0.5), cells=(9, 7))[0])
    opaque = with_control(model, Control(net, shown[..., :3]), cells=(9, 7))[0]
    assert torch.equal(opaque, found)


@pytest.mark.parametrize("name", FILES)
def test_with_little_memory_blocks_are_streamed_to_the_same_result(name, files, model):
    net = load_control(files / f"{name}.safetensors")
    control = Control(net, picture())
    expected = with_control(model, control)[0]
    found = controlled((text(),), control, also_negative=False)[0]
    residency = DeviceResidency(torch.device("cpu"), torch.float32, budget=10**9)
    controls = ControlRun({"all": found}, model.net, float, residency, lambda: None)
    shape = (2, 4, 8, 8)
    room = controls.room_for(shape, model.family.activation_bytes(model.config, shape, 4))
    room += controls.features_bytes((1, *shape[1:]))
    both = model.net.size + sum(each.size for each in controls.weights)
    streamed, residency = with_control(model, control, budget=both // 2 + room, block_limit=1)
    assert residency.held <= both // 2
    assert torch.equal(streamed, expected)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_a_sentence(name, files, tmp_path):
    whole = (files / f"{name}.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"cut\.safetensors: not a sound .* truncated"):
        load_control(tmp_path / "cut.safetensors")


@pytest.mark.parametrize("name", ["diffusers", "union", "t2i_light", "t2i_full"])
def test_a_missing_tensor_is_a_sentence(name, files, tmp_path):
    tensors = FILES[name]()
    lost = min(key for key in tensors if "bias" in key)
    del tensors[lost]
    save_file(tensors, tmp_path / "less.safetensors")
    with pytest.raises(WeightsError, match=r"less\.safetensors.*the weights do not fit: missing"):
        load_control(tmp_path / "less.safetensors")


def test_types_of_a_union_change_the_result(files, model):
    net = load_control(files / "union.safetensors")
    shown = picture()
    results = [
        with_control(model, Control(net.of_type(number), shown))[0] for number in (None, 0, 1)
    ]
    assert not close(results[0], results[1])
    assert not close(results[1], results[2])
    with pytest.raises(
        NodeError, match=r"has 6 types .* the chosen one is number 6; choose another"
    ):
        net.of_type(6)
    other = load_control(files / "original.safetensors")
    assert other.types == 0
    assert other.of_type(6) == other


def test_several_pictures_of_a_union_are_chained(files, model):
    """Each has its type; their residuals are added."""
    net = load_control(files / "union.safetensors")
    shown = picture(2)
    one, two = Control(net.of_type(0), shown[:1]), Control(net.of_type(3), shown[1:])
    both = with_control(model, one, two)[0]
    assert close(with_control(model, two, one)[0], both)
    assert not close(with_control(model, one)[0], both)


def test_a_chain_of_an_adapter_and_a_controlnet_adds_both(files, model):
    adapter = Control(load_control(files / "t2i_light.safetensors"), picture())
    net = Control(load_control(files / "original.safetensors"), picture())
    both = with_control(model, adapter, net)[0]
    assert close(with_control(model, net, adapter)[0], both)
    assert not close(with_control(model, net)[0], both)
    assert not close(with_control(model, adapter)[0], both)


def test_an_adapter_for_more_levels_than_the_model_has_is_a_sentence(files, folder):
    small = load_checkpoint(folder / "model.safetensors")[0]
    adapter = Control(load_control(files / "t2i_light.safetensors"), picture())
    with pytest.raises(NodeError, match=r"adds to 12 blocks .* the model has 4: it was made for a"):
        with_control(small, adapter)


def test_an_adapter_whose_picture_has_other_channels_is_a_sentence(tmp_path):
    tensors = t2i_full() | {"conv_in.weight": torch.zeros(32, 100, 3, 3)}
    save_file(tensors, tmp_path / "odd.safetensors")
    with pytest.raises(
        WeightsError, match="looks like a T2I-Adapter, but its picture has 100 chan"
    ):
        load_control(tmp_path / "odd.safetensors")


def test_an_adapter_of_three_levels_is_a_sentence(tmp_path):
    tensors = {n: t for n, t in t2i_full().items() if not n.startswith(("body.6.", "body.7."))}
    save_file(tensors, tmp_path / "three.safetensors")
    with pytest.raises(WeightsError, match="its 6 blocks do not divide among 4 levels"):
        load_control(tmp_path / "three.safetensors")


@pytest.mark.parametrize("name", FILES)
def test_in_the_wrong_loader_it_is_a_sentence(name, files):
    path = files / f"{name}.safetensors"
    with pytest.raises(WeightsError, match="load it with Load ControlNet Model"):
        load_checkpoint(path)
    with pytest.raises(WeightsError, match="load it with Load ControlNet Model"):
        open_adapter(path)


def test_a_checkpoint_in_its_loader_is_a_sentence(files):
    with pytest.raises(WeightsError, match=r"this is a model of .*; load it with Load Checkpoint"):
        load_control(files / "model.safetensors")
