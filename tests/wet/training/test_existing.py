"""A training begins with a file of any naming, scale and lower rank, and says what is left out."""

from dataclasses import replace

import pytest
import torch

from engine.adapters.read import adapter_of
from engine.errors import WeightsError
from engine.inference.adapters import matched_with, patched_model
from engine.nets.unet_names import unet_names
from engine.training.existing import existing_parts
from engine.training.loop import train
from engine.training.options import TrainingOptions
from engine.weights.state_dict import StateDict

ONE_STEP = TrainingOptions(
    steps=1, batch_size=2, rank=4, training_dtype="fp32", lora_dtype="fp32", learning_rate=1e-7
)


def kohya(name):
    return f"lora_unet_{name.replace('.', '_')}"


NAMINGS = {
    "kohya": (kohya, "lora_up.weight", "lora_down.weight"),
    "peft": (lambda name: f"base_model.model.unet.{name}", "lora_B.weight", "lora_A.weight"),
    "diffusers": (lambda name: f"unet.{name}", "lora.up.weight", "lora.down.weight"),
}


def attention(model):
    """(diffusers' name, our weight's shape) of every attention's query."""
    for theirs, ours in unet_names(model.config.unet).items():
        if theirs.endswith("to_q"):
            yield theirs, model.net.sources[f"{ours}.weight"].shape


def lora(model, naming="kohya", rank=2, alpha=1.0):
    """A LoRA of the queries."""
    named, up, down = NAMINGS[naming]
    generator = torch.Generator().manual_seed(2)
    tensors = {}
    for name, (out, inner) in attention(model):
        module = named(name)
        tensors[f"{module}.{up}"] = torch.randn(out, rank, generator=generator)
        tensors[f"{module}.{down}"] = torch.randn(rank, inner, generator=generator)
        tensors[f"{module}.alpha"] = torch.tensor(alpha)
    return tensors


def lokr(model):
    """A LoKr of the queries, its small side in two factors."""
    tensors = {}
    generator = torch.Generator().manual_seed(2)
    for name, (out, inner) in attention(model):
        rows, columns = (
            max(n for n in range(1, int(side**0.5) + 1) if side % n == 0) for side in (out, inner)
        )
        sizes = {
            "lokr_w1_a": (rows, 1),
            "lokr_w1_b": (1, columns),
            "lokr_w2_a": (out // rows, 2),
            "lokr_w2_b": (2, inner // columns),
        }
        for part, size in sizes.items():
            tensors[f"{kohya(name)}.{part}"] = torch.randn(size, generator=generator)
        tensors[f"{kohya(name)}.alpha"] = torch.tensor(1.0)
    return tensors


def loha(model):
    tensors = {}
    generator = torch.Generator().manual_seed(2)
    for name, (out, inner) in attention(model):
        for part, size in (("a", (out, 3)), ("b", (3, inner))):
            for side in "12":
                key = f"{kohya(name)}.hada_w{side}_{part}"
                tensors[key] = torch.randn(size, generator=generator)
        tensors[f"{kohya(name)}.alpha"] = torch.tensor(1.5)
    return tensors


def oft(model):
    """Rotations, held back by an alpha."""
    tensors = {}
    generator = torch.Generator().manual_seed(2)
    for name, (out, _) in attention(model):
        tensors[f"{kohya(name)}.oft_blocks"] = torch.randn(out // 4, 4, 4, generator=generator)
        tensors[f"{kohya(name)}.alpha"] = torch.tensor(0.7)
    return tensors


def begins_as_loaded(model, groups, tensors, options):
    """The first loss with the file to begin with is that with the file loaded before."""
    adapter = adapter_of(StateDict.of(tensors), "existing")
    existing, said = existing_parts(adapter, model)
    assert said == []
    patched = patched_model(model, matched_with(adapter, model, None), 1.0)
    [plain] = train(model, groups, options).losses
    [begun] = train(model, groups, options, existing=existing).losses
    [loaded] = train(patched, groups, options).losses
    assert begun == pytest.approx(loaded, rel=1e-4)
    assert abs(begun - plain) > 1e-3 * plain


@pytest.mark.parametrize("naming", NAMINGS)
def test_namings_scales_and_a_lower_rank(naming, model, groups):
    begins_as_loaded(model, groups, lora(model, naming), ONE_STEP)


@pytest.mark.parametrize(("make", "algorithm"), [(lokr, "LoKr"), (loha, "LoHa"), (oft, "OFT")])
def test_other_algorithms(make, algorithm, model, groups):
    begins_as_loaded(model, groups, make(model), replace(ONE_STEP, algorithm=algorithm))


def test_what_a_file_holds_beside_is_said(model):
    text = "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_up.weight"
    tensors = {**lora(model), text: torch.zeros(64, 2), "lora_unet_nowhere.diff": torch.zeros(1)}
    existing, said = existing_parts(adapter_of(StateDict.of(tensors), "existing"), model)
    assert len(existing) == len(list(attention(model)))
    assert "lora_unet_nowhere" in said[0]
    assert "1 tensors are for text encoders" in said[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (replace(ONE_STEP, rank=1), "at least its rank"),
        (replace(ONE_STEP, algorithm="LoHa"), "expected hada_w1_a.*of a LoHa"),
    ],
)
def test_a_file_that_does_not_fit_is_a_sentence(options, message, model, groups):
    existing, _ = existing_parts(adapter_of(StateDict.of(lora(model)), "existing"), model)
    with pytest.raises(WeightsError, match=f"existing LoRA does not fit.*{message}"):
        train(model, groups, options, existing=existing)


def test_a_file_for_nothing_here_is_a_sentence(model):
    adapter = adapter_of(StateDict.of({"lora_unet_nowhere.diff": torch.zeros(1)}), "existing")
    with pytest.raises(WeightsError, match="changes nothing"):
        existing_parts(adapter, model)
