"""Encodes pictures and decodes latents, whole or in tiles.

Latents here have the autoencoder's scale; `sample.py` converts to the denoiser's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor

from engine.errors import NodeError, OutOfMemoryError
from engine.families.detect import FAMILIES
from engine.families.family import Checkpoint
from engine.families.latent_format import LatentFormat
from engine.inference import tiles, time_tiles
from engine.inference.pictures import crop
from engine.inference.tile_average import Scale, run_averaged, three_shapes, tile_count
from engine.inference.values import Vae
from engine.residency.manager import Residency, current

OnTile = Callable[[int, int], None]
"""Called after each tile with the number done and the total."""
SMALLEST_TILE = 32
"""Latent cells along one side; smaller tiles are mostly seams."""
RGB = 3
FRAMES_TOO = 3
"""Axes of a video's latent: time, rows, columns."""
TIME_SEAM, SHORTEST_PIECE = 2, 3
"""Cells of time that neighbouring pieces share, and those of the shortest piece that is tried."""
SEAM = 6
"""Latent cells that neighbouring tiles share, unless a user asks for another overlap."""


class Autoencoder(Protocol):
    """The interface of autoencoders."""

    def encode(self, pixels: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """Pixels [B, 3, H, W] in -1..1 -> [B, C, h, w]."""
        ...

    def decode(self, z: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """A latent [B, C, h, w] -> [B, 3, H, W], about -1..1."""
        ...


@dataclass(frozen=True, slots=True)
class Tile:
    """Tiles that a user requested, in pixels: the mean of three tilings (`tile_average`).

    Attributes:
        size: along a side.
        overlap: of neighbours.
        frames: of a piece of a video, see `time_tiles`; 0: all at once.
        frames_overlap: of neighbouring pieces.
    """

    size: int
    overlap: int
    frames: int = 0
    frames_overlap: int = 0


def decode(
    vae: Vae,
    latents: Tensor,
    *,
    tile: Tile | None = None,
    checkpoint: Checkpoint | None = None,
    on_tile: OnTile | None = None,
) -> Tensor:
    """Latents [B, C, h, w] to pictures [B, H, W, 3], float32, 0..1, on the CPU.

    Latents of videos, [B, C, t, h, w], are decoded to all frames, one video after the other. An
    autoencoder of videos takes a picture's latent as a video of one frame. Time is cut too where
    that saves memory.

    Without `tile` the whole picture is decoded at once if memory allows, else in as few tiles as
    possible.

    Raises:
        NodeError: the latents are for another family.
        OutOfMemoryError: not even small tiles fit.
    """
    if latents.ndim == 4 and vae.latent.dims == FRAMES_TOO:
        latents = latents[:, :, None]
    _check_shape(vae, latents)
    scale = vae.latent.pixels

    def one(network: Autoencoder, residency: Residency, z: Tensor) -> Tensor:
        dtype = residency.dtype_of(vae.autoencoder)
        pixels = network.decode(z.to(residency.device, dtype), checkpoint=checkpoint)
        return pixels.float().cpu()

    def piece(z: Tensor, number: int, count: int) -> Tensor:
        return _each(vae, z, one, tile, _part(on_tile, number, count), checkpoint, outward=scale)

    pixels = _over_time(vae, latents, tile, piece, time_tiles.decoded)
    if vae.latent.dims == FRAMES_TOO:
        pixels = pixels.transpose(1, 2).flatten(0, 1)
    return pixels.add_(1).div_(2).clamp_(0, 1).movedim(1, -1).contiguous()


def encode(
    vae: Vae,
    images: Tensor,
    *,
    tile: Tile | None = None,
    checkpoint: Checkpoint | None = None,
    on_tile: OnTile | None = None,
) -> Tensor:
    """Pictures [B, H, W, 3 or more] in 0..1 to latents [B, C, H // 8, W // 8], float32, on the CPU.

    The remainder of a side beyond a multiple of 8 is cropped, half of it at the start. The latent
    is the mean of the predicted distribution. For an autoencoder of videos the pictures are the
    frames of one, and the latent is [1, C, t, h, w]; frames beyond a whole cell are dropped.

    Raises:
        NodeError: the pictures are smaller than one latent cell.
        OutOfMemoryError: not even small tiles fit.
    """
    scale = vae.latent.pixels
    _check_axes(vae)
    # The autoencoder of layered pictures takes transparency, too.
    channels = getattr(vae.config, "pixel_channels", RGB)
    pixels = crop(images[..., :channels], scale).movedim(-1, 1)
    if vae.latent.dims == FRAMES_TOO:
        frames = vae.latent.frames(vae.latent.cells(len(pixels)))
        if not frames:
            raise NodeError(
                f"{len(pixels)} frames are too few to encode: one latent cell takes "
                f"{vae.latent.downscale[0]}"
            )
        pixels = pixels[:frames].transpose(0, 1)[None]

    def one(network: Autoencoder, residency: Residency, part: Tensor) -> Tensor:
        dtype = residency.dtype_of(vae.autoencoder)
        part = (part.to(residency.device) * 2 - 1).to(dtype)
        return network.encode(part, checkpoint=checkpoint).float().cpu()

    def piece(x: Tensor, number: int, count: int) -> Tensor:
        return _each(vae, x, one, tile, _part(on_tile, number, count), checkpoint, inward=scale)

    return _over_time(vae, pixels, tile, piece, time_tiles.encoded)


def _part(on_tile: OnTile | None, number: int, count: int) -> OnTile | None:
    """What one of several equal parts reports, as a part of all."""
    if on_tile is None or count == 1:
        return on_tile
    return lambda done, total: on_tile(number * total + done, count * total)


def _over_time(
    vae: Vae, x: Tensor, tile: Tile | None, run: time_tiles.Run, division: InPieces
) -> Tensor:
    """All frames at once, or in the pieces that a user requested, or in those that fit."""
    form = vae.latent
    if not form.whole_time:
        return run(x, 0, 1)
    cells = x.shape[2] if division is time_tiles.decoded else form.cells(x.shape[2])
    size, overlap = cells, TIME_SEAM
    if tile is not None and tile.frames:
        size, overlap = tile.frames // form.downscale[0], tile.frames_overlap // form.downscale[0]
    while True:
        try:
            return division(x, time_tiles.pieces(cells, size, overlap), form, run)
        except OutOfMemoryError:
            size = min(size, cells) // 2
            if size < SHORTEST_PIECE:
                raise
            overlap = min(overlap, size // 2)


InPieces = Callable[[Tensor, time_tiles.Pieces, LatentFormat, time_tiles.Run], Tensor]
Run = Callable[[Autoencoder, Residency, Tensor], Tensor]


def _each(
    vae: Vae,
    x: Tensor,
    one: Run,
    tile: Tile | None,
    on_tile: OnTile | None,
    checkpoint: Checkpoint | None,
    *,
    inward: int = 1,
    outward: int = 1,
) -> Tensor:
    """Process each picture of a batch separately, so that a batch needs no more memory than one.

    Frames that must be decoded together are one call.
    """
    scale = Scale(inward, outward)
    rows = len(x) if vae.latent.rows_are_frames and outward > 1 else 1
    residency = current()
    refused: Exception | None = None
    for attempt in _attempts(x, tile, vae.latent.pixels, scale):
        shape = (rows, vae.latent.channels, *_time_cells(vae, x, scale), *attempt.largest)
        room = vae.kind.activation_bytes(
            vae.config, shape, residency.dtype_of(vae.autoencoder).itemsize
        )
        if room > residency.budget:
            continue
        total = attempt.count * (len(x) // rows)
        done = 0

        def run(part: Tensor) -> Tensor:
            nonlocal done
            network = cast("Autoencoder", vae.autoencoder.module)
            result = one(network, residency, part)
            done += 1
            if on_tile:
                on_tile(done, total)  # noqa: B023 - called within this turn of the loop
            return result

        try:
            on_device = residency.use(
                vae.autoencoder, room_for=room, checkpoint=checkpoint or _nothing
            )
            with on_device, torch.no_grad():
                return torch.cat([attempt.run(each, run) for each in x.split(rows)])
        except (OutOfMemoryError, torch.OutOfMemoryError) as error:
            refused = error
        residency.release(room)
    raise OutOfMemoryError(
        f"the autoencoder does not fit into memory, even with tiles of "
        f"{SMALLEST_TILE * vae.latent.pixels} pixels; allow more memory"
    ) from refused


def _nothing() -> None:
    """No stop is requested."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One way to run a picture through the network.

    Attributes:
        largest: rows and columns of its largest tile, in latent cells.
        count: tiles of one picture.
        run: takes a picture and the function to call for each tile.
    """

    largest: tuple[int, ...]
    count: int
    run: Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor]


def _attempts(x: Tensor, tile: Tile | None, downscale: int, scale: Scale) -> Iterator[_Attempt]:
    """The attempts in order: the requested tiles, then smaller and smaller ones."""
    cells = x.shape[-2] // scale.inward, x.shape[-1] // scale.inward
    size, overlap = max(cells), SEAM
    if tile:
        size, overlap = max(tile.size // downscale, 1), tile.overlap // downscale
        yield _requested(x, tile, downscale, scale)
    else:
        yield _planned(tiles.plan(cells, size, overlap), scale)
    while size > SMALLEST_TILE:
        size = max(size * 2 // 3, SMALLEST_TILE)
        # A wider overlap would cost more than the tiles save.
        yield _planned(tiles.plan(cells, size, min(overlap, size // 4)), scale)


def _requested(x: Tensor, tile: Tile, downscale: int, scale: Scale) -> _Attempt:
    """The tiles that a user requested, as in the incumbent."""
    size = x.shape[-2], x.shape[-1]
    unit = downscale // scale.inward  # latents count in cells, pictures in pixels
    shapes = three_shapes(tile.size // unit, tile.overlap // unit, scale)
    areas = [
        (min(shape.rows, size[0]) // scale.inward, min(shape.columns, size[1]) // scale.inward)
        for shape in shapes
    ]
    largest = max(areas, key=lambda sides: sides[0] * sides[1])
    return _Attempt(
        largest, tile_count(size, shapes), lambda x, run: run_averaged(x, shapes, run, scale)
    )


def _planned(tiling: tiles.Tiling, scale: Scale) -> _Attempt:
    """A planned tiling as an attempt."""
    return _Attempt(
        tiling.size,
        tiling.count,
        lambda x, run: tiles.run_tiled(x, tiling, run, inward=scale.inward, outward=scale.outward),
    )


def _time_cells(vae: Vae, x: Tensor, scale: Scale) -> tuple[int, ...]:
    """Latent cells along time of one row of x: frames, or latents."""
    if vae.latent.dims != FRAMES_TOO:
        return ()
    return (vae.latent.cells(x.shape[2]) if scale.inward > 1 else x.shape[2],)


def _check_shape(vae: Vae, latents: Tensor) -> None:
    _check_axes(vae)
    if latents.ndim != 2 + vae.latent.dims or latents.shape[1] != vae.latent.channels:
        raise NodeError(
            f"{vae.autoencoder.name} decodes latents of {vae.latent.channels} channels and "
            f"{vae.latent.dims} axes behind them, found a latent of shape {list(latents.shape)}"
            f"{_as_of(latents)}; take the VAE of the model that made it, from its checkpoint or "
            "with Load VAE"
        )


def _as_of(latents: Tensor) -> str:
    """Which models have latents of that shape."""
    shape = (latents.shape[1], latents.ndim - 2) if latents.ndim > 2 else ()
    names = [
        family.name
        for family in FAMILIES
        if (form := getattr(family, "latent_format", None)) is not None
        and (form.channels, form.dims) == shape
    ]
    return f", as {' or '.join(names)} has" if names else ""


def _check_axes(vae: Vae) -> None:
    if vae.latent.dims < 2:
        raise NodeError("this VAE is one of sound and has no pictures; choose a VAE of pictures")
