"""Pictures and sound written to the user's folders, as V3 nodes save and show them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from PIL import Image as Pillow

from engine.audiovisual.sound import FORMATS, sound_bytes
from engine.compat.v3.running import current
from engine.errors import NodeError
from engine.media.animations import animated_png_bytes, animated_webp_bytes
from engine.media.encoding import png_bytes
from engine.media.metadata import metadata_texts
from engine.nodekit.context import RunningContext
from nodes.image_scaling import as_masks
from nodes.pixels import to_pictures

_WEBP_METHODS: dict[Any, int] = {"default": 4, "fastest": 0, "slowest": 6}


class SavedResult(dict[str, Any]):
    """A saved file as the editor finds it: `filename`, `subfolder`, `type`."""

    def __init__(self, filename: str, subfolder: str = "", type: Any = "output") -> None:
        super().__init__(filename=filename, subfolder=subfolder, type=getattr(type, "value", type))

    @property
    def filename(self) -> str:
        """The file's name."""
        return self["filename"]

    @property
    def subfolder(self) -> str:
        """The folder below the one that `type` names."""
        return self["subfolder"]

    @property
    def type(self) -> Any:
        """`input`, `output` or `temp`."""
        return self["type"]


def write_new(
    content: bytes,
    prefix: str,
    suffix: str,
    folder: Any,
    *,
    size: tuple[int, int] = (0, 0),
) -> SavedResult:
    """Write a file under a new name. `folder` is `output`, `temp` or `input`.

    Raises:
        NodeError: no node is running.
        FilesError, DiskError: it cannot be written.
    """
    files = current("saving a file").files
    place = str(getattr(folder, "value", folder))
    new = files.new_output(prefix, suffix, place=place, width=size[0], height=size[1])
    files.write(new, content)
    return SavedResult(new.filename, new.subfolder, new.place)


def preview_prefix() -> str:
    """A name for a temporary file that no other session uses: browsers remember by address."""
    return f"preview_{secrets.token_hex(3)}"


def texts_of(context: RunningContext, cls: Any = None) -> dict[str, str]:
    """The metadata to write: the prompt and workflow, of the class's hidden values if it has them.

    Empty where the user turned metadata off.
    """
    if not context.files.embed_metadata:
        return {}
    hidden = getattr(cls, "hidden", None)
    prompt = getattr(hidden, "prompt", None)
    extra = getattr(hidden, "extra_pnginfo", None)
    return metadata_texts(
        context.prompt if prompt is None else prompt, context.extra if extra is None else extra
    )


def pictures_of(images: Any) -> list[Pillow.Image]:
    """A batch [B, H, W, C], or a list of images [H, W, C], as pictures."""
    listed: Sequence[Any] = images if isinstance(images, list | tuple) else [images]
    pictures: list[Pillow.Image] = []
    for each in listed:
        pictures += to_pictures(each[None] if each.ndim == 3 else each)
    return pictures


def save_pictures(
    images: Any, prefix: str, folder: Any, cls: Any = None, compress_level: int = 4
) -> list[SavedResult]:
    """Save each image of a batch as PNG with the workflow; `%batch_num%` counts them."""
    context = current("saving images")
    texts = texts_of(context, cls)
    saved: list[SavedResult] = []
    for index, picture in enumerate(pictures_of(images)):
        context.checkpoint()
        content = png_bytes(picture, texts=texts, compress_level=compress_level)
        name = prefix.replace("%batch_num%", str(index))
        saved.append(write_new(content, name, ".png", folder, size=picture.size))
    return saved


def _save_animation(
    images: Any,
    prefix: str,
    folder: Any,
    cls: Any,
    fps: float,
    suffix: str,
    encode: Callable[..., bytes],
) -> SavedResult:
    """Save a batch as one animated picture, `fps` images per second."""
    texts, pictures = texts_of(current("saving images"), cls), pictures_of(images)
    content = encode(pictures, milliseconds=1000.0 / fps, texts=texts)
    return write_new(content, prefix, suffix, folder, size=pictures[0].size)


class ImageSaveHelper:
    """Saves images the way the built-in nodes do. All methods are static."""

    @staticmethod
    def save_images(
        images: Any,
        filename_prefix: str,
        folder_type: Any,
        cls: Any = None,
        compress_level: int = 4,
    ) -> list[SavedResult]:
        """Save each image as PNG."""
        return save_pictures(images, filename_prefix, folder_type, cls, compress_level)

    @staticmethod
    def get_save_images_ui(
        images: Any, filename_prefix: str, cls: Any = None, compress_level: int = 4
    ) -> SavedImages:
        """Save each image to the output folder, and return what the editor shows."""
        return SavedImages(save_pictures(images, filename_prefix, "output", cls, compress_level))

    @staticmethod
    def save_animated_png(
        images: Any,
        filename_prefix: str,
        folder_type: Any,
        cls: Any,
        fps: float,
        compress_level: int,
    ) -> SavedResult:
        """Save a batch as one animated PNG."""
        encode = partial(animated_png_bytes, compress_level=compress_level)
        return _save_animation(images, filename_prefix, folder_type, cls, fps, ".png", encode)

    @staticmethod
    def get_save_animated_png_ui(
        images: Any, filename_prefix: str, cls: Any, fps: float, compress_level: int
    ) -> SavedImages:
        """Save an animated PNG to the output folder, and return what the editor shows."""
        saved = ImageSaveHelper.save_animated_png(
            images, filename_prefix, "output", cls, fps, compress_level
        )
        return SavedImages([saved], is_animated=True)

    @staticmethod
    def save_animated_webp(
        images: Any,
        filename_prefix: str,
        folder_type: Any,
        cls: Any,
        fps: float,
        lossless: bool,
        quality: int,
        method: Any,
    ) -> SavedResult:
        """Save a batch as one animated WebP; `method` is 0 to 6, or a name of it."""
        known = _WEBP_METHODS[method] if method in _WEBP_METHODS else int(method)
        encode = partial(animated_webp_bytes, lossless=lossless, quality=quality, method=known)
        return _save_animation(images, filename_prefix, folder_type, cls, fps, ".webp", encode)

    @staticmethod
    def get_save_animated_webp_ui(
        images: Any,
        filename_prefix: str,
        cls: Any,
        fps: float,
        lossless: bool,
        quality: int,
        method: Any,
    ) -> SavedImages:
        """Save an animated WebP to the output folder, and return what the editor shows."""
        saved = ImageSaveHelper.save_animated_webp(
            images, filename_prefix, "output", cls, fps, lossless, quality, method
        )
        return SavedImages([saved], is_animated=True)


class AudioSaveHelper:
    """Saves sound. All methods are static."""

    @staticmethod
    def save_audio(
        audio: Mapping[str, Any],
        filename_prefix: str,
        folder_type: Any,
        cls: Any = None,
        format: str = "wav",
        quality: str = "128k",
    ) -> list[SavedResult]:
        """Save each of a batch of sounds.

        Raises:
            NodeError: there is no such format.
            MediaError: the format has no such quality.
        """
        del cls
        if format not in FORMATS:
            raise NodeError(f"sound as {format} was requested; formats are {', '.join(FORMATS)}")
        waveform: torch.Tensor = audio["waveform"]
        form, rate = FORMATS[format], int(audio["sample_rate"])
        chosen = quality if form.qualities else None
        return [
            write_new(
                sound_bytes(each, rate, format, quality=chosen),
                filename_prefix,
                form.suffix,
                folder_type,
            )
            for each in waveform
        ]

    @staticmethod
    def get_save_audio_ui(
        audio: Mapping[str, Any],
        filename_prefix: str,
        cls: Any = None,
        format: str = "wav",
        quality: str = "128k",
    ) -> SavedAudios:
        """Save sounds to the output folder, and return what the editor shows."""
        return SavedAudios(
            AudioSaveHelper.save_audio(audio, filename_prefix, "output", cls, format, quality)
        )


class SavedImages:
    """What a node shows after it saved images."""

    def __init__(self, results: Sequence[Any], is_animated: bool = False) -> None:
        self.results = list(results)
        self.is_animated = is_animated

    def as_dict(self) -> dict[str, Any]:
        """As the editor reads it."""
        shown: dict[str, Any] = {"images": self.results}
        return shown | {"animated": (True,)} if self.is_animated else shown


class SavedAudios:
    """What a node shows after it saved sounds."""

    def __init__(self, results: Sequence[Any]) -> None:
        self.results = list(results)

    def as_dict(self) -> dict[str, Any]:
        """As the editor reads it."""
        return {"audio": self.results}


def masks_as_images(mask: torch.Tensor) -> torch.Tensor:
    """Masks [B, H, W] or [H, W] as images [B, H, W, 3]."""
    return as_masks(mask).unsqueeze(-1).expand(-1, -1, -1, 3)
