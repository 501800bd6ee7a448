"""`comfy.comfy_types`: types that plugins annotate with, and the names of sockets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any, Literal, Protocol, TypedDict

import torch


class UnetApplyFunction(Protocol):
    """Calls a denoiser: `(x, t, **c)`."""

    def __call__(self, x: torch.Tensor, t: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """The prediction."""
        ...


class UnetApplyConds(TypedDict, total=False):
    """What a wrapped denoiser is conditioned on."""

    c_concat: torch.Tensor | None
    c_crossattn: torch.Tensor | None
    control: Any
    transformer_options: dict[str, Any] | None


class UnetParams(TypedDict):
    """What a wrapper of a denoiser is given."""

    input: torch.Tensor
    timestep: torch.Tensor
    c: UnetApplyConds
    cond_or_uncond: list[int]


UnetWrapperFunction = Any
"""`(apply, params) -> prediction`."""


class IO(StrEnum):
    """The types of sockets. `!=` is false where one of two names has all parts of the other."""

    def __ne__(self, value: object) -> bool:
        if not isinstance(value, str):
            return True
        if "*" in (str(self), str(value)):
            return False
        mine, theirs = (frozenset(str(each).split(",")) for each in (self, value))
        return not (mine <= theirs or theirs <= mine)

    STRING = "STRING"
    IMAGE = "IMAGE"
    MASK = "MASK"
    LATENT = "LATENT"
    BOOLEAN = "BOOLEAN"
    INT = "INT"
    FLOAT = "FLOAT"
    COMBO = "COMBO"
    CONDITIONING = "CONDITIONING"
    SAMPLER = "SAMPLER"
    SIGMAS = "SIGMAS"
    GUIDER = "GUIDER"
    NOISE = "NOISE"
    CLIP = "CLIP"
    CONTROL_NET = "CONTROL_NET"
    VAE = "VAE"
    MODEL = "MODEL"
    LORA_MODEL = "LORA_MODEL"
    LOSS_MAP = "LOSS_MAP"
    CLIP_VISION = "CLIP_VISION"
    CLIP_VISION_OUTPUT = "CLIP_VISION_OUTPUT"
    STYLE_MODEL = "STYLE_MODEL"
    GLIGEN = "GLIGEN"
    UPSCALE_MODEL = "UPSCALE_MODEL"
    AUDIO = "AUDIO"
    WEBCAM = "WEBCAM"
    POINT = "POINT"
    FACE_ANALYSIS = "FACE_ANALYSIS"
    BBOX = "BBOX"
    SEGS = "SEGS"
    VIDEO = "VIDEO"
    ANY = "*"
    NUMBER = "FLOAT,INT"
    PRIMITIVE = "STRING,FLOAT,INT,BOOLEAN"


class InputTypeOptions(TypedDict, total=False):
    """The options of an input; more are allowed."""

    default: Any
    tooltip: str
    lazy: bool
    forceInput: bool
    multiline: bool
    placeholder: str
    dynamicPrompts: bool
    min: float
    max: float
    step: float
    round: float
    control_after_generate: bool
    options: list[Any]


class HiddenInputTypeDict(TypedDict, total=False):
    """Inputs that are filled in by the host."""

    node_id: Literal["UNIQUE_ID"]
    unique_id: Literal["UNIQUE_ID"]
    prompt: Literal["PROMPT"]
    extra_pnginfo: Literal["EXTRA_PNGINFO"]
    dynprompt: Literal["DYNPROMPT"]


class InputTypeDict(TypedDict, total=False):
    """What `INPUT_TYPES` returns."""

    required: dict[str, tuple[Any, Any]]
    optional: dict[str, tuple[Any, Any]]
    hidden: HiddenInputTypeDict


class ComfyNodeABC(ABC):
    """A class of nodes that declares all attributes with their types."""

    DESCRIPTION: str
    CATEGORY: str
    EXPERIMENTAL: bool
    DEPRECATED: bool
    DEV_ONLY: bool
    API_NODE: bool | None
    INPUT_IS_LIST: bool
    OUTPUT_NODE: bool
    OUTPUT_IS_LIST: tuple[bool, ...]
    OUTPUT_TOOLTIPS: tuple[str, ...]
    RETURN_TYPES: tuple[Any, ...]
    RETURN_NAMES: tuple[str, ...]
    FUNCTION: str

    @classmethod
    @abstractmethod
    def INPUT_TYPES(cls) -> InputTypeDict:  # noqa: N802 - the contract's name
        """The inputs."""
        return {"required": {}}


class CheckLazyMixin:
    """Requests every lazy input that has no value yet."""

    def check_lazy_status(self, **kwargs: Any) -> list[str]:
        """The names of the inputs that are missing."""
        return [name for name, value in kwargs.items() if value is None]


class FileLocator(TypedDict):
    """A file as a browser requests it."""

    filename: str
    subfolder: str
    type: str
