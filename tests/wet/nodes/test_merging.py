"""Merged models: by number, by block, with LoRAs, and with models that do not fit."""

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import NodeError
from engine.families.auraflow.network import AuraFlow, AuraFlowConfig
from engine.families.qwen_image.network import QwenImage, QwenImageConfig
from engine.inference.load import load_checkpoint
from engine.inference.merging import by_prefix
from engine.nodekit.context import RunningContext
from nodes import block_merging, merging
from nodes.loaders import load_checkpoint_file

KEY = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
OUT = "out.2.weight"
TEXT = "encoder.layers.0.mlp.fc1.weight"
PREFIX = "model.diffusion_model."


@pytest.fixture
def ctx(files):
    files.folders("checkpoints")[0].mkdir(parents=True)
    return RunningContext("1", files)


@pytest.fixture(scope="module")
def both(tmp_path_factory, small_tensors):
    """(model, clip) of two checkpoints of one architecture."""
    folder = tmp_path_factory.mktemp("checkpoints")
    save_file(small_tensors, folder / "a.safetensors")
    other = {
        name: each * 0.5 + 0.01 if each.is_floating_point() else each
        for name, each in small_tensors.items()
    }
    save_file(other, folder / "b.safetensors")
    return [load_checkpoint(folder / f"{name}.safetensors")[:2] for name in "ab"]


def values(weights, name):
    """A tensor after loading, with its patches."""
    source = weights.sources[name]
    tensor = source.unpack(source.read_parts(), torch.float32)
    for patch in weights.patches.get(name, ()):
        tensor = patch.apply(tensor)
    return tensor


@pytest.mark.parametrize(
    ("mix", "own", "share"),
    [
        (lambda a, b: merging.merge_models(a, b, 0.3), 0.3, 0.7),
        (lambda a, b: merging.subtract_models(a, b, 0.4), 0.4, -0.4),
        (merging.add_models, 1.0, 1.0),
    ],
)
def test_models_are_mixed_tensor_by_tensor(both, mix, own, share):
    (a, _), (b, _) = both
    mixed = mix(a, b)
    assert mixed.net.base is a.net  # a handle, no second copy
    for name in (KEY, OUT, "out.2.bias"):
        one, other = (values(each.net, name) for each in (a, b))
        assert torch.allclose(values(mixed.net, name), own * one + share * other)


def test_ratio_1_is_the_first_and_nothing_is_read_of_the_second(both):
    (a, clip_a), (b, clip_b) = both
    assert merging.merge_models(a, b, 1.0).net is a.net
    mixed = merging.merge_clips(clip_a, clip_b, 1.0)
    assert mixed.parts["clip_l"].weights is clip_a.parts["clip_l"].weights


@pytest.mark.parametrize(
    ("mix", "own", "share"),
    [
        (lambda a, b: merging.merge_clips(a, b, 0.3), 0.3, 0.7),
        (lambda a, b: merging.subtract_clips(a, b, 2.0), 2.0, -2.0),
        (merging.add_clips, 1.0, 1.0),
    ],
)
def test_text_encoders_are_mixed(both, mix, own, share):
    (_, a), (_, b) = both
    one, other, mixed = (values(each.parts["clip_l"].weights, TEXT) for each in (a, b, mix(a, b)))
    assert torch.allclose(mixed, own * one + share * other)


def test_blocks_have_ratios_of_their_own(both):
    (a, _), (b, _) = both
    mixed = merging.merge_blocks(a, b, input=0.1, middle=0.5, out=0.9)
    for name, ratio in (
        (KEY, 0.1),
        ("middle_block.0.in_layers.2.bias", 0.5),
        (OUT, 0.9),
        ("time_embed.0.bias", 0.1),
    ):
        one, other = (values(each.net, name) for each in (a, b))
        expected = ratio * one + (1 - ratio) * other
        assert torch.allclose(values(mixed.net, name), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("merge", "blocks", "parts"),
    [
        (block_merging.merge_blocks_of_flux, 57, 6),
        (block_merging.merge_blocks_of_sd3, 24, 6),
        (block_merging.merge_blocks_of_sd35, 38, 6),
        (block_merging.merge_blocks_of_qwen_image, 60, 6),
        (block_merging.merge_blocks_of_auraflow, 36, 7),
    ],
)
def test_every_block_of_a_transformer_has_an_input(merge, blocks, parts):
    names = [each.name for each in merge.schema.inputs][2:]
    numbered = [name for name in names if "blocks." in name or "layers." in name]
    assert (len(numbered), len(names) - len(numbered)) == (blocks, parts)


def test_a_transformer_is_mixed_block_by_block():
    """The names that the node has are those of the network's tensors."""
    config = QwenImageConfig(16, 16, 16, 32, 16, 32, 60)
    with torch.device("meta"):
        names = QwenImage(config).state_dict()
    inputs = {each.name for each in block_merging.merge_blocks_of_qwen_image.schema.inputs}
    shares = by_prefix({name: 0.25 for name in inputs if name.endswith(".")} | {"img_in.": 1.0})
    fitting = [name for name in names if any(name.startswith(each) for each in inputs)]
    assert len(fitting) > 0.99 * len(names)
    assert shares("img_in.weight") == (1.0, 0.0)
    assert shares("transformer_blocks.59.attn.to_q.weight") == (0.25, 0.75)


def test_the_inputs_of_auraflow_are_its_tensors():
    with torch.device("meta"):
        names = AuraFlow(AuraFlowConfig(16, 32, 64, 128, 4, 32, 8, 16)).state_dict()
    inputs = [each.name for each in block_merging.merge_blocks_of_auraflow.schema.inputs][2:]
    assert {name for name in names if not name.startswith(tuple(inputs))} == set()
    assert [each for each in inputs if not any(name.startswith(each) for name in names)] == []


def test_every_block_of_a_build_has_an_input(both):
    (a, _), (b, _) = both
    names = [each.name for each in merging.merge_blocks_of_sd1.schema.inputs]
    ratios = {name: 1.0 for name in names if name.endswith(".")}
    assert len(ratios) == 30
    mixed = merging.merge_blocks_of_sd1(a, b, **(ratios | {"input_blocks.1.": 0.25}))
    one, other = (values(each.net, KEY) for each in (a, b))
    assert torch.allclose(values(mixed.net, KEY), 0.25 * one + 0.75 * other, atol=1e-6)
    assert set(mixed.net.patches) == {n for n in a.net.sources if n.startswith("input_blocks.1.")}


def test_the_longest_prefix_counts():
    shares = by_prefix({"input": 0.1, "input_blocks.1": 0.2, "out": 0.3, "out.": 0.4})
    found = [shares(f"{name}.x")[0] for name in ("input_blocks.0", "input_blocks.1", "output", "z")]
    assert found == [0.1, 0.2, 0.3, 0.1]
    assert shares("out.0.weight") == (0.4, 0.6)


def test_a_mixture_of_mixtures(both):
    """Add difference: a + (b - a) is b."""
    (a, _), (b, _) = both
    mixed = merging.add_models(a, merging.subtract_models(b, a, 1.0))
    assert torch.allclose(values(mixed.net, KEY), values(b.net, KEY), atol=1e-6)


def test_models_of_other_builds_are_refused(both, ctx, settings, random_checkpoints):
    (a, _), _ = both
    sizes = random_checkpoints.Sizes(
        64, (1, 2), (1, 0), 1, autoencoder=(32, 32, 32, 64), text_width=64, text_layers=2
    )
    path = settings.models_directories[0] / "checkpoints" / "wide.safetensors"
    random_checkpoints.make(path, sizes, torch.float16)
    wide, _, _ = load_checkpoint_file("wide.safetensors", ctx)
    with pytest.raises(NodeError, match=r"built differently.*merge models of one family"):
        merging.merge_models(a, wide, 0.5)


def test_a_model_for_inpainting_takes_a_difference_of_one_without(
    both, ctx, settings, small_tensors
):
    (a, _), (b, _) = both
    entry = f"{PREFIX}input_blocks.0.0.weight"
    wide = torch.cat([small_tensors[entry], torch.ones(32, 5, 3, 3).half()], dim=1)
    path = settings.models_directories[0] / "checkpoints" / "inpaint.safetensors"
    save_file(small_tensors | {entry: wide}, path)
    inpaint, _, _ = load_checkpoint_file("inpaint.safetensors", ctx)
    mixed = merging.add_models(inpaint, merging.subtract_models(b, a, 1.0))
    found = values(mixed.net, "input_blocks.0.0.weight")
    assert torch.equal(found[:, 4:], wide[:, 4:].float())
    expected = values(b.net, "input_blocks.0.0.weight")
    assert torch.allclose(found[:, :4], expected, atol=1e-6)


def test_a_text_encoder_that_is_missing_is_not_passed_over(both, ctx, settings, small_tensors):
    (_, a), _ = both
    without = {n: each for n, each in small_tensors.items() if not n.startswith("cond_stage")}
    attended = [
        name for name in without if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))
    ]
    wide = {name: torch.zeros(without[name].shape[0], 768).half() for name in attended}
    path = settings.models_directories[0] / "checkpoints" / "bare.safetensors"
    save_file(without | wide, path)
    _, bare, _ = load_checkpoint_file("bare.safetensors", ctx)
    with pytest.raises(NodeError, match="the second text encoder has no CLIP L"):
        merging.merge_clips(a, bare, 0.5)
