"""Tiny networks of diffusers' own classes, with random weights, and their files' original layouts.

The original names are written down here; diffusers' own converters are the judge of them.
"""

from __future__ import annotations

from typing import Any

import diffusers
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.families.wan22_autoencoder import LATENT as LATENT_22
from engine.nets.autoencoder_packed import PackedAutoencoder
from engine.nets.layouts import regular_autoencoder
from engine.text.decoder_network import Decoder, DecoderConfig, Rotary
from engine.text.t5_network import T5Config, T5Text
from tests.wet.tokenizer_files import t5_pieces, tekken
from tests.wet.wan_files import filled

PREFIX = "model.diffusion_model."
WIDTH = 16
"""Of the text encoders' states."""
SEEN = 64
"""Of what CLIP sees."""
QWEN3VL = DecoderConfig(151_700, WIDTH, 32, 32, 1, 1, 16, False, True, 1e-6, Rotary())
UMT5 = T5Config(200_000, WIDTH, 16, 32, 1, 1, 32, gated=True, each=True)
FLUX3: dict[str, Any] = {
    "in_channels": 128,
    "cond_in_channels": 128,
    "num_layers": 2,
    "num_single_layers": 2,
    "attention_head_dim": 32,
    "num_attention_heads": 2,
    "joint_attention_dim": 8 * WIDTH,
    "timestep_channels": 32,
    "mlp_ratio": 3.0,
    "axes_dims_rope": (8, 8, 8, 8),
}
WAN: dict[str, Any] = {
    "num_attention_heads": 1,
    "attention_head_dim": 128,
    "text_dim": WIDTH,
    "freq_dim": 32,
    "ffn_dim": 96,
    "num_layers": 2,
}
WANS: dict[str, dict[str, Any]] = {
    "wan_t2v": {"in_channels": 16},
    "wan22_i2v": {"in_channels": 36},
    "wan21_i2v": {"in_channels": 36, "image_dim": SEEN, "added_kv_proj_dim": 128},
    "wan21_flf2v": {
        "in_channels": 36,
        "image_dim": SEEN,
        "added_kv_proj_dim": 128,
        "pos_embed_seq_len": 34,
    },
    "wan22_5b": {"in_channels": 48, "out_channels": 48},
    "wan_fun_control": {"in_channels": 48, "out_channels": 16},
    "wan22_fun_control": {"in_channels": 148, "out_channels": 48},
    "wan_fun_camera": {"in_channels": 32, "out_channels": 16},
    "wan_vace": {"num_layers": 4, "vace_layers": [0, 2]},
}
WAN22_AUTOENCODER: dict[str, Any] = {
    "base_dim": 8,
    "decoder_base_dim": 12,
    "z_dim": 48,
    "dim_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attn_scales": [],
    "temperal_downsample": [False, True, True],
    "in_channels": 12,
    "out_channels": 12,
    "patch_size": 2,
    "scale_factor_spatial": 16,
    "is_residual": True,
}

ERNIE: dict[str, Any] = {
    "hidden_size": 64,
    "num_attention_heads": 2,
    "num_layers": 2,
    "ffn_hidden_size": 96,
    "text_in_dim": 3072,
    "rope_axes_dim": (8, 12, 12),
}
LTXV: dict[str, Any] = {
    "num_attention_heads": 32,
    "attention_head_dim": 2,
    "cross_attention_dim": 64,
    "caption_channels": WIDTH,
    "num_layers": 2,
}
ALL = ("flux3", "flux3_distilled", *WANS, "ernie", "ltxv")


def network(name: str, seed: int = 0) -> nn.Module:
    """diffusers' own class, on the CPU with random values; the names are those of `ALL`."""
    if name == "ernie":
        made = diffusers.ErnieImageTransformer2DModel(**ERNIE)
    elif name == "ltxv":
        made = diffusers.LTXVideoTransformer3DModel(**LTXV)
    elif name == "wan22_autoencoder":
        made = diffusers.AutoencoderKLWan(**WAN22_AUTOENCODER)
    elif name.startswith("flux3"):
        made = diffusers.Flux3Transformer2DModel(**FLUX3, flow_map=name == "flux3_distilled")
    else:
        kind = "WanVACETransformer3DModel" if "vace" in name else "WanTransformer3DModel"
        made = getattr(diffusers, kind)(**{**WAN, **WANS[name]})
        if name == "wan22_fun_control":
            made.ref_conv = nn.Conv2d(48, 128, 2, 2)
        if name == "wan_fun_camera":
            block = {f"conv{n}": nn.Conv2d(128, 128, 3, padding=1) for n in (1, 2)}
            parts = {"conv": nn.Conv2d(24 * 64, 128, 2, 2)}
            parts["residual_blocks"] = nn.ModuleList([nn.ModuleDict(block)])
            made.control_adapter = nn.ModuleDict(parts)
    generator = torch.Generator().manual_seed(seed)
    values = {}
    for key, tensor in made.state_dict().items():
        drawn = torch.randn(tensor.shape, generator=generator)
        scale = 0.1 if tensor.ndim < 2 or "table" in key else tensor[0].numel() ** -0.5
        is_norm = ("norm" in key or "_ln" in key) and key.endswith(("weight", "gamma"))
        values[key] = drawn * scale + (1.0 if is_norm else 0.0)
    made.load_state_dict(values)
    return made.eval()


def original(name: str, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `network(name)` under their original names."""
    rename = flux3_name if name.startswith("flux3") else wan_name
    if name == "ltxv":
        rename = ltxv_name
    if name == "ernie":
        return {theirs: value.contiguous() for theirs, value in values.items()}
    if name == "wan22_autoencoder":
        rename = wan22_autoencoder_name
    found: dict[str, Tensor] = {}
    for theirs, value in values.items():
        swaps = name.startswith("flux3") and theirs == "norm_out.linear.weight"
        # The original has shift before scale.
        ours = torch.cat(value.chunk(2)[::-1]) if swaps else value
        found[rename(theirs)] = ours.contiguous()
    return found


def flux3_name(name: str) -> str:
    """The original name of a tensor of FLUX.3."""
    for theirs, ours in (
        ("x_embedders.", "emb_in."),
        ("context_embedder.", "txt_in."),
        ("target_timestep_embedder.linear_1", "ref_time_in.in_layer"),
        ("target_timestep_embedder.linear_2", "ref_time_in.out_layer"),
        ("timestep_embedder.linear_1", "time_in.in_layer"),
        ("timestep_embedder.linear_2", "time_in.out_layer"),
        ("proj_out.", "final_layer.image.linear."),
        ("norm_out.linear.", "final_layer.image.adaLN_modulation.1."),
        ("single_transformer_blocks.", "single_blocks."),
        ("mode_blocks.image", "content_mode_blocks.image"),
    ):
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
            break
    for theirs, ours in (
        (".attn.to_q.", ".q_proj."),
        (".attn.to_k.", ".k_proj."),
        (".attn.to_v.", ".v_proj."),
        (".attn.to_out.0.", ".attn_out."),
        (".attn.norm_q.weight", ".norm.query_norm.scale"),
        (".attn.norm_k.weight", ".norm.key_norm.scale"),
        (".ff.linear_in.", ".mlp_in."),
        (".ff.linear_out.", ".mlp_out."),
    ):
        name = name.replace(theirs, ours)
    return name.replace(".linear.weight", ".lin.weight") if "stream_mod" in name else name


def ltxv_name(name: str) -> str:
    """The original name of a tensor of LTX-Video."""
    for theirs, ours in (("proj_in.", "patchify_proj."), ("time_embed.", "adaln_single.")):
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
    return name.replace("norm_q", "q_norm").replace("norm_k", "k_norm")


def wan_name(name: str) -> str:
    """The original name of a tensor of Wan."""
    if name.startswith("vace_blocks."):
        name = name.replace("proj_in", "before_proj").replace("proj_out", "after_proj")
    for theirs, ours in (
        ("condition_embedder.text_embedder.linear_1", "text_embedding.0"),
        ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
        ("condition_embedder.time_embedder.linear_1", "time_embedding.0"),
        ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
        ("condition_embedder.time_proj", "time_projection.1"),
        ("condition_embedder.image_embedder.pos_embed", "img_emb.emb_pos"),
        ("condition_embedder.image_embedder.norm1", "img_emb.proj.0"),
        ("condition_embedder.image_embedder.ff.net.0.proj", "img_emb.proj.1"),
        ("condition_embedder.image_embedder.ff.net.2", "img_emb.proj.3"),
        ("condition_embedder.image_embedder.norm2", "img_emb.proj.4"),
        ("proj_out", "head.head"),
        ("attn1", "self_attn"),
        ("attn2", "cross_attn"),
        ("to_out.0", "o"),
        ("to_q", "q"),
        ("to_k", "k"),
        ("to_v", "v"),
        ("norm_added_k", "norm_k_img"),
        ("add_k_proj", "k_img"),
        ("add_v_proj", "v_img"),
        ("norm2", "norm3"),
        ("ffn.net.0.proj", "ffn.0"),
        ("ffn.net.2", "ffn.2"),
    ):
        name = name.replace(theirs, ours)
    if name == "scale_shift_table":
        return "head.modulation"
    return name.replace("scale_shift_table", "modulation")


def wan22_autoencoder_name(name: str) -> str:
    """The original name of a tensor of Wan 2.2's autoencoder."""
    in_block = {
        "norm1": "residual.0",
        "conv1": "residual.2",
        "norm2": "residual.3",
        "conv2": "residual.6",
        "conv_shortcut": "shortcut",
    }
    parts = name.split(".")
    match parts:
        case ["quant_conv" | "post_quant_conv" as conv, kind]:
            return f"conv{1 if conv == 'quant_conv' else 2}.{kind}"
        case [side, "conv_in", kind]:
            return f"{side}.conv1.{kind}"
        case [side, "norm_out" | "conv_out" as last, kind]:
            return f"{side}.head.{0 if last == 'norm_out' else 2}.{kind}"
        case [side, "mid_block", "attentions", "0", *rest]:
            return f"{side}.middle.1.{'.'.join(rest)}"
        case [side, "mid_block", "resnets", number, part, kind]:
            return f"{side}.middle.{2 * int(number)}.{in_block[part]}.{kind}"
        case [side, "down_blocks" | "up_blocks" as blocks, level, "resnets", number, part, kind]:
            samples = f"{blocks.removesuffix('_blocks')}samples"
            return f"{side}.{samples}.{level}.{samples}.{number}.{in_block[part]}.{kind}"
        case [side, "down_blocks", level, "downsampler", *rest]:
            return f"{side}.downsamples.{level}.downsamples.2.{'.'.join(rest)}"
        case [side, "up_blocks", level, "upsampler", *rest]:
            return f"{side}.upsamples.{level}.upsamples.3.{'.'.join(rest)}"
    raise ValueError(name)


def qwen3vl() -> dict[str, Tensor]:
    """A text encoder of FLUX.3, in the layout of a model that sees."""
    found = filled(lambda: Decoder(QWEN3VL), 3)
    return {f"model.language_model.{name}": value for name, value in found.items()}


def umt5() -> dict[str, Tensor]:
    """A text encoder of Wan with a tokenizer, T5's."""
    found = filled(lambda: T5Text(UMT5), 4)
    return found | {"spiece_model": t5_pieces()}


def ministral() -> dict[str, Tensor]:
    """A text encoder of ERNIE-Image."""
    sizes = DecoderConfig(300, 3072, 32, 2, 1, 1, 128, False, False, 1e-5, Rotary())
    found = filled(lambda: Decoder(sizes), 6)
    named = {f"model.{name}": value for name, value in found.items()}
    return named | {"tekken_model": tekken()}


def packed_autoencoder() -> dict[str, Tensor]:
    """FLUX.2's autoencoder, which FLUX.3 takes too."""
    config = regular_autoencoder((32,) * 4, latent_channels=32, quantised=True, blocks=1)
    return filled(lambda: PackedAutoencoder(config), 5) | {"bn.running_var": torch.ones(128).half()}


def expected_wan(name, net, x, entry, text, time):
    whole, pictures = x, None
    if name == "wan_vace":
        return expected_vace(net, x, entry, text, time)
    if name == "wan22_fun_control":
        return expected_fun_control(net, x, entry, text, time)
    if name == "wan_fun_camera":
        return expected_fun_camera(net, x, entry, text, time)
    if name == "wan22_5b":
        # A time for each token: none of the first frame's, 3 x 3 of each.
        time = torch.cat((torch.zeros(2, 9), time[:, None].expand(2, 18)), 1)
    elif name != "wan_t2v":
        # Wan's own pipelines: four ones for each cell that is given, then its scaled latent.
        latent = _scaled(entry.extras["concat_latent_image"])
        # A video to follow, and how its own begins, have no flags.
        flags = torch.zeros(1, 0 if name == "wan_fun_control" else 4, 3, 6, 5)
        flags[:, :, 0] = 1
        whole = torch.cat((x, torch.cat((flags, latent), 1).expand(2, -1, -1, -1, -1)), 1)
    if name.startswith("wan21") and "clip_vision_output" not in entry.extras:
        text = torch.cat((text, text), 1)  # the class takes all but the last 512 for the picture's
    elif name.startswith("wan21"):
        states = entry.extras["clip_vision_output"].penultimate_hidden_states.expand(2, -1, -1)
        pictures = states if name == "wan21_i2v" else states.reshape(4, 17, -1)
    whole = torch.cat((whole, whole[..., :1]), -1)  # an odd side goes on from its other end
    return net(whole, time, text, pictures).sample[..., :5]


def expected_vace(net, x, entry, text, time):
    """The only video to follow, as in VACE's own pipeline."""
    [frames], [mask], [strength] = (
        entry.extras[key] for key in ("vace_frames", "vace_mask", "vace_strength")
    )
    followed = torch.cat((_scaled(frames), mask), 1).expand(2, -1, -1, -1, -1)
    whole, followed = (torch.cat((each, each[..., :1]), -1) for each in (x, followed))
    out = net(whole, time, text, None, followed, torch.full((2,), strength))
    return out.sample[..., :5]


def expected_fun_control(net, x, entry, text, time):
    """The control, flags and beginning beside x; tokens of the reference like one frame before."""
    extras = entry.extras
    control, begun = (
        LATENT_22.into(each) for each in extras["concat_latent_image"].split(48, dim=1)
    )
    flags = torch.zeros(1, 4, 3, 6, 5)
    flags[:, :, 0] = 1
    beside = torch.cat((control, flags, begun), 1).expand(2, -1, -1, -1, -1)
    whole = torch.cat((x, beside), 1)
    picture = LATENT_22.into(extras["reference_latents"][0])[:, :, 0].expand(2, -1, -1, -1)
    whole, picture = (torch.cat((each, each[..., :1]), -1) for each in (whole, picture))
    with torch.no_grad():
        first = functional.conv2d(picture, net.ref_conv.weight, net.ref_conv.bias, stride=2)
        tokens = torch.cat((first[:, :, None], net.patch_embedding(whole)), 2)
    handle = net.patch_embedding.register_forward_hook(lambda *_: tokens)
    # A time for each token: that of the noise for the reference, none for the first frame.
    times = torch.cat(
        (time[:, None].expand(2, 9), torch.zeros(2, 9), time[:, None].expand(2, 18)), 1
    )
    out = net(torch.cat((whole[:, :, :1], whole), 2), times, text).sample
    handle.remove()
    return out[:, :, 1:, :, :5]


def expected_fun_camera(net, x, entry, text, time):
    """What is made of the rays is added to the tokens."""
    adapter = net.control_adapter
    [block] = adapter["residual_blocks"]
    rays = entry.extras["camera_conditions"]
    cells = [
        rays[0, :, n].reshape(24, 6, 8, 5, 8).permute(0, 2, 4, 1, 3).reshape(24 * 64, 6, 5)
        for n in range(3)
    ]
    frames = torch.stack(cells)
    found = adapter["conv"](torch.cat((frames, frames[..., :1]), -1))
    found = found + block["conv2"](block["conv1"](found).relu())
    handle = net.patch_embedding.register_forward_hook(
        lambda _, given, output: output + found.transpose(0, 1)[None]
    )
    begun = _scaled(entry.extras["concat_latent_image"]).expand(2, -1, -1, -1, -1)
    whole = torch.cat((x, begun), 1)
    out = net(torch.cat((whole, whole[..., :1]), -1), time, text).sample[..., :5]
    handle.remove()
    return out


def _scaled(given):
    """Latents of Wan 2.1's autoencoder, several in a row of channels, by diffusers' statistics."""
    defaults = diffusers.AutoencoderKLWan.__init__.__wrapped__.__defaults__
    mean, deviation = (torch.tensor(each) for each in defaults if _is_statistic(each))
    latent = (given.unflatten(1, (-1, 16)) - mean.reshape(1, 1, -1, 1, 1, 1)).flatten(1, 2)
    return latent / deviation.repeat(given.shape[1] // 16).reshape(1, -1, 1, 1, 1)


def expected_ltxv(net, x, entry, text, time, mask):
    """LTX-Video's own pipeline: the first cell is one frame, where the metadata says so."""
    frames, rows, columns = x.shape[2:]
    at = [[max(0, 8 * t - 7), 32 * r, 32 * c] for t in range(frames) for r in range(rows)
          for c in range(columns)]  # fmt: skip
    places = torch.tensor(at).T[None].expand(2, -1, -1).float().clone()
    if "keyframe_idxs" in entry.extras:
        places[:, :, -20:] = entry.extras["keyframe_idxs"].float()
    places[:, 0] *= 1.0 / entry.extras["frame_rate"]
    painted = mask[:, :, :frames].flatten()
    cells = x.flatten(2).transpose(1, 2)
    attended = entry.extras["attention_mask"].expand(2, -1)
    out = net(cells, text, time[:, None] * painted, attended, video_coords=places).sample
    return out.transpose(1, 2).reshape(x.shape)


def _is_statistic(value):
    return isinstance(value, list) and len(value) == 16
