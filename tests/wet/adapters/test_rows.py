"""Adapters of one of several projections that our network stores as one tensor."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.adapters.explain import complaints
from engine.adapters.match import Match, match
from engine.adapters.names import Target, file_names
from engine.adapters.read import adapter_of, open_adapter
from engine.adapters.rows import Rows
from engine.weights.state_dict import StateDict

OUT, IN, RANK = 12, 8, 3
SHAPES = {
    "block.qkv.weight": (3 * OUT, IN),
    "block.qkv.bias": (3 * OUT,),
    "block.norm.query_norm.scale": (4,),
    "block.proj.weight": (OUT, IN),
    "last.lin.weight": (2 * OUT, IN),
}
OTHERS: dict[str, str | Rows] = {
    **{
        f"their.attn.to_{name}": Rows("block.qkv", i * OUT, (i + 1) * OUT)
        for i, name in enumerate("qkv")
    },
    "their.attn.to_out.0": "block.proj",
    "block.processor.qkv_lora1": "block.qkv",
    "norm_out.linear": Rows("last.lin", 0, 2 * OUT, swapped=True),
}


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


LORA = {"lora_up.weight": drawn(OUT, RANK), "lora_down.weight": drawn(RANK, IN, seed=1)}
PARTS: dict[str, dict[str, Tensor]] = {
    "lora": LORA,
    "dora by rows": {**LORA, "dora_scale": drawn(OUT, 1)},
    "dora by columns": {**LORA, "dora_scale": drawn(1, IN)},
    "peft's dora": {**LORA, "lora_magnitude_vector": drawn(OUT)},
    "loha": {
        f"hada_w{n}_{side}": drawn(*shape, seed=n)
        for n in (1, 2)
        for side, shape in (("a", (OUT, RANK)), ("b", (RANK, IN)))
    },
    "lokr": {"lokr_w1": drawn(4, 4), "lokr_w2": drawn(OUT // 4, IN // 4)},
    "glora": {
        "a1.weight": drawn(IN, RANK),
        "a2.weight": drawn(RANK, IN),
        "b1.weight": drawn(OUT, RANK),
        "b2.weight": drawn(RANK, IN),
    },
    "oft": {"oft_blocks": drawn(3, 4, 4)},
    "ia3": {"weight": drawn(OUT), "on_input": torch.tensor(0)},
    "diff": {"diff": drawn(OUT, IN)},
    "set": {"set_weight": drawn(OUT, IN)},
}


def matched(named: dict[str, Tensor], target: Target | None = None) -> Match:
    target = target or Target.of(SHAPES, OTHERS)
    return match(adapter_of(StateDict.of(named), "file"), {"denoiser": target})


def applied(found: Match, tensor: str, weight: Tensor, strength: float = 1.0) -> Tensor:
    assert (found.unmatched, found.misfits) == ((), ())
    before = weight.clone()
    result = weight
    for patch in found.patches("denoiser", strength)[tensor]:
        result = patch.apply(result)
    assert torch.equal(weight, before)  # the input is not modified
    return result


def alone(parts: dict[str, Tensor], weight: Tensor, strength: float) -> Tensor:
    """The result of an adapter whose target is stored apart."""
    target = Target.of({"m.weight": tuple(weight.shape)}, {})
    found = matched({f"diffusion_model.m.{part}": value for part, value in parts.items()}, target)
    return applied(found, "m.weight", weight, strength)


@pytest.mark.parametrize("strength", [1.0, -0.6])
@pytest.mark.parametrize("algorithm", PARTS)
def test_every_algorithm_changes_its_rows_and_no_other_bit(algorithm, strength):
    parts, weight = PARTS[algorithm], drawn(3 * OUT, IN, seed=9)
    found = matched({f"transformer.their.attn.to_k.{part}": each for part, each in parts.items()})
    result = applied(found, "block.qkv.weight", weight, strength)
    middle = slice(OUT, 2 * OUT)
    assert torch.equal(result[:OUT], weight[:OUT])
    assert torch.equal(result[2 * OUT :], weight[2 * OUT :])
    assert torch.equal(result[middle], alone(parts, weight[middle].clone(), strength))
    assert not torch.equal(result[middle], weight[middle])


def test_three_projections_are_one_product_of_blocks():
    named, downs, ups = {}, [], []
    for i, name in enumerate("qkv"):
        up, down = drawn(OUT, RANK, seed=i), drawn(RANK, IN, seed=10 + i)
        named |= {
            f"lora_transformer_their_attn_to_{name}.lora_up.weight": up,
            f"lora_transformer_their_attn_to_{name}.lora_down.weight": down,
        }
        ups.append(up.numpy())
        downs.append(down.numpy())
    weight = drawn(3 * OUT, IN, seed=9)
    result = applied(matched(named), "block.qkv.weight", weight).numpy()
    product = np.concatenate([up @ down for up, down in zip(ups, downs, strict=True)])
    assert np.abs(result - (weight.numpy() + product)).max() < 1e-5


def test_a_bias_of_some_rows():
    named = {
        "transformer.their.attn.to_v.lora_A.weight": drawn(RANK, IN),
        "transformer.their.attn.to_v.lora_B.weight": drawn(OUT, RANK),
        "transformer.their.attn.to_v.lora_B.bias": drawn(OUT, seed=3),
    }
    before = drawn(3 * OUT, seed=4)
    after = applied(matched(named), "block.qkv.bias", before)
    assert torch.equal(after[: 2 * OUT], before[: 2 * OUT])
    assert torch.equal(after[2 * OUT :], before[2 * OUT :] + drawn(OUT, seed=3))


def test_halves_in_the_other_order():
    diff, weight = drawn(2 * OUT, IN, seed=5), drawn(2 * OUT, IN, seed=6)
    after = applied(matched({"transformer.norm_out.linear.diff": diff}), "last.lin.weight", weight)
    assert torch.equal(after, weight + torch.cat([diff[OUT:], diff[:OUT]]))


@pytest.mark.parametrize(
    "module",
    [
        "transformer.their.attn.to_q",
        "diffusion_model.their.attn.to_q",
        "lora_transformer_their_attn_to_q",
        "lora_unet_their_attn_to_q",
        "lycoris_their_attn_to_q",
        "base_model.model.their.attn.to_q",
        "base_model.model.transformer.their.attn.to_q",
        "their.attn.to_q",
        "diffusion_model.block.proj",
        "lora_unet_block_proj",
        "block.proj",
        "transformer.their.attn.to_out.0",
    ],
)
def test_the_namings_of_other_programs(module):
    parts = {"lora_up.weight": drawn(OUT, RANK), "lora_down.weight": drawn(RANK, IN)}
    found = matched({f"{module}.{part}": each for part, each in parts.items()})
    assert (len(found.found), found.unmatched, found.misfits) == (1, (), ())


@pytest.mark.parametrize("prefix", ["", "transformer.", "lora_unet_", "base_model.model."])
def test_blocks_that_are_called_transformer_blocks(prefix):
    target = Target.of({"transformer_blocks.0.attn.to_q.weight": (OUT, IN)}, {})
    module = f"{prefix}transformer_blocks.0.attn.to_q"
    named = {
        f"{module}.lora_A.weight": drawn(RANK, IN),
        f"{module}.lora_B.weight": drawn(OUT, RANK),
    }
    assert [each.tensor for each in matched(named, target).found] == [
        "transformer_blocks.0.attn.to_q.weight"
    ]


def test_the_names_of_xlabs():
    named = {
        "block.processor.qkv_lora1.down.weight": drawn(RANK, IN),
        "block.processor.qkv_lora1.up.weight": drawn(3 * OUT, RANK),
    }
    weight = drawn(3 * OUT, IN, seed=2)
    after = applied(matched(named), "block.qkv.weight", weight)
    down, up = named.values()
    assert torch.allclose(after, weight + up @ down)


def test_the_scale_of_a_norm_is_replaced():
    named = {
        "block.proj.lora_A.weight": drawn(RANK, IN),
        "block.proj.lora_B.weight": drawn(OUT, RANK),
        "block.norm.query_norm.scale": drawn(4),
    }
    after = applied(matched(named), "block.norm.query_norm.scale", drawn(4, seed=1), 0.5)
    assert torch.equal(after, drawn(4))
    spelled = Target.of({"block.norm.query_norm.weight": (4,), "block.proj.weight": (OUT, IN)}, {})
    assert {each.tensor for each in matched(named, spelled).found} == {
        "block.norm.query_norm.weight",
        "block.proj.weight",
    }


def test_rows_of_another_size_are_named():
    up, down = drawn(3 * OUT, RANK), drawn(RANK, IN)
    named = {"their.attn.to_q.lora_up.weight": up, "their.attn.to_q.lora_down.weight": down}
    [sentence] = matched(named).misfits
    assert "their.attn.to_q makes [36, 3] x [3, 8], its target has [12, 8]" in sentence
    short = Target.of({"block.qkv.weight": (2 * OUT, IN)}, OTHERS)
    named = {f"transformer.their.attn.to_v.{part}": each for part, each in LORA.items()}
    found = matched(named, short)
    assert found.found == ()
    assert "block.qkv has 24 rows, and rows 24 to 36 are to be changed" in found.misfits[0]
    [said] = complaints(adapter_of(StateDict.of(named), "file"), found, "FLUX.1")
    assert "changes nothing" in said


def test_equal_rows_are_equal_patches_and_others_are_not(tmp_path):
    path = Path(tmp_path) / "lora.safetensors"
    save_file({f"transformer.their.attn.to_k.{part}": each for part, each in LORA.items()}, path)
    adapter = open_adapter(path)
    target = Target.of(SHAPES, OTHERS)
    one, same = (match(adapter, {"denoiser": target}).patches("denoiser", 1.0) for _ in range(2))
    assert one == same
    shifted = {**OTHERS, "their.attn.to_k": Rows("block.qkv", 0, OUT)}
    other = match(adapter, {"denoiser": Target.of(SHAPES, shifted)}).patches("denoiser", 1.0)
    assert one != other
    assert hash(one["block.qkv.weight"]) == hash(same["block.qkv.weight"])


def test_saved_adapters_of_such_families_have_the_original_names():
    named = file_names(OTHERS)
    assert named("block.proj") == "diffusion_model.block.proj"
    assert file_names({"theirs.a": "a"})("a") == "lora_unet_theirs_a"


def test_the_third_text_encoder_is_t5_where_it_is_the_second():
    name = "encoder.block.0.layer.0.SelfAttention.q"
    t5 = Target.of({f"{name}.weight": (OUT, IN)}, {})
    clip = Target.of({"encoder.layers.0.mlp.fc1.weight": (OUT, IN)}, {})
    spelled = name.replace(".", "_")
    for prefix in ("lora_te2_", "lora_te3_"):
        named = {f"{prefix}{spelled}.{part}": each for part, each in LORA.items()}
        adapter = adapter_of(StateDict.of(named), "file")
        found = match(adapter, {"clip_l": clip, "t5xxl": t5})
        assert [each.part for each in found.found] == ["t5xxl"]
    three = match(adapter, {"clip_l": clip, "clip_g": clip, "t5xxl": t5})
    assert [each.part for each in three.found] == ["t5xxl"]
