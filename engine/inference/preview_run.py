"""The previews of one run: by a tiny autoencoder or a linear map, and how often.

They take at most `SHARE` of the run's time, measured as it goes, so that a slow device shows fewer
and smaller ones. Whatever goes wrong with a tiny autoencoder, the run continues with the map.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import ceil
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import CalotypeError, Stopped
from engine.families.latent_format import LatentFormat
from engine.inference.load import load_tiny_vae
from engine.inference.preview import LARGEST, first_cells, jpeg, preview
from engine.inference.vae import Autoencoder
from engine.inference.values import Model, Vae
from engine.residency.manager import Residency, current

SHARE = 0.02
"""Of a run's time, for previews."""
SECONDS_BETWEEN = 0.1
PATIENCE = 8.0
"""Seconds between two previews above which smaller ones are made instead."""
FIRST_GUESS = 0.002
"""Seconds for a preview before any was measured; ten times that for a tiny autoencoder."""
POOLED = (1, 2, 4)
"""Latent cells along one side that become one for a smaller preview."""
SMALLEST = 8
"""Cells along the longer side, below which nothing is made smaller."""
SHARE_OF_MEMORY = 1 / 16
"""Of the budget, for a tiny autoencoder and what it computes."""
Show = Callable[[Tensor], "bytes | None"]
"""A clean image in the denoiser's scale to a JPEG; None where it is not time for one."""
FindFiles = Callable[[str], Sequence[Path]]
"""The name of a tiny autoencoder to its files; empty where there are none."""
_LOGGER = logging.getLogger(__name__)


@contextmanager
def previews(
    model: Model,
    shape: Sequence[int],
    method: str,
    find: FindFiles,
    *,
    clock: Callable[[], float] | None = None,
) -> Iterator[Show]:
    """The previews of a run of that model on latents of that shape [B, C, ...].

    `auto` and `taesd` take the tiny autoencoder of the latent's format, on the device beside the
    model; where it has no file, the linear map as with `latent2rgb`, and `taesd` says so.
    """
    if method == "none":
        yield _nothing
        return
    with ExitStack() as stack:
        tiny = None
        if method != "latent2rgb":
            tiny = _on_device(model.latent, shape, find, stack, is_wanted=method == "taesd")
        yield _Previews(model.latent, tiny, clock or time.monotonic)


def _nothing(denoised: Tensor) -> None:
    del denoised


class Allowance:
    """The seconds that previews may take: `SHARE` of those since it was made."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._last = self._began - SECONDS_BETWEEN
        self._spent = 0.0

    def permits(self, seconds: float) -> bool:
        """Whether a preview that takes as long may be made now."""
        now = self._clock()
        soon = now - self._last < SECONDS_BETWEEN
        return not soon and self._spent + seconds <= SHARE * (now - self._began)

    def spend(self, make: Callable[[], bytes | None]) -> tuple[bytes | None, float]:
        """Make a preview; returns it and the seconds it took."""
        began = self._last = self._clock()
        made = make()
        seconds = self._clock() - began
        self._spent += seconds
        return made, seconds


class _Previews:
    """See `previews`; called at each step."""

    def __init__(
        self, form: LatentFormat, tiny: _TinyDecoder | None, clock: Callable[[], float]
    ) -> None:
        self._form = form
        self._tiny = tiny
        self._allowance = Allowance(clock)
        self._seconds = FIRST_GUESS

    def __call__(self, denoised: Tensor) -> bytes | None:
        """A preview if it is time for one."""
        expected = self._tiny.seconds if self._tiny else self._seconds
        if not self._allowance.permits(expected):
            return None
        if denoised.is_cuda:
            # What is still being computed is not the preview's time.
            torch.cuda.synchronize(denoised.device)
        if self._tiny is not None:
            tiny = self._tiny
            try:
                made, seconds = self._allowance.spend(lambda: tiny.decode(denoised))
            except Stopped:
                raise
            except (CalotypeError, RuntimeError) as error:
                _LOGGER.warning("previews: %s; the linear map is used instead", error)
                self._tiny = None
                return None
            tiny.measured(seconds)
            return made
        made, self._seconds = self._allowance.spend(lambda: preview(denoised, self._form))
        return made


class _TinyDecoder:
    """A tiny autoencoder that is on the device, and how large its previews are."""

    def __init__(self, vae: Vae, form: LatentFormat, sizes: Sequence[tuple[int, int]]) -> None:
        """Make one; `sizes` are (cells that become one, cells of the result), largest first."""
        self._vae = vae
        self._form = form
        self._sizes = sizes
        self._chosen = sizes[-1]
        self._per_cell = 10 * FIRST_GUESS / sizes[-1][1]

    @property
    def seconds(self) -> float:
        """What the next preview is expected to take."""
        return self._per_cell * self._chosen[1]

    def measured(self, seconds: float) -> None:
        """Choose the size of the next preview, from the seconds of the last one."""
        self._per_cell = seconds / self._chosen[1]
        fitting = (s for s in self._sizes if self._per_cell * s[1] <= PATIENCE * SHARE)
        self._chosen = next(fitting, self._sizes[-1])

    def decode(self, denoised: Tensor) -> bytes:
        """The preview of a batch's first latent."""
        cells = first_cells(denoised, self._form)[None].float()
        size = cells.shape[-2], cells.shape[-1]
        if self._chosen[0] > 1:
            cells = functional.avg_pool2d(cells, self._chosen[0], ceil_mode=True)
        residency = current()
        z = self._form.out(cells).to(residency.dtype_of(self._vae.autoencoder))
        with torch.no_grad():
            pixels = cast("Autoencoder", self._vae.autoencoder.module).decode(z)
        return jpeg(pixels[0].movedim(0, -1).float(), size, self._form.pixels)


def _on_device(
    form: LatentFormat,
    shape: Sequence[int],
    find: FindFiles,
    stack: ExitStack,
    *,
    is_wanted: bool,
) -> _TinyDecoder | None:
    """The tiny autoencoder of a format, on the device as long as `stack`; None where it cannot.

    The log says why not; that there is no file only if it `is_wanted`.
    """
    if form.tiny is None:
        return None
    try:
        paths = find(form.tiny)
        if not paths:
            if is_wanted:
                _LOGGER.warning(
                    "previews: there is no %s_decoder in vae_approx/; the linear map is used "
                    "instead",
                    form.tiny,
                )
            return None
        vae = load_tiny_vae(form.tiny, paths)
        _check(vae, form)
        residency = current()
        sizes = _sizes(vae, shape, residency)
        room = _room(vae, residency, sizes[0][1])
        stack.enter_context(residency.use(vae.autoencoder, room_for=room))
    except Stopped:
        raise
    except (CalotypeError, RuntimeError, OSError) as error:
        _LOGGER.warning("previews: %s; the linear map is used instead", error)
        return None
    return _TinyDecoder(vae, form, sizes)


def _check(vae: Vae, form: LatentFormat) -> None:
    if vae.latent.channels != form.channels:
        raise CalotypeError(
            f"{vae.autoencoder.name} decodes latents of {vae.latent.channels} channels, the "
            f"model's have {form.channels}: the file has the name of another one"
        )


def _sizes(vae: Vae, shape: Sequence[int], residency: Residency) -> list[tuple[int, int]]:
    """The sizes that previews may have, largest first, see `_TinyDecoder`.

    The largest has at most `LARGEST` pixels along a side, and fits a share of the memory.
    """
    rows, columns = (*shape[2:], 1, 1)[:2] if len(shape) < 5 else shape[-2:]
    longest = max(rows, columns)
    least = ceil(longest * vae.latent.pixels / LARGEST)
    found: list[tuple[int, int]] = []
    for pooled in (least * each for each in POOLED):
        cells = ceil(rows / pooled) * ceil(columns / pooled)
        small = ceil(longest / pooled) < SMALLEST
        taken = vae.autoencoder.size + _room(vae, residency, cells)
        fits = taken <= residency.budget * SHARE_OF_MEMORY
        if fits and not (found and small):
            found.append((pooled, cells))
    if not found:
        raise CalotypeError("there is not enough memory for a tiny autoencoder beside the model")
    return found


def _room(vae: Vae, residency: Residency, cells: int) -> int:
    """Bytes that decoding so many cells takes beside the weights."""
    dtype = residency.dtype_of(vae.autoencoder)
    return vae.kind.activation_bytes(vae.config, (1, vae.latent.channels, 1, cells), dtype.itemsize)
