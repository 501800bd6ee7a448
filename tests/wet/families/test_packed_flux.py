"""Packed FLUX.1 files: the values they say, packed on the device, with adapters on top."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.adapters.explain import complaints
from engine.adapters.read import adapter_of
from engine.families.flux.family import FluxFamily
from engine.families.flux.network import FluxConfig
from engine.inference.adapters import matched_with, patched_model
from engine.inference.load import load_denoiser
from engine.inference.values import Model
from engine.inference.widening import widened
from engine.residency.manager import DeviceResidency
from engine.weights.open import open_weights
from engine.weights.state_dict import StateDict
from tests.wet.residency.simulated import DEVICE, Meter, simulated
from tests.wet.weights.gguf_writer import write_gguf

from .flux_files import DEV, flux_tensors

WIDTH = DEV.channels


def integers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Matrices in 8-bit integers with a factor for each row."""
    made: dict[str, Tensor] = {}
    for name, each in tensors.items():
        if each.ndim < 2:
            made[name] = each
            continue
        scale = each.abs().amax(1, keepdim=True) / 127
        base = name.removesuffix(".weight")
        said = json.dumps({"format": "int8_tensorwise"}).encode()
        made |= {
            name: (each / scale).round().to(torch.int8),
            f"{name}_scale": scale,
            f"{base}.comfy_quant": torch.tensor(list(said), dtype=torch.uint8),
        }
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each form, each with another whose plain values are the same."""
    folder = tmp_path_factory.mktemp("packed")
    tensors = flux_tensors()
    paths = {"gguf": write_gguf(folder / "flux.gguf", tensors, "flux")}
    paths["int8"] = folder / "int8.safetensors"
    save_file(integers(tensors), paths["int8"])
    for name, path in list(paths.items()):
        weights = open_weights(path)
        entries = weights.entries
        plain = {
            each: entries[each].unpack(entries[each].read_parts(), torch.float32)
            for each in entries
        }
        paths[f"{name} plain"] = folder / f"{name}_plain.safetensors"
        save_file(
            {each: value.contiguous() for each, value in plain.items()}, paths[f"{name} plain"]
        )
    return paths


def predicted(model: Model, channels: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    config: FluxConfig = model.config
    x = torch.randn(1, channels, 4, 6, generator=generator)
    context = torch.randn(1, 5, config.context_channels, generator=generator)
    vector = torch.randn(1, config.vector_channels, generator=generator)
    inputs = {"context": context, "vector": vector, "guidance": torch.tensor([3.5])}
    residency = DeviceResidency(torch.device("cpu"), torch.float32, budget=10**9)
    with torch.inference_mode(), residency.use(model.net):
        return model.family.predict(
            model.net.module,
            x,
            torch.tensor([0.7]),
            inputs,
            control=None,
            hooks=None,
            checkpoint=lambda: None,
        )


def split_lora() -> dict[str, Tensor]:
    """Query and value of the first double block, and the feed-forward of a single block."""
    generator = torch.Generator().manual_seed(4)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator) * 0.2

    return {
        "transformer.transformer_blocks.0.attn.to_q.lora_A.weight": drawn(4, WIDTH),
        "transformer.transformer_blocks.0.attn.to_q.lora_B.weight": drawn(WIDTH, 4),
        "transformer.transformer_blocks.0.attn.to_v.lora_A.weight": drawn(4, WIDTH),
        "transformer.transformer_blocks.0.attn.to_v.lora_B.weight": drawn(WIDTH, 4),
        "transformer.single_transformer_blocks.1.proj_mlp.lora_A.weight": drawn(4, WIDTH),
        "transformer.single_transformer_blocks.1.proj_mlp.lora_B.weight": drawn(DEV.inner, 4),
    }


def with_lora(model: Model, tensors: dict[str, Tensor], strength: float = 0.8) -> Model:
    adapter = adapter_of(StateDict.of(tensors), "lora")
    matched = matched_with(adapter, model, None)
    assert complaints(adapter, matched, model.family.name) == []
    return patched_model(model, matched, strength)


@pytest.mark.parametrize("form", ["gguf", "int8"])
def test_a_packed_file_computes_what_its_values_say(files, form):
    packed, plain = load_denoiser(files[form]), load_denoiser(files[f"{form} plain"])
    assert isinstance(packed.family, FluxFamily)
    assert packed.config == plain.config == DEV
    found, expected = predicted(packed), predicted(plain)
    assert (found - expected).norm() / expected.norm() < 1e-6
    lora = split_lora()
    changed = predicted(with_lora(packed, lora))
    wanted = predicted(with_lora(plain, lora))
    assert (changed - wanted).norm() / wanted.norm() < 1e-6
    assert (changed - found).norm() / found.norm() > 1e-2


def test_it_stays_packed_on_the_device_and_is_counted_packed(files):
    model = load_denoiser(files["gguf"])
    size = files["gguf"].stat().st_size
    values = 2 * sum(torch.Size(each.shape).numel() for each in model.net.sources.values())
    assert model.net.size <= size < 0.6 * values
    largest = max(torch.Size(each.shape).numel() for each in model.net.sources.values())
    with torch.no_grad(), Meter(10**9) as meter:
        residency = simulated(10**9, block_limit=largest)
        with residency.use(model.net):
            held, used = residency.held, meter.used
            x = torch.empty(1, 16, 4, 6, dtype=torch.half, device=DEVICE)
            inputs = {
                "context": torch.empty(1, 5, 32, dtype=torch.half, device=DEVICE),
                "vector": torch.empty(1, 24, dtype=torch.half, device=DEVICE),
                "guidance": torch.empty(1, device=DEVICE),
            }
            model.family.predict(
                model.net.module,
                x,
                torch.empty(1, device=DEVICE),
                inputs,
                control=None,
                hooks=None,
                checkpoint=lambda: None,
            )
            assert meter.peak <= held + 10 * largest  # activations and one block unpacked
    assert used < 1.3 * size


IGNORED_BY_OTHERS = {
    "XLabs": {
        "double_blocks.0.processor.qkv_lora1.down.weight": (4, WIDTH),
        "double_blocks.0.processor.qkv_lora1.up.weight": (3 * WIDTH, 4),
        "double_blocks.1.processor.proj_lora2.down.weight": (4, WIDTH),
        "double_blocks.1.processor.proj_lora2.up.weight": (WIDTH, 4),
    },
    "no prefix": {
        "double_blocks.0.img_attn.qkv.lora_A.weight": (4, WIDTH),
        "double_blocks.0.img_attn.qkv.lora_B.weight": (3 * WIDTH, 4),
        "double_blocks.0.img_attn.norm.query_norm.scale": (128,),
    },
}
"""Adapters that ComfyUI loads without an effect."""


@pytest.mark.parametrize("naming", IGNORED_BY_OTHERS)
def test_namings_that_others_ignore_have_an_effect(files, naming):
    tensors = {name: 0.2 * torch.ones(shape) for name, shape in IGNORED_BY_OTHERS[naming].items()}
    model = load_denoiser(files["int8"])
    changed = predicted(with_lora(model, tensors))
    before = predicted(model)
    assert (changed - before).norm() / before.norm() > 1e-3


@pytest.mark.parametrize("form", ["gguf", "int8 plain"])
def test_a_control_lora_widens_the_input(files, form):
    generator = torch.Generator().manual_seed(5)
    up = torch.randn(WIDTH, 4, generator=generator) * 0.2
    down = torch.randn(4, 128, generator=generator) * 0.2
    tensors = {"img_in.lora_A.weight": down, "img_in.lora_B.weight": up} | split_lora()
    before = with_lora(load_denoiser(files[form]), split_lora(), 0.3)
    adapter = adapter_of(StateDict.of(tensors), "lora")
    wide = widened(before, adapter)
    assert wide.config.in_channels == 128
    assert wide.net.sources["img_in.weight"].shape == (WIDTH, 128)
    # Zeros: without the adapter, the picture beside the latent has no effect.
    x = predicted(wide, 32)
    assert x.shape == (1, 16, 4, 6)
    model = with_lora(wide, tensors)
    [entry] = [each for name, each in model.net.patches.items() if name == "img_in.weight"]
    weight = torch.zeros(WIDTH, 128)
    assert torch.allclose(entry[0].apply(weight), 0.8 * up @ down, atol=1e-6)
    assert (predicted(model, 32) - x).norm() / x.norm() > 1e-3
    assert widened(wide, adapter) is wide
    assert widened(before, adapter_of(StateDict.of(split_lora()), "other")) is before
