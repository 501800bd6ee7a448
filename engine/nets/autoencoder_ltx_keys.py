"""Names and sizes of LTX-Video's autoencoder: the original files, and diffusers' layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isqrt, prod

from engine.errors import WeightsError
from engine.nets.autoencoder_ltx import (
    DEVIATION,
    MEAN,
    Kind,
    LtxAutoencoderConfig,
    LtxLayer,
    Stride,
)
from engine.weights.state_dict import StateDict

MARK = "decoder.up_blocks.0.res_blocks.0.conv1.conv.weight"
CLASS_MARK = "decoder.mid_block.resnets.0.conv1.conv.weight"
CLASS_STATISTIC = "latents_mean"
"""A tensor in the original layout, and under diffusers' names."""
STATISTICS = "per_channel_statistics."
PARTS = ("encoder.", "decoder.", f"{STATISTICS}{MEAN}", f"{STATISTICS}{DEVIATION}")
CLASS_STATISTICS: Mapping[str, str] = {
    "latents_mean": f"{STATISTICS}{MEAN}",
    "latents_std": f"{STATISTICS}{DEVIATION}",
}
STRIDES: Mapping[int, Stride] = {2: (2, 1, 1), 4: (1, 2, 2), 8: (2, 2, 2)}
"""The strides of folding layers by the number of cells that become one."""
MOST_LAYERS = 100


def tensors(weights: StateDict) -> StateDict | None:
    """The tensors under the original names; None without any.

    Raises:
        WeightsError: one of them is empty.
    """
    if MARK in weights:
        found = weights
    elif CLASS_MARK in weights and CLASS_STATISTIC in weights:
        found = _of_class(weights)
    else:
        return None
    return found.rename(lambda name: name if name.startswith(PARTS) else None).refuse_empty()


def _of_class(weights: StateDict) -> StateDict:
    """Tensors in diffusers' layout, whose levels hold several layers of the original."""
    starts: dict[str, str] = {}
    orders = (("encoder", "down_blocks", False), ("decoder", "up_blocks", True))
    for side, blocks, middle_first in orders:
        places = list(_places(weights, f"{side}.{blocks}"))
        middle = f"{side}.mid_block."
        places = [middle, *places] if middle_first else [*places, middle]
        for number, place in enumerate(places):
            starts[place] = f"{side}.{blocks}.{number}."
    ordered = sorted(starts, key=len, reverse=True)

    def name(theirs: str) -> str:
        if theirs in CLASS_STATISTICS:
            return CLASS_STATISTICS[theirs]
        start = next((each for each in ordered if theirs.startswith(each)), None)
        if start is not None:
            theirs = starts[start] + theirs.removeprefix(start)
        for last in ("time_embedder.", "scale_shift_table"):
            if theirs.startswith(f"decoder.{last}"):
                theirs = theirs.replace(last, f"last_{last}", 1)
        theirs = theirs.replace("conv_shortcut.conv.", "conv_shortcut.")
        return theirs.replace("resnets.", "res_blocks.").replace("norm3.", "norm3.norm.")

    return weights.rename(name)


def _places(weights: StateDict, blocks: str) -> Iterator[str]:
    """The layers of each level in order, by what their names begin with."""
    down = blocks.startswith("encoder")
    inside = ("", "downsamplers.0.", "conv_out.") if down else ("conv_in.", "upsamplers.0.", "")
    for level in range(MOST_LAYERS):
        start = f"{blocks}.{level}."
        if not any(name.startswith(start) for name in weights):
            return
        for part in inside:
            mark = f"{start}{part or 'resnets.'}"
            if any(name.startswith(mark) for name in weights):
                yield f"{start}{part}"


def autoencoder_config(found: StateDict) -> LtxAutoencoderConfig:
    """The sizes from tensors under the original names.

    Raises:
        WeightsError: a tensor is missing, or the layers do not fit together.
    """
    patched = _shape(found, "encoder.conv_in.conv.weight")[1]
    out = _shape(found, "encoder.conv_out.conv.weight")
    patch = isqrt(patched // 3)
    encoder = _side(found, "encoder.down_blocks", out[1])
    last = _shape(found, "decoder.conv_out.conv.weight")
    config = LtxAutoencoderConfig(
        latent_channels=out[0] - 1,
        patch=patch,
        encoder=encoder,
        decoder=_side(found, "decoder.up_blocks", last[1]),
        timed="decoder.last_time_embedder.timestep_embedder.linear_1.weight" in found,
    )
    down, up = (prod(prod(layer.stride) for layer in each) for each in (encoder, config.decoder))
    if 3 * patch**2 != patched or last[0] != patched or down != up:
        raise WeightsError(
            f"not an autoencoder of LTX-Video that works: it folds {patched} numbers of pixels "
            f"into {down} and unfolds {last[0]} from {up}; expected 3 times a square, and the same"
        )
    return config


def _side(found: StateDict, blocks: str, last: int) -> tuple[LtxLayer, ...]:
    """The layers of one side, in front of a convolution that takes `last` channels."""
    numbers = {int(name.split(".")[2]) for name in found if name.startswith(f"{blocks}.")}
    if not numbers or numbers != set(range(len(numbers))):
        raise WeightsError(f"its layers {blocks} are {sorted(numbers)[:MOST_LAYERS]}, with gaps")
    widths = [_taken(found, f"{blocks}.{number}.") for number in range(len(numbers))]
    following = [*widths[1:], last]
    return tuple(
        _layer(found, f"{blocks}.{number}.", taken, made)
        for number, (taken, made) in enumerate(zip(widths, following, strict=True))
    )


_FIRSTS: Sequence[str] = ("res_blocks.0.conv1.conv", "conv1.conv", "conv.conv", "conv")


def _taken(found: StateDict, start: str) -> int:
    """The channels that a layer takes."""
    name = next((each for each in _FIRSTS if f"{start}{each}.weight" in found), _FIRSTS[0])
    return _shape(found, f"{start}{name}.weight")[1]


def _layer(found: StateDict, start: str, taken: int, made: int) -> LtxLayer:
    noise = f"{start}per_channel_scale1" in found
    if f"{start}{_FIRSTS[0]}.weight" in found:
        count = 1
        while f"{start}res_blocks.{count}.conv1.conv.weight" in found and count < MOST_LAYERS:
            count += 1
        noise = f"{start}res_blocks.0.per_channel_scale1" in found
        return LtxLayer(Kind.BLOCKS, taken, taken, count, noise=noise)
    if f"{start}{_FIRSTS[1]}.weight" in found:
        return LtxLayer(Kind.BLOCK, taken, made, noise=noise)
    if f"{start}{_FIRSTS[3]}.weight" in found:
        return LtxLayer(Kind.STRIDE, taken, made, stride=STRIDES[8])
    rows = _shape(found, f"{start}{_FIRSTS[2]}.weight")[0]
    folds = start.startswith("encoder")
    cells = made // rows if folds else rows // made
    if cells not in STRIDES or (made if folds else rows) != cells * (rows if folds else made):
        raise WeightsError(
            f"its layer {start.rstrip('.')} makes {rows} channels and the next takes {made}: "
            "expected 2, 4 or 8 times as many on one side"
        )
    return LtxLayer(Kind.FOLD if folds else Kind.UNFOLD, taken, made, stride=STRIDES[cells])


def _shape(found: StateDict, name: str) -> tuple[int, ...]:
    shape = found.shape(name)
    if shape is None or len(shape) != 5:
        raise WeightsError(
            f"not a complete autoencoder of LTX-Video: {name} should have five axes, found "
            f"{'no such tensor' if shape is None else list(shape)}"
        )
    return shape
