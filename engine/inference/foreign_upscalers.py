"""Upscale models of other architectures, through the library spandrel.

spandrel imports torchvision for two architectures that do not enlarge pictures. A torchvision built
for another torch cannot be imported; then those two get stand-ins that raise an error.
"""

from __future__ import annotations

import enum
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.inference.upscale_model import UpscaleModel
from engine.residency.carriers import Wants
from engine.residency.handles import LazyWeights
from engine.weights.state_dict import StateDict

LARGEST_SCALE = 8
SHOWN_KEYS = 5
HOW_TO_INSTALL = "pip install --no-deps spandrel einops"


def open_foreign(weights: StateDict) -> UpscaleModel:
    """The model of a file's tensors; reads them all.

    Raises:
        WeightsError: spandrel is not installed, does not support the architecture or cannot build
            it, or the network does not map one picture to one picture.
    """
    spandrel = import_spandrel(weights.origin)
    try:
        found = spandrel.ModelLoader().load_from_state_dict(dict(weights))
    except spandrel.UnsupportedModelError as error:
        raise WeightsError(_unknown(weights)) from error
    except WeightsError:
        raise
    except Exception as error:  # a damaged file can raise any error in a builder
        raise WeightsError(
            f"{weights.origin}: looks like an upscale model, but cannot be built: {_short(error)}"
        ) from error
    name = str(found.architecture.name)
    if not isinstance(found, spandrel.ImageModelDescriptor):
        raise WeightsError(
            f"{weights.origin}: a model of the kind {name}, which needs a mask; "
            "choose one that makes pictures larger."
        )
    if not 1 <= found.scale <= LARGEST_SCALE:
        raise WeightsError(
            f"{weights.origin}: enlarges {found.scale} times; 1 to {LARGEST_SCALE} can be used."
        )
    found.eval()
    network: nn.Module = found.model.requires_grad_(requires_grad=False)
    handle = LazyWeights(
        f"{weights.origin}, upscale model",
        weights.nbytes,
        lambda: network,
        wants=Wants(dtype=torch.float32),
    )
    call: Callable[[Tensor], Tensor] = found
    return UpscaleModel(
        name,
        found.scale,
        found.input_channels,
        found.output_channels,
        handle,
        lambda _, pictures: call(pictures),
    )


def import_spandrel(origin: str) -> Any:
    """The library, for the file `origin`. Raises `WeightsError` where it is not installed."""
    try:
        with _torchvision():
            import spandrel  # noqa: PLC0415 - takes a second, and only foreign models need it
    except ModuleNotFoundError as error:
        raise WeightsError(
            f"{origin}: not of the one architecture of upscale models that is built in "
            f"(Compact). For all others, install the library spandrel ({HOW_TO_INSTALL}) and "
            "start again."
        ) from error
    return spandrel


class _InterpolationMode(enum.Enum):
    """The names of torchvision that spandrel uses during import."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


def _not_there(*_: object, **__: object) -> NoReturn:
    raise WeightsError(
        "this architecture needs torchvision, which is missing or was built for another torch; "
        "install the torchvision that belongs to your torch."
    )


@contextmanager
def _torchvision() -> Iterator[None]:
    """Make torchvision importable: the installed one if it works, else a stand-in."""
    name = "torchvision"
    if name in sys.modules or "spandrel" in sys.modules:
        yield
        return
    try:
        importlib.import_module(name)
    except (ImportError, RuntimeError, OSError):
        before = {each for each in sys.modules if each.split(".")[0] == name}
        for each in before:
            del sys.modules[each]
    else:
        yield
        return
    stand_ins = {
        each: types.ModuleType(each)
        for each in (name, f"{name}.transforms", f"{name}.transforms.functional")
    }
    functional = stand_ins[f"{name}.transforms.functional"]
    vars(functional).update(
        InterpolationMode=_InterpolationMode, rotate=_not_there, normalize=_not_there
    )
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for each in stand_ins:
            sys.modules.pop(each, None)


def _unknown(weights: StateDict) -> str:
    shown = [key[:100] if key.isprintable() else ascii(key)[:100] for key in list(weights)]
    return (
        f"{weights.origin}: no upscale model that is known; {len(weights):,} tensors, first keys: "
        f"{', '.join(shown[:SHOWN_KEYS]) or 'none'}. Choose a file made for enlarging pictures."
    )


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
