"""A folder of pictures as a torch data set, see `comfy.k_diffusion.utils`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from torch.utils.data import Dataset


class FolderOfImages(Dataset[tuple[Any]]):
    """The pictures in a folder and below it, in the order of their paths.

    Attributes:
        IMG_EXTENSIONS: suffixes, in lower case.
        paths: the files.
    """

    IMG_EXTENSIONS = frozenset(
        {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}
    )

    def __init__(self, root: str | Path, transform: Callable[[Any], Any] | None = None) -> None:
        self.root = Path(root)
        self.transform = transform
        self.paths = sorted(
            each for each in self.root.rglob("*") if each.suffix.lower() in self.IMG_EXTENSIONS
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: int) -> tuple[Any]:
        with Image.open(self.paths[key]) as opened:
            picture = opened.convert("RGB")
        return (picture if self.transform is None else self.transform(picture),)
