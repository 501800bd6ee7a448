"""CLIP_VISION and STYLE_MODEL objects for plugins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.compat.given_weights import given_weights
from engine.compat.parts.interrupts import checkpoint
from engine.compat.parts.part_patcher import PartPatcher
from engine.inference.style import StyleModel as StyleValue
from engine.inference.vision import ClipVision, ClipVisionOutput, encode_pictures, image_encoder_of
from engine.residency.manager import current
from engine.weights.open import open_weights

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of the colours of CLIP's training pictures (Radford et al. 2021)."""


class Output:
    """What an image encoder found in pictures; attributes can be used as keys, too.

    A new one has no attributes: plugins fill it, and ask by `hasattr` whether they have.

    Attributes:
        last_hidden_state, penultimate_hidden_states: [B, T, D]; image_embeds: [B, P].
    """

    last_hidden_state: Any
    image_embeds: Any
    penultimate_hidden_states: Any
    all_hidden_states: Any
    mm_projected: Any
    _value: ClipVisionOutput | None = None

    @classmethod
    def of_value(cls, value: ClipVisionOutput) -> Output:
        """The object of a CLIP_VISION_OUTPUT value."""
        made = cls()
        made.last_hidden_state = value.last_hidden_state
        made.image_embeds = value.image_embeds
        made.penultimate_hidden_states = value.penultimate_hidden_states
        made.all_hidden_states = made.mm_projected = None
        made._value = value
        return made

    def to_value(self) -> ClipVisionOutput:
        """The frozen value; the very one it was made from if nothing was changed."""
        names = ("last_hidden_state", "image_embeds", "penultimate_hidden_states")
        old = self._value
        found: Any = [getattr(self, name, None) for name in names]
        if old is not None and all(getattr(old, n) is getattr(self, n, None) for n in names):
            return old
        return ClipVisionOutput(*found)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def __setitem__(self, key: str, item: Any) -> None:
        setattr(self, key, item)


def clip_preprocess(
    image: Tensor,
    size: int = 224,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = DEVIATION,
    crop: bool = True,
) -> Tensor:
    """Pictures [B, H, W, C] in 0..1 as an image encoder takes them, [B, 3, size, size].

    Args:
        image: of one size.
        size: pixels of a side.
        mean: of the colours, by channel.
        std: their deviations.
        crop: whether a square is cut from the middle; else pictures are distorted to one.
    """
    pixels = image[..., :3].movedim(-1, 1).float()
    if tuple(pixels.shape[2:]) != (size, size):
        sides = (size, size)
        if crop:
            factor = size / min(pixels.shape[2:])
            sides = (round(factor * pixels.shape[2]), round(factor * pixels.shape[3]))
        pixels = functional.interpolate(pixels, sides, mode="bicubic", antialias=True)
        top, left = ((side - size) // 2 for side in sides)
        pixels = pixels[:, :, top : top + size, left : left + size]
    pixels = torch.clip(255.0 * pixels, 0, 255).round() / 255.0
    means, deviations = (torch.tensor(each, device=pixels.device) for each in (mean, std))
    return (pixels - means.view(3, 1, 1)) / deviations.view(3, 1, 1)


class VisionNetwork:
    """`clip_vision.model`: called with prepared pictures, returns a tuple as plugins expect it."""

    def __init__(self, value: ClipVision) -> None:
        self._value = value

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._value.weights.module

    def __call__(
        self, pixel_values: Tensor, intermediate_output: int | None = None, **_: Any
    ) -> tuple[Tensor, Any, Tensor, None]:
        """(last states, the states of the layer before the last, projected vectors, None).

        Args:
            pixel_values: [B, 3, size, size], see `clip_preprocess`.
            intermediate_output: -2, the layer before the last; None: no such states.
        """
        if intermediate_output not in (None, -2):
            raise NotImplementedError(
                f"an image encoder gives the output of layer -2, not of {intermediate_output}"
            )
        value, residency = self._value, current()
        dtype = residency.dtype_of(value.weights)
        room = value.kind.activation_bytes(value.config, len(pixel_values), dtype.itemsize)
        with residency.use(value.weights, room_for=room, checkpoint=checkpoint), torch.no_grad():
            ready = pixel_values.to(residency.device, dtype)
            seen = value.kind.encode(value.weights.module, ready, checkpoint)
        penultimate = None if intermediate_output is None else seen.penultimate
        return seen.last, penultimate, seen.embeds, None

    def to(self, *_: Any, **__: Any) -> VisionNetwork:
        """Itself: the engine moves weights."""
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.__dict__["_value"].weights.module, name)


class ClipVisionModel:
    """An image encoder as plugins use it.

    Attributes:
        model: the network; patcher: its weights.
        image_size, image_mean, image_std: of the pictures it takes.
        return_all_hidden_states: always false.
    """

    def __init__(self, json_config: Any = None) -> None:
        del json_config
        raise NotImplementedError("load an image encoder with comfy.clip_vision.load")

    @classmethod
    def of_value(cls, value: ClipVision) -> ClipVisionModel:
        """The object of a CLIP_VISION value."""
        made = cls.__new__(cls)
        made._value = value
        made.model = VisionNetwork(value)
        made.patcher = PartPatcher(lambda: made.model, {"": (value.weights, lambda name: name)})
        made.image_size = int(getattr(value.config, "side", 224))
        made.image_mean, made.image_std = list(MEAN), list(DEVIATION)
        made.return_all_hidden_states = False
        return made

    _value: ClipVision
    model: VisionNetwork
    patcher: PartPatcher
    image_size: int
    image_mean: list[float]
    image_std: list[float]
    return_all_hidden_states: bool

    def to_value(self) -> ClipVision:
        """The frozen value."""
        return self._value

    @property
    def load_device(self) -> torch.device:
        """The device that computes."""
        return current().device

    @property
    def offload_device(self) -> torch.device:
        """Where weights are that are not in use."""
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that is computed in."""
        return current().dtype_of(self._value.weights)

    def encode_image(self, image: Tensor, crop: bool = True) -> Output:
        """Pictures [B, H, W, C] in 0..1, encoded."""
        found = encode_pictures(self._value, image, crop=crop, checkpoint=checkpoint)
        return Output.of_value(found)

    def get_sd(self) -> dict[str, Tensor]:
        """Every tensor of the network; read now."""
        return self.patcher.model_state_dict()

    def load_sd(self, sd: Mapping[str, Tensor]) -> Any:
        """Refused, because weights are shared by every node that uses them."""
        raise NotImplementedError("load an image encoder with comfy.clip_vision.load")


def load(ckpt_path: str) -> ClipVisionModel:
    """The image encoder of a file. Raises `WeightsError`."""
    return ClipVisionModel.of_value(image_encoder_of(open_weights(Path(ckpt_path))))


def load_clipvision_from_sd(
    sd: Mapping[str, Tensor], prefix: str = "", convert_keys: bool = False
) -> ClipVisionModel:
    """The image encoder of a file's tensors. Raises `WeightsError`."""
    del convert_keys
    named = {key.removeprefix(prefix): each for key, each in sd.items() if key.startswith(prefix)}
    return ClipVisionModel.of_value(image_encoder_of(given_weights(named)))


class StyleModel:
    """A style adapter as plugins use it."""

    def __init__(self, model: Any, device: Any = "cpu") -> None:
        """Wrap a plugin's own network, which takes `last_hidden_state`."""
        del device
        self._value: StyleValue | None = None
        self.model = model

    @classmethod
    def of_value(cls, value: StyleValue) -> StyleModel:
        """The object of a STYLE_MODEL value."""
        made = cls(None)
        made._value = value
        return made

    def to_value(self) -> Any:
        """The frozen value; a plugin's own object is itself one."""
        return self if self._value is None else self._value

    def get_cond(self, input: Any) -> Tensor:  # noqa: A002 - the host's name
        """The tokens [B, tokens, D] of encoded pictures."""
        if self._value is None:
            return self.model(input.last_hidden_state)
        value = input.to_value() if isinstance(input, Output) else input
        return self._value.get_cond(value)
