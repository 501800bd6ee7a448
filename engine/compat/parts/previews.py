"""`latent_preview`: pictures of a running sampler, for plugins that sample themselves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from engine.compat.install import host_module
from engine.inference.preview import LARGEST, first_cells
from engine.inference.values import Model

_LOGGER = logging.getLogger(__name__)
MAX_PREVIEW_RESOLUTION = LARGEST
"""Pixels along the longer side."""


def preview_to_image(latent_image: Tensor, do_scale: bool = True) -> Image.Image:
    """Pixels [H, W, 3] as a picture; they are in -1..1, or in 0..1 without `do_scale`."""
    pixels = latent_image.float()
    if do_scale:
        pixels = (pixels + 1.0) / 2.0
    levels = pixels.nan_to_num().clamp(0, 1).mul(255).to("cpu", torch.uint8)
    return Image.fromarray(levels.numpy())


class LatentPreviewer:
    """Makes a picture of a clean latent; subclasses have `decode_latent_to_preview`."""

    def decode_latent_to_preview(self, x0: Tensor) -> Any:
        """A picture of a batch's first latent."""
        del x0

    def decode_latent_to_preview_image(self, preview_format: str, x0: Tensor) -> Any:
        """(format, picture, largest side), the form in which progress is reported."""
        picture = self.decode_latent_to_preview(x0)
        return (
            "JPEG" if preview_format not in ("JPEG", "PNG") else preview_format,
            picture,
            LARGEST,
        )


class TAESDPreviewerImpl(LatentPreviewer):
    """Previews by a tiny autoencoder, an object with `decode` of latents [1, C, h, w]."""

    def __init__(self, taesd: Any) -> None:
        self.taesd = taesd

    def decode_latent_to_preview(self, x0: Tensor) -> Image.Image:
        """See `LatentPreviewer`."""
        pixels = self.taesd.decode(x0[:1])[0]
        if pixels.shape[0] in (1, 3):
            pixels = pixels.movedim(0, -1)
        return preview_to_image(pixels)


class Latent2RGBPreviewer(LatentPreviewer):
    """Previews by a linear map of channels to colours."""

    def __init__(
        self, latent_rgb_factors: Any, latent_rgb_factors_bias: Any = None, *_: Any, **__: Any
    ) -> None:
        self.latent_rgb_factors = torch.tensor(latent_rgb_factors).transpose(0, 1)
        bias = latent_rgb_factors_bias
        self.latent_rgb_factors_bias = None if bias is None else torch.tensor(bias)

    def decode_latent_to_preview(self, x0: Tensor) -> Image.Image:
        """See `LatentPreviewer`; of a video the first frame."""
        cells = x0[0]
        while cells.ndim > 3:
            cells = cells[:, 0]
        factors = self.latent_rgb_factors.to(cells)
        bias = self.latent_rgb_factors_bias
        pixels = torch.nn.functional.linear(
            cells.movedim(0, -1), factors, None if bias is None else bias.to(cells)
        )
        return preview_to_image(pixels)


class EnginePreviewer(LatentPreviewer):
    """Previews by the linear map of a model's latents."""

    def __init__(self, model: Model) -> None:
        self._form = model.latent

    def decode_latent_to_preview(self, x0: Tensor) -> Image.Image:
        """See `LatentPreviewer`."""
        form = self._form
        cells = first_cells(x0, form).float()
        factors = torch.tensor(form.rgb_factors or torch.eye(form.channels, 3).tolist())
        pixels = cells.movedim(0, -1) @ factors.to(cells) + torch.tensor(form.rgb_bias).to(cells)
        return preview_to_image(pixels)


def get_previewer(device: Any, latent_format: Any) -> LatentPreviewer | None:
    """The previewer for latents of that format; None if previews are off."""
    del device
    method = getattr(host_module("comfy.cli_args").args, "preview_method", None)
    name = str(getattr(method, "value", method))
    if name == "none":
        return None
    if name == "taesd" and (previewer := _tiny_previewer(latent_format)) is not None:
        return previewer
    factors = getattr(latent_format, "latent_rgb_factors", None)
    if factors is None:
        return None
    return Latent2RGBPreviewer(factors, getattr(latent_format, "latent_rgb_factors_bias", None))


def _tiny_previewer(latent_format: Any) -> LatentPreviewer | None:
    """The previewer by the tiny autoencoder of a format; None without its file."""
    wanted = getattr(latent_format, "taesd_decoder_name", None)
    if not wanted:
        return None
    folders = host_module("folder_paths")
    names = [each for each in folders.get_filename_list("vae_approx") if each.startswith(wanted)]
    if not names:
        _LOGGER.warning("previews by taesd need the file %s in models/vae_approx", wanted)
        return None
    path = folders.get_full_path("vae_approx", names[0])
    made = host_module("comfy.taesd.taesd").TAESD(
        None, path, latent_channels=latent_format.latent_channels
    )
    return TAESDPreviewerImpl(made)


def prepare_callback(
    model: Any, steps: int, x0_output_dict: dict[str, Any] | None = None, **kwargs: Any
) -> Callable[[int, Tensor, Tensor, int], None]:
    """A callback of samplers that reports progress with previews.

    Args:
        model: a ModelPatcher.
        steps: the number of steps.
        x0_output_dict: gets the last clean latent as `x0`.
        kwargs: others are ignored.
    """
    del kwargs
    host = host_module("latent_preview")
    previewer = host.get_previewer(model.load_device, model.model.latent_format)
    bar = host_module("comfy.utils").ProgressBar(steps)

    def callback(step: int, x0: Tensor, x: Tensor, total_steps: int) -> None:
        del x
        if x0_output_dict is not None:
            x0_output_dict["x0"] = x0
        shown = None
        if previewer is not None:
            shown = previewer.decode_latent_to_preview_image("JPEG", x0)
        bar.update_absolute(step + 1, total_steps, shown)

    return callback


def set_preview_method(override: str | None = None) -> None:
    """Choose how previews are made: `none`, `auto`, `latent2rgb`, `taesd`; None: as started."""
    args: Any = host_module("comfy.cli_args")
    methods = args.LatentPreviewMethod
    if not hasattr(args, "_first_preview_method"):
        args._first_preview_method = args.args.preview_method
    known = {str(each.value): each for each in methods}
    args.args.preview_method = known.get(str(override), args._first_preview_method)
