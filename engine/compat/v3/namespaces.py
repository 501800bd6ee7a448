"""`Input`, `InputImpl`, `Types` of `comfy_api.latest`, and small functions beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from engine.audiovisual import video
from engine.meshes import values as meshes

ImageInput = torch.Tensor
MaskInput = torch.Tensor
LatentInput = dict[str, Any]
AudioInput = dict[str, Any]
MESH = meshes.Mesh
VOXEL = meshes.Voxel
File3D = meshes.File3D


class Input:
    """Classes of values, for annotations."""

    Image = ImageInput
    Audio = AudioInput
    Mask = MaskInput
    Latent = LatentInput
    Video = video.VideoInput


class InputImpl:
    """Videos from files and from frames."""

    VideoFromFile = video.VideoFromFile
    VideoFromComponents = video.VideoFromComponents


class Types:
    """Parts of videos and of models in three dimensions."""

    VideoCodec = video.VideoCodec
    VideoContainer = video.VideoContainer
    VideoComponents = video.VideoComponents
    MESH = MESH
    VOXEL = VOXEL
    File3D = File3D


def get_server_features() -> dict[str, Any]:
    """What this server announces to browsers, as `GET /features`, but for its size limit."""
    return {"supports_preview_metadata": True}


def get_connection_feature(
    sockets_metadata: Mapping[str, Mapping[str, Any]],
    sid: str,
    feature_name: str,
    default: Any = False,
) -> Any:
    """What a browser announced, of `{client id: {"feature_flags": {...}}}`."""
    flags: Mapping[str, Any] = sockets_metadata.get(sid, {}).get("feature_flags", {})
    return flags.get(feature_name, default)


def supports_feature(
    sockets_metadata: Mapping[str, Mapping[str, Any]], sid: str, feature_name: str
) -> bool:
    """Whether a browser announced that it has something."""
    return get_connection_feature(sockets_metadata, sid, feature_name, False) is True


def is_class(found: Any) -> bool:
    """Whether it is a class."""
    return isinstance(found, type)


def prune_dict(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def first_real_override(cls: type, name: str, *, base: type | None = None) -> Any:
    """The method of that name which a class has in place of `base`'s, or None."""
    found: Any = getattr(cls, name, None)
    own: Any = getattr(found, "__func__", found)
    original: Any = getattr(base, name, None) if base else None
    return None if own is getattr(original, "__func__", original) else found
