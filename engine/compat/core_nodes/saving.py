"""`SaveImage`, `PreviewImage`, `SaveLatent` and the nodes that save models, to be derived from.

Plugins change `output_dir`, `type`, `prefix_append` and `compress_level` in their own `__init__`,
and call the method that saves with arguments of their own.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.atomic import write_atomically
from engine.compat.core_nodes.calling import context_of_call
from engine.compat.v3.saving import pictures_of
from engine.files import Files
from engine.inference.latents import latent_bytes
from engine.media.encoding import png_bytes
from engine.media.metadata import metadata_texts

_PLACES = ("output", "temp", "input")


class SavesFiles:
    """Attributes that subclasses set."""

    def __init__(self) -> None:
        self.output_dir = str(context_of_call().files.folders("output")[0])
        self.type = "output"
        self.prefix_append = ""
        self.compress_level = 4

    def write(
        self, content: bytes, prefix: str, suffix: str, size: tuple[int, int] = (0, 0)
    ) -> dict[str, Any]:
        """Write a new file into `output_dir`, and return how the editor finds it."""
        files = context_of_call().files
        place = _place_of(files, self.output_dir)
        if place is not None:
            new = files.new_output(prefix, suffix, place=place, width=size[0], height=size[1])
            files.write(new, content)
            return {**new.shown(), "type": self.type}
        # A folder of the plugin's own, outside of ours.
        paths = import_module("folder_paths").get_save_image_path(prefix, self.output_dir, *size)
        folder, name, counter, subfolder, _ = paths
        filename = f"{name}_{counter:05}_{suffix}"
        write_atomically(Path(folder) / filename, content)
        return {"filename": filename, "subfolder": subfolder, "type": self.type}


def _place_of(files: Files, folder: Any) -> str | None:
    wanted = Path(folder).resolve()
    return next((each for each in _PLACES if files.folders(each)[0].resolve() == wanted), None)


def _texts(files: Files, prompt: Any, extra: Any) -> dict[str, str]:
    if not files.embed_metadata or (prompt is None and extra is None):
        return {}
    return metadata_texts(prompt, extra if isinstance(extra, Mapping) else None)


class SaveImage(SavesFiles):
    """Saves images; a subclass may save elsewhere."""

    def save_images(
        self,
        images: Any,
        filename_prefix: str = "ComfyUI",
        prompt: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        """Save each image [H, W, C] as PNG, and return what the editor shows."""
        context = context_of_call()
        prefix = filename_prefix + self.prefix_append
        texts = _texts(context.files, prompt, extra_pnginfo)
        shown: list[dict[str, Any]] = []
        for index, picture in enumerate(pictures_of(images)):
            context.checkpoint()
            content = png_bytes(picture, texts=texts, compress_level=self.compress_level)
            name = prefix.replace("%batch_num%", str(index))
            shown.append(self.write(content, name, ".png", picture.size))
        return {"ui": {"images": shown}}


class PreviewImage(SaveImage):
    """Saves images as temporary files."""

    def __init__(self) -> None:
        super().__init__()
        self.output_dir = str(context_of_call().files.folders("temp")[0])
        self.type = "temp"
        # Browsers remember pictures by address, so no two sessions may use one name.
        self.prefix_append = f"_temp_{secrets.token_hex(3)}"
        self.compress_level = 1


class SaveLatent(SavesFiles):
    """Saves latents; a subclass may save elsewhere."""

    def save(
        self,
        samples: Mapping[str, Any],
        filename_prefix: str = "ComfyUI",
        prompt: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        """Save a latent, and return what the editor shows."""
        texts = _texts(context_of_call().files, prompt, extra_pnginfo)
        content = latent_bytes(samples["samples"], texts)
        saved = self.write(content, filename_prefix + self.prefix_append, ".latent")
        return {"ui": {"latents": [saved]}}
