"""The further channels of denoisers that are given a picture beside the noisy latent.

Inpainting models take a mask and a picture with a hole (Rombach et al. 2022, section 4.5), those
that edit by instruction take the picture to edit (Brooks et al. 2023, "InstructPix2Pix").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from engine.diffusion.conditioning import Input, Join
from engine.errors import NodeError
from engine.families.family import Entry, Run
from engine.families.latent_format import LatentFormat

PLAIN, EDITING, INPAINTING = 4, 8, 9
INPUTS: Mapping[int, str] = {
    PLAIN: "a text-to-image model",
    EDITING: "a model that edits a picture by instruction (InstructPix2Pix)",
    INPAINTING: "an inpainting model",
}
"""The kinds of models by the channels that their denoiser takes."""
PICTURE, MASK = "concat_latent_image", "concat_mask"
"""The keys of a conditioning entry: a latent [B, 4, h, w] as encoded; a mask [B, 1, H, W]."""
EMPTY = (0.8223, -0.6876, 0.6364, 0.1380)
"""The picture that an inpainting model is given where there is none, in its latent space."""


def picture_channels(
    channels: int, entry: Entry, run: Run, latent: LatentFormat, *, scaled: bool = False
) -> dict[str, Input]:
    """The input `concat` [B, channels - 4, h, w] of a model that takes so many channels.

    An inpainting model without a picture in the entry is given the run's own latent and noise mask;
    without a mask a constant picture that is one hole. A model that edits gets zeros without one.

    Args:
        channels: of the denoiser's input; 4: there is no such input.
        entry: with or without `PICTURE` and `MASK`.
        run: the run.
        latent: the format of the denoiser's latents.
        scaled: whether a model that edits takes the picture in the denoiser's space; if not, as it
            was encoded.

    Raises:
        NodeError: the picture or the mask in the entry is no such tensor.
    """
    if channels == PLAIN:
        return {}
    picture = _checked(entry.extras, PICTURE, latent.channels)
    if channels == INPAINTING:
        value = _with_hole(picture, _checked(entry.extras, MASK, None), run, latent)
    elif picture is None:
        value = torch.zeros(1, *run.shape[1:])
    else:
        value = sized(latent.into(picture) if scaled else picture, run)
    return {"concat": Input(value, Join.CROP_TO_AREA)}


def with_picture(x: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """X [B, 4, h, w] with the further channels behind its own, if there are any."""
    return torch.cat((x, inputs["concat"]), dim=1) if "concat" in inputs else x


def sized(value: Tensor, run: Run) -> Tensor:
    """A picture or mask [B, C, h, w] cut to the proportions of x, and scaled to its size."""
    rows, columns = run.shape[-2:]
    height, width = value.shape[-2:]
    if (height, width) == (rows, columns):
        return value
    down = max(0, round((height - width * rows / columns) / 2))
    across = max(0, round((width - height * columns / rows) / 2))
    down, across = min(down, (height - 1) // 2), min(across, (width - 1) // 2)
    cut = value[..., down : height - down, across : width - across]
    return functional.interpolate(cut, (rows, columns), mode="bilinear")


def _with_hole(
    picture: Tensor | None, mask: Tensor | None, run: Run, latent: LatentFormat
) -> Tensor:
    """[B, 5, h, w]: a mask of zeros and ones, and the picture in the denoiser's space."""
    mask = run.mask if mask is None else mask
    if mask is None:
        empty = torch.tensor(EMPTY).reshape(1, -1, 1, 1).expand(1, -1, *run.shape[2:])
        return torch.cat((torch.ones(1, 1, *run.shape[2:]), empty), dim=1)
    if picture is not None:
        picture = latent.into(picture)
    elif run.clean is not None:
        picture = run.clean
    else:
        picture = torch.zeros(1, *run.shape[1:])
    parts = sized(mask, run).round(), sized(picture, run)
    rows = max(len(part) for part in parts)
    return torch.cat([_repeated(part, rows) for part in parts], dim=1)


def _checked(extras: Mapping[str, Any], key: str, channels: int | None) -> Tensor | None:
    """A tensor of an entry as float32 [B, C, h, w]; None if there is none.

    Args:
        extras: of the entry.
        key: its name there.
        channels: that it must have; None: it is a mask, which may have none.
    """
    found = extras.get(key)
    if found is None:
        return None
    if not isinstance(found, Tensor):
        raise NodeError(
            f"{key} of the conditioning should be a tensor, found {type(found).__name__}"
        )
    found = found.float().cpu()
    if channels is None:
        return found.reshape(-1, 1, *found.shape[-2:])
    if found.ndim != 4 or found.shape[1] != channels:
        raise NodeError(
            f"the picture in the conditioning has the shape {list(found.shape)}, the model takes a "
            f"latent of {channels} channels; encode it with the VAE that belongs to the model"
        )
    return found


def _repeated(value: Tensor, rows: int) -> Tensor:
    times = -(-rows // len(value))
    return value.repeat(times, 1, 1, 1)[:rows]
