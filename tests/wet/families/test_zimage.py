"""Z-Image and Lumina 2: detection of released sizes, LoRAs by rows, patches after layers."""

import pytest
import torch

from engine.adapters.rows import Rows
from engine.errors import WeightsError
from engine.families.detect import detect
from engine.families.zimage import keys
from engine.families.zimage.family import Lumina2, ZImage
from engine.families.zimage.network import NextDiT, NextDiTConfig
from engine.families.zimage.text import LUMINA
from engine.nets.hooks import NetHooks
from engine.weights.state_dict import StateDict
from tests.wet.zimage_files import NEXT_DIT, RELEASED

LUMINA_2 = NextDiTConfig(
    width=2304,
    layers=26,
    noise_refiners=2,
    context_refiners=2,
    head=96,
    key_heads=8,
    feed_forward=9216,
    channels=16,
    context=2304,
    time=1024,
    time_inner=1024,
    axes=(32, 32, 32),
    period=10_000.0,
    time_scale=1.0,
    multiple=1,
    activated=True,
)


@pytest.mark.parametrize(
    ("family", "config", "parameters"),
    [(ZImage, RELEASED, 6_154_908_736), (Lumina2, LUMINA_2, 2_609_769_152)],
    ids=["z_image", "lumina_2"],
)
def test_released_sizes_are_detected(family, config, parameters):
    with torch.device("meta"):
        state = NextDiT(config).state_dict()
    assert sum(value.numel() for value in state.values()) == parameters
    prefixed = {f"model.diffusion_model.{name}": value for name, value in state.items()}
    # Lumina 2's file has a norm that nothing uses
    prefixed["model.diffusion_model.norm_final.weight"] = torch.empty(1, device="meta")
    found, sizes = detect(StateDict.of(prefixed))
    assert isinstance(found, family)
    assert sizes == config


def state(config=NEXT_DIT):
    with torch.device("meta"):
        return dict(NextDiT(config).state_dict())


def test_variants_that_cannot_run_are_named():
    without = {name: each for name, each in state().items() if not name.endswith("pad_token")}
    with pytest.raises(WeightsError, match="take Z-Image or Z-Image Turbo"):
        detect(StateDict.of(without))
    pixels = {**state(), "dec_net.cond_embed.weight": torch.empty(2, 2)}
    with pytest.raises(WeightsError, match="works on pixels"):
        detect(StateDict.of(pixels))
    with pytest.raises(WeightsError, match="Lumina 2 needs the text encoder Gemma 2 2B"):
        LUMINA.combine({})


def test_projections_of_others_are_rows_of_ours():
    names = keys.names_of(LUMINA_2)
    assert names["layers.3.attn.to_k"] == Rows("layers.3.attention.qkv", 2304, 3072)
    assert names["layers.3.attention.to_out.0"] == "layers.3.attention.out"
    assert names["context_refiner.1.attn.to_v"] == Rows(
        "context_refiner.1.attention.qkv", 3072, 3840
    )


def test_patches_change_the_picture_after_layers_and_replace_them(fill):
    net = fill(lambda: NextDiT(NEXT_DIT))
    x, context = torch.randn(1, 16, 8, 10), torch.randn(1, 9, NEXT_DIT.context)
    sigma, seen = torch.tensor([0.6]), []

    def patch(given):
        seen.append((given["block_index"], given["img"].shape[1], given["txt"].shape[1]))
        assert given["pe"].shape[1] == given["img"].shape[1]
        return {"img": given["img"] + 1.0}

    def run(hooks=None):
        with torch.no_grad():
            return net(x, sigma, context, hooks=hooks)

    plain = run()
    assert not torch.allclose(run(NetHooks().with_patch("noise_refiner", patch)), plain, atol=1e-2)
    assert not torch.allclose(run(NetHooks().with_patch("double_block", patch)), plain, atol=1e-2)
    # 20 patches and 9 words, both filled up to 32
    assert seen == [(0, 32, 32), (0, 32, 32), (1, 32, 32)]
    skip = NetHooks().with_replacement("dit", ("layers", 1), lambda given, extra: given)
    through = NetHooks().with_replacement(
        "dit", ("layers", 1), lambda given, extra: extra["original_block"](given)
    )
    assert not torch.allclose(run(skip), plain, atol=1e-2)
    assert torch.equal(run(through), plain)
