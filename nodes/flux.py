"""Nodes for FLUX.1 and FLUX.2: guidance, reference pictures, noise levels, empty latents."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import torch

from engine.diffusion.parameterization import flow
from engine.diffusion.shifts import MuShift
from engine.families.reference_latents import METHOD, REFERENCES
from engine.inference.prefix_cache import with_references_apart
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range
from nodes.conditioning import with_values
from nodes.image_scaling import scale
from nodes.sockets import Conditioning, Image, Latent, Model, Sigmas

PATCH_PIXELS = 16
"""Pixels along the side of a token."""
FEWEST_TOKENS, MOST_TOKENS = 256, 4096
"""Tokens of a picture at which the base and the maximum shift apply."""
FLUX2_CHANNELS = 128
METHODS = ("offset", "index", "uxo/uno", "index_timestep_zero")
"""The `Method`s that the incumbent's node offers; the others belong to single families."""
KONTEXT_SIZES = (
    (672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248),
    (880, 1184), (944, 1104), (1024, 1024), (1104, 944), (1184, 880), (1248, 832),
    (1328, 800), (1392, 752), (1456, 720), (1504, 688), (1568, 672),
)  # fmt: skip
"""Widths and heights that FLUX.1 Kontext was trained on, as Black Forest Labs published them."""
Shift = Annotated[float, Range(0.0, 100.0, step=0.01)]
Pixels = Annotated[int, Range(16, 16384, step=8)]


@node("FluxGuidance", category="advanced/conditioning/flux")
def flux_guidance(
    conditioning: Conditioning, guidance: Annotated[float, Range(0.0, 100.0, step=0.1)] = 3.5
) -> Conditioning:
    """Set how strictly a guidance-distilled model follows the prompt."""
    return with_values(conditioning, guidance=guidance)


@node("FluxDisableGuidance", category="advanced/conditioning/flux")
def flux_disable_guidance(conditioning: Conditioning) -> Conditioning:
    """Give a guidance-distilled model no strength of guidance at all."""
    return with_values(conditioning, guidance=None)


@node("FluxKontextImageScale", category="advanced/conditioning/flux")
def flux_kontext_image_scale(image: Image) -> Image:
    """Scale a picture to the size of nearest proportions that FLUX.1 Kontext was trained on."""
    proportions = image.shape[2] / image.shape[1]
    width, height = min(KONTEXT_SIZES, key=lambda size: abs(proportions - size[0] / size[1]))
    return scale(image, width, height, method="lanczos", crop="center")


@node(
    "FluxKontextMultiReferenceLatentMethod",
    category="advanced/conditioning/flux",
    display="Edit Model Reference Method",
    experimental=True,
)
def flux_kontext_multi_reference_latent_method(
    *, conditioning: Conditioning, reference_latents_method: Annotated[str, Choice(*METHODS)]
) -> Conditioning:
    """Choose how the positions of several reference pictures differ."""
    return with_values(conditioning, **{METHOD: reference_latents_method})


@node("ReferenceLatent", category="advanced/conditioning/edit_models")
def reference_latent(conditioning: Conditioning, latent: Latent | None = None) -> Conditioning:
    """Give an editing model one more picture to look at."""
    if latent is None:
        return conditioning
    return [
        [tokens, {**known, REFERENCES: [*(known.get(REFERENCES) or ()), latent["samples"]]}]
        for tokens, known in conditioning
    ]


@node("FluxKVCache", category="advanced/model", display="Flux KV Cache", experimental=True)
def flux_kv_cache(model: Model) -> Model:
    """Compute reference pictures at the first step only, for FLUX.2 klein 9B KV.

    Its references attend to themselves only, so that they are the same at every step; models that
    are not trained so, follow them less well with this node. While there is room, their keys and
    values are held on the device, then in RAM, else computed at each step.
    """
    return with_references_apart(model)


@node("ModelSamplingFlux", category="advanced/model", display="ModelSamplingFlux")
def model_sampling_flux(
    model: Model,
    max_shift: Shift = 1.15,
    base_shift: Shift = 0.5,
    width: Pixels = 1024,
    height: Pixels = 1024,
) -> Model:
    """Set how far noise levels are shifted towards the noise: further for larger pictures."""
    slope = (max_shift - base_shift) / (MOST_TOKENS - FEWEST_TOKENS)
    tokens = width * height / PATCH_PIXELS**2
    mu = tokens * slope + (base_shift - slope * FEWEST_TOKENS)
    return replace(model, parameterization=flow(MuShift(mu), multiplier=1.0, levels=10_000))


@node("Flux2Scheduler", category="sampling/custom_sampling/schedulers")
def flux2_scheduler(
    steps: Annotated[int, Range(1, 4096)] = 20,
    width: Annotated[int, Range(16, 16384, step=1)] = 1024,
    height: Annotated[int, Range(16, 16384, step=1)] = 1024,
) -> Sigmas:
    """The noise levels of FLUX.2, for that number of steps and that size."""
    tokens = round(width * height / PATCH_PIXELS**2)
    times = torch.linspace(1.0, 0.0, steps + 1)
    shift = math.exp(_empirical_shift(tokens, steps))
    return shift / (shift + (1.0 / times - 1.0))


def _empirical_shift(tokens: int, steps: int) -> float:
    """The mu that Black Forest Labs fitted, linear in tokens and in steps between 10 and 200."""
    many = 0.00016927 * tokens + 0.45666666
    if tokens > 4300:
        return many
    few = 8.73809524e-05 * tokens + 1.89833333
    slope = (many - few) / 190.0
    return slope * steps + (many - 200.0 * slope)


@node("EmptyFlux2LatentImage", category="latent", display="Empty Flux 2 Latent")
def empty_flux2_latent_image(
    width: Annotated[int, Range(16, 16384, step=16)] = 1024,
    height: Annotated[int, Range(16, 16384, step=16)] = 1024,
    batch_size: Annotated[int, Range(1, 4096)] = 1,
) -> Latent:
    """Create an empty latent for FLUX.2; sides in pixels."""
    rows, columns = height // PATCH_PIXELS, width // PATCH_PIXELS
    return {"samples": torch.zeros(batch_size, FLUX2_CHANNELS, rows, columns)}
