"""Every algorithm against its formula, computed independently with numpy."""

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.adapters.match import Match, match
from engine.adapters.names import Target
from engine.adapters.read import adapter_of
from engine.weights.state_dict import StateDict

OUT, IN, RANK = 12, 8, 3
LINEAR, CONV = (OUT, IN), (OUT, IN, 3, 3)


def drawn(*shape: int, seed: int = 0, std: float = 0.3) -> Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator) * std


def found(tensors: dict[str, Tensor], shape: tuple[int, ...]) -> Match:
    named = {f"diffusion_model.m.{name}": value for name, value in tensors.items()}
    target = Target.of({"m.weight": shape, "m.bias": shape[:1]}, {})
    return match(adapter_of(StateDict.of(named), "file"), {"denoiser": target})


def changed(tensors: dict[str, Tensor], weight: Tensor, strength: float = 1.0) -> np.ndarray:
    matched = found(tensors, tuple(weight.shape))
    assert (matched.unmatched, matched.misfits) == ((), ())
    before = weight.clone()
    result = weight
    for patch in matched.patches("denoiser", strength)["m.weight"]:
        result = patch.apply(result)
    assert torch.equal(weight, before)  # the input is not modified
    return result.numpy()


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.linalg.norm(found - expected) <= 1e-6 * np.linalg.norm(expected))


@pytest.mark.parametrize("strength", [1.0, -0.4])
@pytest.mark.parametrize("alpha", [None, 2.0])
def test_lora(strength, alpha):
    weight, up, down = drawn(*LINEAR, std=1.0), drawn(OUT, RANK), drawn(RANK, IN, seed=1)
    tensors = {"lora_up.weight": up, "lora_down.weight": down}
    if alpha:
        tensors["alpha"] = torch.tensor(alpha)
    factor = strength * (alpha / RANK if alpha else 1.0)
    expected = weight.numpy() + factor * up.numpy() @ down.numpy()
    assert close(changed(tensors, weight, strength), expected)


def test_lora_of_a_convolution_and_its_middle():
    weight = drawn(*CONV, std=1.0)
    up, down = drawn(OUT, RANK, 1, 1), drawn(RANK, IN, 3, 3, seed=1)
    plain = np.einsum("oa,aihw->oihw", up[:, :, 0, 0], down)
    tensors = {"lora_up.weight": up, "lora_down.weight": down}
    assert close(changed(tensors, weight), weight.numpy() + plain)
    mid, low = drawn(RANK, RANK, 3, 3), drawn(RANK, IN, 1, 1)
    tensors = {"lora_up.weight": up, "lora_mid.weight": mid, "lora_down.weight": low}
    whole = np.einsum("oa,abhw,bi->oihw", up[:, :, 0, 0], mid, low[:, :, 0, 0])
    assert close(changed(tensors, weight), weight.numpy() + whole)


def test_a_convolution_of_one_pixel_changes_a_linear_layer():
    weight, up, down = drawn(*LINEAR, std=1.0), drawn(OUT, RANK, 1, 1), drawn(RANK, IN, 1, 1)
    expected = weight.numpy() + up[:, :, 0, 0].numpy() @ down[:, :, 0, 0].numpy()
    tensors = {"lora_up.weight": up, "lora_down.weight": down}
    assert close(changed(tensors, weight), expected)


def test_loha():
    weight = drawn(*LINEAR, std=1.0)
    a1, b1, a2, b2 = (drawn(*s, seed=i) for i, s in enumerate([(OUT, RANK), (RANK, IN)] * 2))
    tensors = {"hada_w1_a": a1, "hada_w1_b": b1, "hada_w2_a": a2, "hada_w2_b": b2}
    product = (a1.numpy() @ b1.numpy()) * (a2.numpy() @ b2.numpy())
    assert close(changed(tensors, weight), weight.numpy() + product)
    tensors["alpha"] = torch.tensor(6.0)
    assert close(changed(tensors, weight, 0.5), weight.numpy() + product)


def test_loha_of_a_convolution():
    weight = drawn(*CONV, std=1.0)
    tensors = {}
    factors = []
    for n in "12":
        t, a = drawn(RANK, RANK, 3, 3, seed=int(n)), drawn(RANK, OUT, seed=int(n))
        b = drawn(RANK, IN, seed=int(n))
        tensors |= {f"hada_t{n}": t, f"hada_w{n}_a": a, f"hada_w{n}_b": b}
        factors.append(np.einsum("xyhw,xo,yi->oihw", t, a, b))
    expected = weight.numpy() + factors[0] * factors[1]
    assert close(changed(tensors, weight), expected)


@pytest.mark.parametrize("low", ["", "1", "2", "12"])
def test_lokr(low):
    weight, f = drawn(*LINEAR, std=1.0), 4
    shapes = {"1": (f, f), "2": (OUT // f, IN // f)}
    tensors, sides = {"alpha": torch.tensor(2.0)}, []
    for n, (rows, columns) in shapes.items():
        if n in low:
            a, b = drawn(rows, RANK, seed=int(n)), drawn(RANK, columns, seed=int(n))
            tensors |= {f"lokr_w{n}_a": a, f"lokr_w{n}_b": b}
            sides.append(a.numpy() @ b.numpy())
        else:
            tensors[f"lokr_w{n}"] = drawn(rows, columns, seed=int(n))
            sides.append(tensors[f"lokr_w{n}"].numpy())
    scale = 2.0 / RANK if low else 1.0
    assert close(changed(tensors, weight), weight.numpy() + scale * np.kron(*sides))


def test_lokr_of_a_convolution_means_its_middle_too():
    weight, f = drawn(*CONV, std=1.0), 4
    one, t = drawn(f, f), drawn(RANK, RANK, 3, 3)
    a, b = drawn(RANK, OUT // f), drawn(RANK, IN // f)
    tensors = {"lokr_w1": one, "lokr_t2": t, "lokr_w2_a": a, "lokr_w2_b": b}
    two = np.einsum("xyhw,xo,yi->oihw", t, a, b)
    product = np.kron(one.numpy()[:, :, None, None], two)
    assert close(changed(tensors, weight), weight.numpy() + product)


@pytest.mark.parametrize("shape", [LINEAR, (10, 10)])
@pytest.mark.parametrize("old", [False, True])
def test_glora(shape, old):
    weight = drawn(*shape, std=1.0)
    out, inner = shape
    wide = {"1": (RANK, inner), "2": (inner, RANK)} if old else {"1": (inner, RANK)}
    a1 = drawn(*wide["1"])
    a2 = drawn(*(wide["2"] if old else (RANK, inner)), seed=1)
    b1 = drawn(*((RANK, inner) if old else (out, RANK)), seed=2)
    b2 = drawn(*((out, RANK) if old else (RANK, inner)), seed=3)
    names = ("a1.weight", "a2.weight", "b1.weight", "b2.weight")
    tensors: dict[str, Tensor] = dict(zip(names, (a1, a2, b1, b2), strict=True))
    a, b = (a2 @ a1, b2 @ b1) if old else (a1 @ a2, b1 @ b2)
    w = weight.numpy()
    assert close(changed(tensors, weight, 0.7), w + 0.7 * (w @ a.numpy() + b.numpy()))


def rotation(block: np.ndarray) -> np.ndarray:
    skew, one = block - block.T, np.eye(len(block))
    return (one + skew) @ np.linalg.inv(one - skew)


@pytest.mark.parametrize("rescaled", [False, True])
def test_oft_rotates_rows_and_keeps_their_lengths(rescaled):
    weight, blocks = drawn(*LINEAR, std=1.0).double(), drawn(3, 4, 4)
    tensors = {"oft_blocks": blocks}
    stretch = drawn(OUT, 1) + 1.0
    if rescaled:
        tensors["rescale"] = stretch
    expected = weight.numpy().copy()
    for k in range(3):
        rows = slice(4 * k, 4 * k + 4)
        expected[rows] = rotation(blocks[k].double().numpy()).T @ expected[rows]
    assert np.allclose(np.linalg.norm(expected, axis=0), np.linalg.norm(weight, axis=0))
    if rescaled:
        expected *= stretch.numpy()
    assert close(changed(tensors, weight.float()), expected)


def test_oft_s_alpha_limits_all_blocks_together():
    weight, blocks = drawn(*LINEAR, std=1.0), drawn(3, 4, 4)
    skew = (blocks - blocks.mT).numpy()
    limited = torch.tensor(skew * (0.5 / np.linalg.norm(skew)) / 2)
    assert close(
        changed({"oft_blocks": blocks, "alpha": torch.tensor(0.5)}, weight),
        changed({"oft_blocks": limited}, weight),
    )


@pytest.mark.parametrize("alpha", [None, 0.0])
def test_boft_without_a_limit(alpha):
    size, m = 4, 2
    weight, blocks = drawn(16, IN, std=1.0), drawn(m, 4, size, size)
    tensors = {"oft_blocks": blocks}
    if alpha is not None:
        tensors["alpha"] = torch.tensor(alpha)
    expected = weight.double().numpy()
    for i in range(m):
        # Channels 2^i half blocks apart are adjacent; each row of the order lists them.
        apart = 2**i * size // 2
        order = np.arange(16).reshape(-1, 2, apart).transpose(0, 2, 1).ravel()
        turned = np.zeros_like(expected)
        for k in range(4):
            rows = order[size * k : size * k + size]
            turned[rows] = rotation(blocks[i, k].double().numpy()) @ expected[rows]
        expected = turned
    assert close(changed(tensors, weight), expected)


@pytest.mark.parametrize("strength", [1.0, 0.3])
@pytest.mark.parametrize("shape", [LINEAR, CONV])
def test_dora_over_input_channels(shape, strength):
    weight, scale = drawn(*shape, std=1.0), drawn(1, IN, *(1 for _ in shape[2:])) + 2.0
    up, down = drawn(OUT, RANK, *(1 for _ in shape[2:])), drawn(RANK, *shape[1:])
    tensors = {"lora_up.weight": up, "lora_down.weight": down, "dora_scale": scale}
    w = weight.numpy()
    moved = w + (up.flatten(1).numpy() @ down.flatten(1).numpy()).reshape(shape)
    axes = tuple(axis for axis in range(len(shape)) if axis != 1)
    whole = (
        scale.numpy()
        * moved
        / np.linalg.norm(moved.swapaxes(0, 1).reshape(IN, -1), axis=1).reshape(
            1, IN, *(1 for _ in axes[1:])
        )
    )
    assert close(changed(tensors, weight, strength), w + strength * (whole - w))


def test_dora_over_output_channels_by_who_wrote_the_file():
    weight, up, down = drawn(*LINEAR, std=1.0), drawn(OUT, RANK), drawn(RANK, IN)
    w, moved = weight.numpy(), weight.numpy() + up.numpy() @ down.numpy()
    magnitude = drawn(OUT) + 2.0
    pair = {"lora_A.weight": down, "lora_B.weight": up}
    of_peft = magnitude.numpy()[:, None] * moved / np.linalg.norm(moved, axis=1, keepdims=True)
    assert close(changed({**pair, "lora_magnitude_vector": magnitude}, weight), of_peft)
    of_kohya = magnitude.numpy()[:, None] * moved / np.linalg.norm(w, axis=1, keepdims=True)
    assert close(changed({**pair, "dora_scale": magnitude[:, None]}, weight), of_kohya)


def test_whole_tensors():
    weight, diff = drawn(*LINEAR, std=1.0), drawn(*LINEAR)
    assert close(changed({"diff": diff}, weight, -0.5), (weight - 0.5 * diff).numpy())
    assert close(changed({"w_norm": diff}, weight, 2.0), (weight + 2.0 * diff).numpy())
    assert close(changed({"set_weight": diff}, weight, 0.1), diff.numpy())
    biased = found({"diff": diff, "diff_b": drawn(OUT), "b_norm": drawn(OUT)}, LINEAR)
    assert [len(each) for each in biased.patches("denoiser", 1.0).values()] == [1, 2]


@pytest.mark.parametrize(
    "tensors",
    [
        {"lora_up.weight": drawn(OUT, RANK)},
        {"lora_up.weight": drawn(OUT, RANK), "lora_down.weight": drawn(RANK + 1, IN)},
        {"lora_up.weight": drawn(OUT, RANK), "lora_down.weight": drawn(RANK, IN + 1)},
        {"lora_up.weight": drawn(OUT, 0), "lora_down.weight": drawn(0, IN)},
        {"lora_up.weight": drawn(OUT), "lora_down.weight": drawn(IN)},
        {
            "lora_up.weight": drawn(OUT, RANK),
            "lora_down.weight": drawn(RANK, IN),
            "alpha": drawn(7),
        },
        {"hada_w1_a": drawn(OUT, RANK), "hada_w1_b": drawn(RANK, IN)},
        {"lokr_w1": drawn(5, 5), "lokr_w2": drawn(5, 5)},
        {"lokr_w1": drawn(4, 4)},
        {"a1.weight": drawn(IN, RANK), "b1.weight": drawn(OUT, RANK)},
        {"oft_blocks": drawn(5, 4, 4)},
        {"oft_blocks": drawn(2, 3, 3, 4)},
        {"oft_blocks": drawn(9, 3, 4, 4)},
        {"oft_blocks": drawn(3, 4, 4), "rescale": drawn(5)},
        {"diff": drawn(IN, OUT)},
        {"diff": torch.zeros(OUT, IN, dtype=torch.complex64)},
        {"dora_scale": drawn(1, IN)},
        {
            "lora_up.weight": drawn(OUT, RANK),
            "lora_down.weight": drawn(RANK, IN),
            "dora_scale": drawn(1, IN + 1),
        },
    ],
    ids="-".join,
)
def test_what_does_not_fit_is_named_and_changes_nothing(tensors):
    matched = found(tensors, LINEAR)
    assert matched.found == ()
    [sentence] = matched.misfits
    assert "diffusion_model.m" in sentence


@pytest.mark.parametrize("strength", [1.0, -0.5])
@pytest.mark.parametrize("shape", [LINEAR, CONV])
@pytest.mark.parametrize("on_input", [False, True])
def test_ia3(on_input, shape, strength):
    weight, axis = drawn(*shape, std=1.0), int(on_input)
    scales = drawn(shape[axis], seed=1)
    stored = scales.view(1, -1, 1, 1) if shape == CONV else scales
    tensors = {"weight": stored, "on_input": torch.tensor(axis)}
    along = scales.numpy().reshape([-1 if each == axis else 1 for each in range(len(shape))])
    expected = weight.numpy() * (1 + strength * along)
    assert close(changed(tensors, weight, strength), expected)
    if shape == LINEAR:
        theirs = {"ia3_l": (1 + scales).view(1, -1) if on_input else (1 + scales).view(-1, 1)}
        assert close(changed(theirs, weight, strength), expected)


def test_ia3_of_another_width_changes_nothing():
    tensors = {"weight": drawn(OUT + 1), "on_input": torch.tensor(0)}
    matched = found(tensors, LINEAR)
    assert matched.found == ()
    assert "scales [13]" in matched.misfits[0]


def test_a_weight_that_is_to_be_widened_is_named():
    up, down = drawn(OUT, RANK), drawn(RANK, IN, seed=1)
    tensors = {"lora_up.weight": up, "lora_down.weight": down}
    weight = drawn(*LINEAR, std=1.0)
    same = {**tensors, "reshape_weight": torch.tensor(LINEAR)}
    assert close(changed(same, weight), weight.numpy() + up.numpy() @ down.numpy())
    matched = found({**tensors, "reshape_weight": torch.tensor([OUT, 2 * IN])}, LINEAR)
    assert matched.found == ()
    assert "widened from [12, 8] to [12, 16]" in matched.misfits[0]
    hostile = found({**tensors, "reshape_weight": torch.ones(1000)}, LINEAR)
    assert "reshape_weight [1000]" in hostile.misfits[0]
