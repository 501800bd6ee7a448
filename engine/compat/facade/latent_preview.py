# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
"""Previews of a running sampler."""

from comfy.cli_args import LatentPreviewMethod, args
from comfy.taesd.taesd import TAESD

from engine.compat.live import live
from engine.compat.parts.previews import (
    MAX_PREVIEW_RESOLUTION,
    Latent2RGBPreviewer,
    LatentPreviewer,
    TAESDPreviewerImpl,
    get_previewer,
    prepare_callback,
    preview_to_image,
    set_preview_method,
)

default_preview_method = args.preview_method
live("latent_preview.*")
