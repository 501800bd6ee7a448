"""Conditionings in files: what comes back, and what is refused."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from engine.errors import NodeError, WeightsError
from engine.nodekit.context import RunningContext
from nodes.conditioning import conditioning_multiply, conditioning_set_area_percentage_video
from nodes.conditioning_files import conditioning_loader, save_conditioning


@pytest.fixture
def ctx(files):
    files.folders("embeddings")[0].mkdir(parents=True)
    return RunningContext("1", files)


def test_what_was_saved_comes_back(ctx):
    tokens = torch.randn(1, 7, 12)
    known = {
        "pooled_output": torch.randn(1, 4),
        "reference_latents": [torch.randn(1, 2, 3, 3), torch.randn(1, 2, 4, 4)],
        "guidance": 3.5,
        "name": "a",
        "nothing": None,
    }
    assert save_conditioning([[tokens, known]], ctx=ctx)[0][0] is tokens
    [shown] = ctx.shown["files"]
    assert shown["type"] == "output"
    path = ctx.files.find_annotated(f"{shown['subfolder']}/{shown['filename']} [output]")
    with safe_open(path, framework="pt") as file:
        assert torch.equal(file.get_tensor("conditioning"), tokens)
    path.rename(ctx.files.folders("embeddings")[0] / "c.safetensors")
    [[found, values]] = conditioning_loader("c.safetensors", ctx)
    assert torch.equal(found, tokens)
    assert values.keys() == known.keys() - {"nothing"}
    assert torch.equal(values["pooled_output"], known["pooled_output"])
    assert [each.shape for each in values["reference_latents"]] == [(1, 2, 3, 3), (1, 2, 4, 4)]
    assert (values["guidance"], values["name"]) == (3.5, "a")
    before = conditioning_loader.fingerprint_of({"conditioning_name": "c.safetensors"}, ctx)
    assert before


def test_what_does_not_fit_into_a_file_is_refused(ctx):
    tokens = torch.zeros(1, 1, 1)
    with pytest.raises(NodeError, match="has 2 entries"):
        save_conditioning([[tokens, {}], [tokens, {}]], ctx=ctx)
    with pytest.raises(NodeError, match=r"holds hooks \(object\)"):
        save_conditioning([[tokens, {"hooks": object()}]], ctx=ctx)


def test_other_files_are_refused(ctx):
    folder = ctx.files.folders("embeddings")[0]
    save_file({"emb_params": torch.zeros(2, 4)}, folder / "style.safetensors")
    save_file({"conditioning": torch.zeros(2)}, folder / "flat.safetensors")
    with pytest.raises(WeightsError, match="holds no conditioning; its tensors are emb_params"):
        conditioning_loader("style.safetensors", ctx)
    with pytest.raises(WeightsError, match=r"a conditioning is \[1, tokens, width\], found \[2\]"):
        conditioning_loader("flat.safetensors", ctx)


def test_entries_are_multiplied_and_limited():
    tokens, pooled = torch.randn(1, 3, 4), torch.randn(1, 2)
    [[found, values]] = conditioning_multiply([[tokens, {"pooled_output": pooled, "x": 1}]], -2.0)
    assert torch.equal(found, tokens * -2)
    assert torch.equal(values["pooled_output"], pooled * -2)
    assert values["x"] == 1
    [[_, values]] = conditioning_set_area_percentage_video(
        conditioning=[[tokens, {}]], width=0.5, height=0.25, temporal=0.75, x=0.1, y=0.2, z=0.3
    )
    assert values["area"] == ("percentage", 0.75, 0.25, 0.5, 0.3, 0.2, 0.1)
    assert values["set_area_to_bounds"] is False
