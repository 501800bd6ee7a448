"""Upscale models: loads one from a file, and applies it to pictures, in tiles if needed.

The compact network is built in; `foreign_upscalers` loads other architectures with the library
spandrel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.errors import OutOfMemoryError, WeightsError
from engine.families.family import Checkpoint
from engine.inference import tiles
from engine.inference.load import module_weights
from engine.inference.upscale_channels import fitted
from engine.inference.upscale_model import UpscaleModel
from engine.nets.compact_upscaler import CompactConfig, CompactUpscaler, config_of
from engine.residency.carriers import Wants
from engine.residency.manager import Residency, current
from engine.weights.open import open_weights
from engine.weights.state_dict import StateDict

TILE_SIZES = (512, 256, 128, 64)
"""Pixels of the input along one side, tried in this order."""
OVERLAP = 32
"""Pixels of the input that neighbouring tiles share; at most a quarter of a tile."""
WRAPPERS = ("params_ema.", "params-ema.", "params.")
"""Prefixes of the weights in training programs' files, best first."""
_CHANNELS_AT_ONCE = 640
"""The assumed number of feature maps of the input's size (and a third of that number at the
result's) in memory at a time. It decides the size of the first tile; too small a number costs one
failed attempt."""

OnTile = Callable[[int, int], None]
"""Called after each tile with the number done and the total."""


def load_upscale_model(path: Path) -> UpscaleModel:
    """The upscale model of a file.

    Raises:
        WeightsError: damaged, hostile, or of an unknown architecture.
    """
    return upscale_model_of(open_weights(path))


def upscale_model_of(opened: StateDict) -> UpscaleModel:
    """The upscale model of an open file; see `load_upscale_model`."""
    weights = unwrapped(opened)
    config = config_of(weights.shapes)
    if config is not None:
        return _compact(config, weights)
    from engine.inference.foreign_upscalers import open_foreign  # noqa: PLC0415 - only if needed

    return open_foreign(weights)


def unwrapped(weights: StateDict) -> StateDict:
    """The network's tensors from below a prefix in the file, averaged ones preferred."""
    for wrapper in WRAPPERS:
        if any(name.startswith(wrapper) for name in weights):
            return weights.part(wrapper)
    return weights


def _compact(config: CompactConfig, weights: StateDict) -> UpscaleModel:
    def build() -> nn.Module:
        with torch.device("meta"):
            return CompactUpscaler(config)

    handle = module_weights(f"{weights.origin}, upscale model", build, weights, Wants(packed=True))
    return UpscaleModel(
        "Compact",
        config.scale,
        config.channels,
        config.channels,
        handle,
        lambda network, pictures: network(pictures, current().dtype_of(handle)),
    )


def upscale(
    model: UpscaleModel,
    images: Tensor,
    *,
    tile: int = TILE_SIZES[0],
    checkpoint: Checkpoint = lambda: None,
    on_tile: OnTile | None = None,
) -> Tensor:
    """Pictures [B, H, W, C] in 0..1 to [B, scale H, scale W, C], float32, 0..1, on the CPU.

    Each picture is processed separately, in tiles of at most `tile` pixels that are blended where
    they overlap; if memory is insufficient, the tile's side is halved.

    Args:
        model: the upscale model.
        images: of 1, 3 or 4 channels.
        tile: the first size tried.
        checkpoint: called before every layer; may raise `Stopped`.
        on_tile: see `OnTile`.

    Raises:
        NodeError: the model or the pictures have other channels.
        OutOfMemoryError: not even the smallest tiles fit.
    """
    fitting = fitted(images, model.channels, model.result_channels, model.scale)
    sizes = [size for size in (tile, *TILE_SIZES) if size <= tile]
    sizes = sorted(set(sizes), reverse=True)
    results: list[Tensor] = []
    pictures = fitting.pictures.split(1)
    for index, picture in enumerate(pictures):
        steps = _Steps(index, len(pictures), on_tile)
        result, sizes = _smaller_and_smaller(model, picture, sizes, steps, checkpoint)
        results.append(result)
    return fitting.restore(torch.cat(results))


@dataclass(slots=True)
class _Steps:
    """The index of the picture in the batch, and the callback for its tiles."""

    picture: int
    pictures: int
    on_tile: OnTile | None
    done: int = 0

    def step(self, tiles_each: int) -> None:
        self.done += 1
        if self.on_tile:
            self.on_tile(self.picture * tiles_each + self.done, self.pictures * tiles_each)


def _smaller_and_smaller(
    model: UpscaleModel,
    picture: Tensor,
    sizes: list[int],
    steps: _Steps,
    checkpoint: Checkpoint,
) -> tuple[Tensor, list[int]]:
    """Enlarge one picture [1, C, H, W]; returns it and the sizes left, the working one first."""
    residency = current()
    height, width = picture.shape[-2:]
    refused: Exception | None = None
    for position, size in enumerate(sizes):
        tiling = tiles.plan((height, width), size, min(OVERLAP, size // 4))
        room = _room(model, tiling)
        if room > residency.budget and position + 1 < len(sizes):
            continue
        steps.done = 0
        try:
            return _run(model, picture, tiling, room, steps, checkpoint), sizes[position:]
        except (OutOfMemoryError, torch.OutOfMemoryError) as error:
            refused = error
        residency.release(room)
    raise OutOfMemoryError(
        f"{model.weights.name} does not fit into memory, even with tiles of {sizes[-1]} pixels; "
        "allow more memory"
    ) from refused


def _room(model: UpscaleModel, tiling: tiles.Tiling) -> int:
    pixels = prod(tiling.size)
    itemsize = current().dtype_of(model.weights).itemsize
    return pixels * itemsize * (_CHANNELS_AT_ONCE + model.scale**2 * _CHANNELS_AT_ONCE // 3)


def _run(
    model: UpscaleModel,
    picture: Tensor,
    tiling: tiles.Tiling,
    room: int,
    steps: _Steps,
    checkpoint: Checkpoint,
) -> Tensor:
    residency = current()

    def run(part: Tensor) -> Tensor:
        result = _run_tile(model, part, residency)
        steps.step(tiling.count)
        return result

    use = residency.use(model.weights, room_for=room, checkpoint=checkpoint)
    with use, torch.no_grad(), _checked(model.weights.module, checkpoint):
        return tiles.run_tiled(picture, tiling, run, outward=model.scale)


def _run_tile(model: UpscaleModel, part: Tensor, residency: Residency) -> Tensor:
    result = model.run(model.weights.module, part.contiguous().to(residency.device))
    expected = (1, model.result_channels, *(side * model.scale for side in part.shape[-2:]))
    if tuple(result.shape) != expected:
        raise WeightsError(
            f"{model.weights.name}: made {list(result.shape)} of {list(part.shape)}, expected "
            f"{list(expected)}; it cannot be used as an upscale model"
        )
    return result.float().cpu()


@contextmanager
def _checked(network: nn.Module, checkpoint: Checkpoint) -> Iterator[None]:
    """Call `checkpoint` before every layer of a network, through hooks."""
    layers = [part for part in network.modules() if not any(part.children())]
    hooks = [layer.register_forward_pre_hook(lambda *_: checkpoint()) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
