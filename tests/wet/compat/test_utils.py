"""`comfy.utils`: files, state dicts, sizes, tiles and progress."""

import importlib

import pytest
import torch
from PIL import Image
from torch import nn

from engine.compat.install import install_facade
from engine.errors import Stopped, WeightsError
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.nets.unet_names import unet_names
from engine.nodekit.context import CURRENT, RunningContext


@pytest.fixture(scope="module")
def utils():
    install_facade()
    return importlib.import_module("comfy.utils")


def test_a_file_is_written_and_read_with_its_metadata(utils, tmp_path):
    path = str(tmp_path / "x.safetensors")
    utils.save_torch_file({"a": torch.arange(6.0).reshape(2, 3).T}, path, metadata={"k": "v"})
    found, metadata = utils.load_torch_file(path, safe_load=True, return_metadata=True)
    assert metadata == {"k": "v"}
    assert torch.equal(found["a"], torch.arange(6.0).reshape(2, 3).T)
    assert b'"k":"v"' in utils.safetensors_header(path)
    assert utils.safetensors_header(path, 10) is None


def test_a_loaded_tensor_may_be_changed_in_place(utils, tmp_path):
    path = str(tmp_path / "x.safetensors")
    utils.save_torch_file({"a": torch.zeros(4)}, path)
    utils.load_torch_file(path)["a"].add_(1)
    assert utils.load_torch_file(path)["a"].sum() == 0


def test_a_pickled_file_is_unwrapped(utils, tmp_path):
    path = str(tmp_path / "x.ckpt")
    torch.save({"state_dict": {"a": torch.ones(2)}, "epoch": 3}, path)
    assert list(utils.load_torch_file(path)) == ["a"]
    torch.save({"params": {"b": torch.ones(2)}}, path)
    found, metadata = utils.load_torch_file(path, return_metadata=True)
    assert (list(found), metadata) == (["b"], None)
    torch.save({"epoch": torch.tensor(3), "list": [torch.ones(2)]}, path)
    assert set(utils.load_torch_file(path)) == {"epoch", "list"}


def test_no_code_of_a_file_runs(utils, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (exec, ("raise SystemExit",))

    path = tmp_path / "x.pt"
    torch.save({"state_dict": Hostile()}, path)
    with pytest.raises(WeightsError, match="refused"):
        utils.load_torch_file(str(path), safe_load=False)


def test_prefixes_are_replaced_in_place_or_filtered(utils):
    sd = {"a.x": 1, "b.y": 2}
    assert utils.state_dict_prefix_replace(sd, {"a.": "c."}) is sd
    assert sd == {"c.x": 1, "b.y": 2}
    assert utils.state_dict_prefix_replace(sd, {"b.": ""}, filter_keys=True) == {"y": 2}
    assert sd == {"c.x": 1}
    assert utils.state_dict_key_replace(sd, {"c.x": "z", "q": "r"}) == {"z": 1}


def test_values_are_counted_and_their_dtype_is_found(utils):
    sd = {"m.a": torch.zeros(10, dtype=torch.float16), "m.b": torch.zeros(3), "o": torch.zeros(99)}
    assert utils.calculate_parameters(sd, "m.") == 13
    assert utils.weight_dtype(sd, "m.") == torch.float16
    assert utils.weight_dtype(sd) == torch.float32
    assert utils.weight_dtype({}) is None


def test_open_clip_names_become_those_of_transformers(utils):
    block = "model.transformer.resblocks.0."
    sd = {
        f"{block}attn.in_proj_weight": torch.arange(12.0).reshape(6, 2),
        f"{block}ln_1.weight": torch.ones(2),
        f"{block}mlp.c_fc.bias": torch.ones(2),
        "model.text_projection": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
        "model.positional_embedding": torch.ones(2),
    }
    found = utils.clip_text_transformers_convert(sd, "model.", "clip.")
    layer = "clip.text_model.encoder.layers.0."
    assert set(found) == {
        *(f"{layer}self_attn.{name}_proj.weight" for name in "qkv"),
        f"{layer}layer_norm1.weight",
        f"{layer}mlp.fc1.bias",
        "clip.text_projection.weight",
        "clip.text_model.embeddings.position_embedding.weight",
    }
    assert found[f"{layer}self_attn.k_proj.weight"].tolist() == [[4, 5], [6, 7]]
    assert found["clip.text_projection.weight"].tolist() == [[1, 3], [2, 4]]


def test_dotted_attributes(utils):
    net = nn.Sequential(nn.Linear(2, 2))
    before = net[0].bias
    assert utils.get_attr(net, "0.bias") is before
    assert utils.set_attr_param(net, "0.bias", torch.ones(2)) is before
    utils.copy_to_param(net, "0.bias", torch.zeros(2))
    assert net[0].bias.sum() == 0
    assert utils.set_attr(net, "training", 3) is True


@pytest.mark.parametrize(
    ("width", "factors", "depths", "text"),
    [
        (320, (1, 2, 4, 4), (1, 1, 1, 0), {"context": 768, "heads": 8}),
        (320, (1, 2, 4), (0, 2, 10), {"context": 2048, "linear": True, "vector": 2816}),
    ],
)
def test_names_of_a_unet_are_those_of_its_modules(utils, width, factors, depths, text):
    config = regular_unet(width, factors, depths, **text)
    found = utils.unet_to_diffusers(
        {
            "num_res_blocks": [2] * len(factors),
            "channel_mult": factors,
            "transformer_depth": [each for each in depths for _ in range(2)],
            "transformer_depth_output": [each for each in depths for _ in range(3)],
            "transformer_depth_middle": depths[-1] or 1,
        }
    )
    with torch.device("meta"):
        own = UNet(config).state_dict()
    for theirs, ours in unet_names(config).items():
        for kind in ("weight", "bias"):
            if f"{ours}.{kind}" in own:
                assert found[f"{theirs}.{kind}"] == f"{ours}.{kind}"


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic"])
def test_pictures_are_scaled_after_they_are_cut(utils, method):
    x = torch.rand(2, 3, 8, 16)
    cut = torch.nn.functional.interpolate(x[..., 4:12], (4, 4), mode=method)
    assert torch.equal(utils.common_upscale(x, 4, 4, method, "center"), cut)
    assert utils.common_upscale(x, 4, 6, method, "disabled").shape == (2, 3, 6, 4)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_lanczos_is_pillow_s(utils, channels):
    x = torch.rand(1, channels, 8, 8)
    found = utils.common_upscale(x, 5, 4, "lanczos", "disabled")
    levels = (x[0].movedim(0, -1) * 255).to(torch.uint8).squeeze(-1).numpy()
    small = Image.fromarray(levels).resize((5, 4), Image.Resampling.LANCZOS)
    assert found.shape == (1, channels, 4, 5)
    assert round(float(found[0, 0, 0, 0]) * 255) == (
        small.getpixel((0, 0)) if channels == 1 else small.getpixel((0, 0))[0]
    )


def test_frames_are_scaled_one_by_one(utils):
    x = torch.rand(2, 4, 3, 8, 8)
    found = utils.common_upscale(x, 4, 4, "bislerp", "disabled")
    assert found.shape == (2, 4, 3, 4, 4)
    assert torch.allclose(found[1, :, 2], utils.bislerp(x[1:, :, 2], 4, 4)[0])


def test_tiles_blend_to_what_the_whole_gives(utils):
    x = torch.rand(2, 3, 30, 41)
    seen = []

    def enlarge(tile):
        seen.append(tuple(tile.shape[-2:]))
        return tile.repeat_interleave(2, -1).repeat_interleave(2, -2)

    bar = utils.ProgressBar(2 * utils.get_tiled_scale_steps(41, 30, 16, 16, 4))
    found = utils.tiled_scale(
        x, enlarge, tile_x=16, tile_y=16, overlap=4, upscale_amount=2, out_channels=3, pbar=bar
    )
    assert torch.allclose(found, enlarge(x), atol=1e-6)
    assert max(seen[:-1]) == (16, 16)
    assert bar.current == bar.total


def test_lengths_may_be_functions(utils):
    x = torch.rand(1, 2, 9, 20, 20)
    found = utils.tiled_scale_multidim(
        x,
        lambda tile: tile[:, :1, ::2],
        tile=(5, 16, 16),
        overlap=(1, 4, 4),
        upscale_amount=(lambda a: (a + 1) // 2, 1, 1),
        index_formulas=(lambda a: a // 2, 1, 1),
        out_channels=1,
    )
    assert torch.allclose(found, x[:, :1, ::2], atol=1e-6)


def test_batches_are_repeated_cut_and_spaced(utils):
    x = torch.arange(5)
    assert utils.repeat_to_batch_size(x, 7).tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert utils.repeat_to_batch_size(x, 2).tolist() == [0, 1]
    assert utils.resize_to_batch_size(x, 3).tolist() == [0, 2, 4]
    assert utils.resize_to_batch_size(x, 10).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_a_mask_fits_the_shape_of_a_latent(utils):
    found = utils.reshape_mask(torch.ones(16, 16), (3, 4, 8, 8))
    assert found.shape == (3, 4, 8, 8)
    assert utils.reshape_mask(torch.ones(2, 16, 16), (1, 4, 5, 8, 8)).shape == (1, 4, 5, 8, 8)


def test_packed_latents_come_back(utils):
    parts = [torch.rand(2, 4, 3, 3), torch.rand(2, 1, 7)]
    packed, shapes = utils.pack_latents(parts)
    assert packed.shape == (2, 1, 43)
    for one, two in zip(parts, utils.unpack_latents(packed, shapes), strict=True):
        assert torch.equal(one, two)


@pytest.fixture
def steps():
    """What the running node reports; a stop is requested after the third."""
    seen = []
    context = RunningContext(
        "7",
        None,
        on_progress=lambda *each: seen.append(each),
        stopped=lambda: len(seen) > 2,
    )
    token = CURRENT.set(context)
    yield seen
    CURRENT.reset(token)


def test_progress_reaches_the_editor_and_a_stop_the_plugin(utils, steps):
    bar = utils.ProgressBar(4)
    bar.update(1)
    bar.update_absolute(2, 5, ("JPEG", Image.new("RGBA", (1000, 10)), 100))
    assert [each[:3] for each in steps] == [("7", 1, 4), ("7", 2, 5)]
    assert steps[0][3] is None
    assert steps[1][3].startswith(b"\xff\xd8")
    with pytest.raises(Stopped):
        bar.update(9)
    assert steps[2][1:3] == (5, 5)


def test_a_plugin_s_hook_is_called_instead(utils, steps):
    heard = []
    utils.set_progress_bar_global_hook(lambda *args, **named: heard.append((args, named)))
    try:
        utils.ProgressBar(3, node_id="9").update(1)
    finally:
        utils.set_progress_bar_global_hook(None)
    assert heard == [((1.0, 3, None), {"node_id": "9"})]
    assert steps == []


def test_progress_outside_of_a_node_does_nothing(utils):
    utils.ProgressBar(3).update(1)
