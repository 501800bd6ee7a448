"""`comfy_api.latest.ui`: what nodes show in the editor; previews are saved as temporary files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.compat.v3.saving import (
    AudioSaveHelper,
    ImageSaveHelper,
    SavedAudios,
    SavedImages,
    SavedResult,
    masks_as_images,
    preview_prefix,
    save_pictures,
)

__all__ = [
    "AudioSaveHelper",
    "ImageSaveHelper",
    "PreviewAudio",
    "PreviewImage",
    "PreviewMask",
    "PreviewText",
    "PreviewUI3D",
    "PreviewVideo",
    "SavedAudios",
    "SavedImages",
    "SavedResult",
    "UIOutput",
]


class UIOutput:
    """Something a node shows: `as_dict` gives it as the editor reads it."""

    def as_dict(self) -> dict[str, Any]:
        """Name to list of items."""
        return {}


class PreviewImage(UIOutput):
    """Shows images [B, H, W, C]."""

    def __init__(self, image: Any, animated: bool = False, cls: Any = None, **_: Any) -> None:
        self.values = save_pictures(image, preview_prefix(), "temp", cls, compress_level=1)
        self.animated = animated

    def as_dict(self) -> dict[str, Any]:
        """The temporary files."""
        return {"images": self.values, "animated": (self.animated,)}


class PreviewMask(PreviewImage):
    """Shows masks [B, H, W]."""

    def __init__(self, mask: Any, animated: bool = False, cls: Any = None, **_: Any) -> None:
        super().__init__(masks_as_images(mask), animated, cls)


class PreviewAudio(UIOutput):
    """Plays sound: `{"waveform": [B, C, T], "sample_rate": int}`."""

    def __init__(self, audio: Mapping[str, Any], cls: Any = None, **_: Any) -> None:
        self.values = AudioSaveHelper.save_audio(audio, preview_prefix(), "temp", cls)

    def as_dict(self) -> dict[str, Any]:
        """The temporary files."""
        return {"audio": self.values}


class PreviewVideo(UIOutput):
    """Shows videos that were saved."""

    def __init__(self, values: Sequence[Any], **_: Any) -> None:
        self.values = list(values)

    def as_dict(self) -> dict[str, Any]:
        """The files, marked as moving."""
        return {"images": self.values, "animated": (True,)}


class PreviewUI3D(UIOutput):
    """Shows a model in three dimensions, and where its camera stands."""

    def __init__(self, model_file: Any, camera_info: Any = None, **others: Any) -> None:
        self.model_file = model_file
        self.camera_info = camera_info
        self.bg_image_path: str | None = None
        picture = others.get("bg_image")
        if picture is not None:
            saved = save_pictures(picture, preview_prefix(), "temp", others.get("cls"))[0]
            self.bg_image_path = f"temp/{saved.filename}"

    def as_dict(self) -> dict[str, Any]:
        """The file, the camera and the picture behind it."""
        return {"result": [self.model_file, self.camera_info, self.bg_image_path]}


class PreviewText(UIOutput):
    """Shows a text."""

    def __init__(self, value: Any, **_: Any) -> None:
        self.value = value

    def as_dict(self) -> dict[str, Any]:
        """The text."""
        return {"text": (self.value,)}
