"""Blocks of Wan and LTX-Video are merged by the original layout's names, whatever ours are."""

import pytest
import torch
from safetensors.torch import save_file

from engine.families.bridge import ltxv
from engine.families.bridge import wan_names as wan
from engine.inference.load import load_denoiser
from nodes.block_merging import (
    LTXV_PARTS,
    WAN_PARTS,
    merge_blocks_of_ltx_video,
    merge_blocks_of_wan,
)
from tests.wet.bridge_files import network, original
from tests.wet.nodes.test_merging import values

WAN = (wan, WAN_PARTS, merge_blocks_of_wan, ("blocks.1.", "head.", "time_embedding."))
LTXV = (
    ltxv,
    LTXV_PARTS,
    merge_blocks_of_ltx_video,
    ("transformer_blocks.1.", "adaln_single.", "scale_shift_table", "patchify_proj."),
)


@pytest.mark.parametrize(
    ("kind", "family"), [("wan_t2v", WAN), ("wan21_flf2v", WAN), ("ltxv", LTXV)]
)
def test_each_part_has_its_ratio(tmp_path, kind, family, cpu_residency):
    naming, parts, merge, some = family
    tensors = original(kind, network(kind).half().state_dict())
    save_file(tensors, tmp_path / "a.safetensors")
    save_file({name: each * 0.5 for name, each in tensors.items()}, tmp_path / "b.safetensors")
    a, b = (load_denoiser(tmp_path / f"{name}.safetensors") for name in "ab")
    names = {naming.original_name(name): name for name in a.net.sources}
    bare = {name.removeprefix("model.diffusion_model.") for name in tensors}
    assert set(names) == bare
    assert all(naming.class_name(theirs) == ours for theirs, ours in names.items())
    for part in some:
        ratios = dict.fromkeys(parts, 1.0) | {part: 0.25}
        mixed = merge(a, b, **ratios)
        changed = {theirs for theirs, ours in names.items() if ours in mixed.net.patches}
        assert changed == {name for name in bare if name.startswith(part)}
        for theirs in changed:
            found = values(mixed.net, names[theirs])
            plain = values(a.net, names[theirs])
            assert torch.allclose(found, plain * (0.25 + 0.75 * 0.5), atol=1e-3)
