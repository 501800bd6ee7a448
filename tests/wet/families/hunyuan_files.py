"""Tensors of HunyuanImage 2.1 and HunyuanVideo 1.5 in all layouts of their files."""

from __future__ import annotations

import torch

from engine.diffusion.conditioning import Role
from engine.families.family import Entry, Run
from engine.families.hunyuan_video.glyphs import text

from .flux_files import loaded

WORDS, GLYPHS = 48, 40
TIME = torch.tensor([700.0, 200.0])


def drawn(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tencent(given, *, apart):
    """The tensors in the layout of Tencent's files, projections apart or joined."""
    found = {}
    for key, each in given.items():
        name = key
        for ours, theirs in (
            ("_attn.proj", "_attn_proj"),
            ("_attn.norm.query_norm.scale", "_attn_q_norm.weight"),
            ("_attn.norm.key_norm.scale", "_attn_k_norm.weight"),
            ("self_attn.", "self_attn_"),
            (".norm.query_norm.scale", ".q_norm.weight"),
            (".norm.key_norm.scale", ".k_norm.weight"),
            ("mod.lin.", "mod.linear."),
            ("modulation.lin.", "modulation.linear."),
            ("time_in.in_layer", "time_in.mlp.0"),
            ("time_in.out_layer", "time_in.mlp.2"),
            ("time_r_in.in_layer", "time_r_in.mlp.0"),
            ("time_r_in.out_layer", "time_r_in.mlp.2"),
            ("guidance_in.in_layer", "guidance_in.mlp.0"),
            ("guidance_in.out_layer", "guidance_in.mlp.2"),
            ("t_embedder.in_layer", "t_embedder.mlp.0"),
            ("t_embedder.out_layer", "t_embedder.mlp.2"),
            ("c_embedder.in_layer", "c_embedder.linear_1"),
            ("c_embedder.out_layer", "c_embedder.linear_2"),
        ):
            name = name.replace(ours, theirs)
        if "blocks." in name:
            name = name.replace("mlp.0", "mlp.fc1").replace("mlp.2", "mlp.fc2")
        if apart and "_attn.qkv" in name and "refiner" not in name:
            for letter, rows in zip("qkv", each.chunk(3), strict=True):
                found[name.replace("attn.qkv", f"attn_{letter}")] = rows.clone()
        elif apart and ".linear1." in name:
            rows = each.split((256, 256, 256, 1024))
            for part, piece in zip(("q", "k", "v", "mlp"), rows, strict=True):
                found[name.replace("linear1.", f"linear1_{part}.")] = piece.clone()
        else:
            name = name.replace(".linear2.", ".linear2.fc.") if apart else name
            found[name.replace("attn.qkv", "attn_qkv")] = each
    return found


OF_DIFFUSERS = (
    ("txt_in.individual_token_refiner.blocks.", "context_embedder.token_refiner.X."),
    ("txt_in.input_embedder", "context_embedder.proj_in"),
    ("txt_in.t_embedder.mlp.0", "context_embedder.T.timestep_embedder.linear_1"),
    ("txt_in.t_embedder.mlp.2", "context_embedder.T.timestep_embedder.linear_2"),
    ("txt_in.c_embedder", "context_embedder.T.text_embedder"),
    ("time_in.mlp.0", "E.timestep_embedder.linear_1"),
    ("time_in.mlp.2", "E.timestep_embedder.linear_2"),
    ("time_r_in.mlp.0", "E.timestep_embedder_r.linear_1"),
    ("time_r_in.mlp.2", "E.timestep_embedder_r.linear_2"),
    ("guidance_in.mlp.0", "E.guidance_embedder.linear_1"),
    ("guidance_in.mlp.2", "E.guidance_embedder.linear_2"),
    (".X.", ".refiner_blocks."),
    (".T.", ".time_text_embed."),
    ("img_in.", "x_embedder."),
    ("byt5_in.layernorm", "context_embedder_2.norm"),
    ("byt5_in.fc", "context_embedder_2.linear_"),
    ("vision_in.proj.0", "image_embedder.norm_in"),
    ("vision_in.proj.1", "image_embedder.linear_1"),
    ("vision_in.proj.3", "image_embedder.linear_2"),
    ("vision_in.proj.4", "image_embedder.norm_out"),
    ("cond_type_embedding", "cond_type_embed"),
    ("final_layer.adaLN_modulation.1", "norm_out.linear"),
    ("final_layer.linear", "proj_out"),
    ("adaLN_modulation.1", "norm_out.linear"),
    ("double_blocks", "transformer_blocks"),
    ("single_blocks", "single_transformer_blocks"),
    ("self_attn_proj", "attn.to_out.0"),
    ("img_attn_q_norm", "attn.norm_q"),
    ("img_attn_k_norm", "attn.norm_k"),
    ("txt_attn_q_norm", "attn.norm_added_q"),
    ("txt_attn_k_norm", "attn.norm_added_k"),
    ("img_attn_proj", "attn.to_out.0"),
    ("txt_attn_proj", "attn.to_add_out"),
    ("img_mod", "norm1"),
    ("txt_mod", "norm1_context"),
    ("img_mlp.fc1", "ff.net.0.proj"),
    ("img_mlp.fc2", "ff.net.2"),
    ("txt_mlp.fc1", "ff_context.net.0.proj"),
    ("txt_mlp.fc2", "ff_context.net.2"),
    ("mlp.fc1", "ff.net.0.proj"),
    ("mlp.fc2", "ff.net.2"),
    ("linear1_mlp", "proj_mlp"),
    ("linear2.fc", "proj_out"),
    ("modulation.linear", "norm.linear"),
    (".q_norm", ".attn.norm_q"),
    (".k_norm", ".attn.norm_k"),
)


def of_diffusers(given, embed="time_embed"):
    """The tensors under the names of diffusers' class, after its script of conversion."""
    found = {}
    for key, value in tencent(given, apart=True).items():
        name, each = key, value
        for theirs, ours in OF_DIFFUSERS:
            name = name.replace(theirs, ours)
        name = name.replace("E.", f"{embed}.") if name.startswith("E.") else name
        for letter in "qkv":
            name = name.replace(f"img_attn_{letter}.", f"attn.to_{letter}.")
            name = name.replace(f"txt_attn_{letter}.", f"attn.add_{letter}_proj.")
            name = name.replace(f"linear1_{letter}.", f"attn.to_{letter}.")
        if name.startswith("norm_out.linear"):
            each = torch.cat(each.chunk(2)[::-1])
        if "self_attn_qkv" in name:
            for letter, rows in zip("qkv", each.chunk(3), strict=True):
                found[name.replace("self_attn_qkv", f"attn.to_{letter}")] = rows.clone()
        else:
            found[name] = each
    return found


def asked(family, config, given, x, entry):
    """The family's call, as the sampler makes it."""
    inputs = family.inputs(config, entry, run=Run(x.shape), role=Role.POSITIVE)
    rows = {key: each.value.expand(2, *each.value.shape[1:]) for key, each in inputs.items()}
    net = loaded(family.build(config), given)
    nothing = {"control": None, "hooks": None, "checkpoint": lambda: None}
    return family.predict(net, x, TIME, rows, **nothing)


def strays(found, wanted):
    assert found.shape == wanted.shape
    return float((found - wanted).norm() / wanted.norm())


def entry_of(*, glyphs=False, **extras):
    more = {text.GLYPHS: drawn(1, 5, GLYPHS, seed=3)} if glyphs else {}
    return Entry(drawn(1, 7, WORDS, seed=2), more | extras)


def layouts(given, embed="time_embed"):
    return {
        "apart": {f"model.diffusion_model.{k}": v for k, v in tencent(given, apart=True).items()},
        "joined": tencent(given, apart=False),
        "diffusers": of_diffusers(given, embed),
        "FLUX": given,
    }
