"""`node_helpers`: small changes of conditionings, pictures and texts that nodes share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from PIL import ImageFile, UnidentifiedImageError
from torch import Tensor
from torch.nn.functional import pad

from engine.compat.install import host_module

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def conditioning_set_values(
    conditioning: Sequence[Sequence[Any]],
    values: Mapping[str, Any] | None = None,
    append: bool = False,
) -> list[list[Any]]:
    """A conditioning whose entries have these values.

    Args:
        conditioning: entries `[tensor, values]`; they are not changed.
        values: by name.
        append: add to a value that is there, as to a list, in place of replacing it.
    """
    changed: list[list[Any]] = []
    for tensor, options in conditioning:
        own = dict(options)
        for name, value in (values or {}).items():
            before = own.get(name) if append else None
            own[name] = value if before is None else before + value
        changed.append([tensor, own])
    return changed


def conditioning_set_values_with_timestep_range(
    conditioning: Sequence[Sequence[Any]],
    values: Mapping[str, Any] | None = None,
    start_percent: float = 0.0,
    end_percent: float = 1.0,
) -> list[list[Any]]:
    """The same for a part of the steps; for the rest the entries stay as they are."""
    changed: list[list[Any]] = []
    for tensor, options in conditioning:
        first, last = options.get("start_percent", 0.0), options.get("end_percent", 1.0)
        start, end = max(first, start_percent), min(last, end_percent)
        if start >= end:
            changed.append([tensor, dict(options)])
            continue
        ranges = ((first, start, {}), (start, end, values or {}), (end, last, {}))
        changed += [
            [tensor, {**options, **more, "start_percent": begin, "end_percent": stop}]
            for begin, stop, more in ranges
            if begin < stop
        ]
    return changed


def pillow(fn: Callable[[Any], Any], arg: Any) -> Any:
    """Call a function of Pillow; for a damaged file again, reading as much as there is."""
    try:
        return fn(arg)
    except (OSError, UnidentifiedImageError, ValueError):
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            return fn(arg)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def hasher() -> Callable[..., Any]:
    """The function of `hashlib` that the user chose."""
    return getattr(hashlib, host_module("comfy.cli_args").args.default_hashing_function)


def string_to_torch_dtype(string: str) -> torch.dtype | None:
    """`fp32`, `fp16` or `bf16` as a dtype; None for another text."""
    return _DTYPES.get(string)


def image_alpha_fix(destination: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """Two batches of images with the destination's channels: a missing alpha is opaque."""
    have, wanted = source.shape[-1], destination.shape[-1]
    if wanted < have:
        source = source[..., :wanted]
    elif wanted > have:
        source = pad(source, (0, wanted - have), mode="constant", value=1.0)
    return destination, source
