"""Training data: pictures and texts from a folder, encoded to latents and conditionings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
from PIL import Image as Pillow

from engine.errors import NodeError
from engine.files import file_identity
from engine.inference.encode import encode as encode_text
from engine.inference.vae import encode as encode_pictures
from engine.media import modes
from engine.media.pictures import read_frames
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice, Text
from nodes.dataset_images import single_images
from nodes.pixels import from_picture
from nodes.sockets import Clip, Conditioning, Image, Latent, Vae
from nodes.text import Embeddings

Folder = Annotated[str, FileChoice("input_folders")]
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"})
_MOST_TEXT = 1 << 20


class ImagesAndTexts(NamedTuple):
    """The content of a folder of pictures with texts."""

    images: list[Image]
    texts: list[str]


class TrainingSet(NamedTuple):
    """The training data."""

    latents: list[Latent]
    conditioning: list[Conditioning]


@node(
    "LoadImageDataSetFromFolder",
    category="dataset",
    display="Load Image Dataset from Folder",
    output_names=("images",),
    experimental=True,
)
def load_images(folder: Folder, ctx: Context) -> list[Image]:
    """Load all pictures of a folder in the input folder, in the order of their names."""
    return [_picture(path, ctx) for path in _pictures(folder, ctx)]


@node(
    "LoadImageTextDataSetFromFolder",
    category="dataset",
    display="Load Image and Text Dataset from Folder",
    experimental=True,
)
def load_images_and_texts(folder: Folder, ctx: Context) -> ImagesAndTexts:
    """Load all pictures of a folder in the input folder, each with the text file beside it.

    `a.png` and `a.txt`; a picture without such a file has an empty text. In folders named
    `10_name`, as made by other programs, each picture counts ten times.
    """
    paths = _pictures(folder, ctx)
    return ImagesAndTexts([_picture(path, ctx) for path in paths], [_text(path) for path in paths])


@load_images.fingerprint
def folder_identity(folder: str | None, ctx: Context) -> object:
    """The state of a folder's pictures and texts."""
    if not folder:
        return folder
    paths = dict.fromkeys(_pictures(folder, ctx))
    texts = [path.with_suffix(".txt") for path in paths]
    return [file_identity(path) for path in (*paths, *texts) if path.is_file()]


@load_images_and_texts.fingerprint
def _(folder: str | None, ctx: Context) -> object:
    return folder_identity(folder, ctx)


@node(
    "MakeTrainingDataset",
    category="dataset",
    display="Make Training Dataset",
    experimental=True,
    input_is_list=True,
)
def make_training_set(
    images: Sequence[Image],
    vae: Sequence[Vae],
    clip: Sequence[Clip],
    ctx: Context,
    texts: Sequence[Annotated[str, Text(multiline=False)]] | None = None,
) -> TrainingSet:
    """Encode pictures and texts as latents and conditionings, once for all steps.

    A single text applies to all pictures; without texts all of them are empty.
    """
    words = list(texts or [""])
    pictures = single_images(images)
    if len(words) not in (1, len(pictures)):
        raise NodeError(
            f"there are {len(pictures)} pictures and {len(words)} texts; give one text for all "
            "pictures, or one for each"
        )
    embeddings = Embeddings(ctx.files)
    encoded = {
        text: encode_text(clip[0], text, embeddings.find, checkpoint=ctx.checkpoint)
        for text in dict.fromkeys(words)
    }
    latents: list[Latent] = []
    for number, picture in enumerate(pictures):
        latents.append({"samples": encode_pictures(vae[0], picture, checkpoint=ctx.checkpoint)})
        ctx.progress(number + 1, len(pictures))
    if len(words) == 1:
        words *= len(pictures)
    return TrainingSet(latents, [encoded[text] for text in words])


@node(
    "ResolutionBucket",
    category="dataset",
    display="Resolution Bucket",
    experimental=True,
    input_is_list=True,
)
def bucket_by_resolution(
    latents: Sequence[Latent], conditioning: Sequence[Conditioning]
) -> TrainingSet:
    """Group latents by size: one batch per size, with its conditionings."""
    if len(latents) != len(conditioning):
        raise NodeError(
            f"there are {len(latents)} latents and {len(conditioning)} conditionings; give one "
            "for each"
        )
    rows: dict[tuple[int, ...], list[torch.Tensor]] = {}
    texts: dict[tuple[int, ...], list[Any]] = {}
    for latent, entries in zip(latents, conditioning, strict=True):
        samples = latent["samples"]
        if len(entries) not in (1, len(samples)):
            raise NodeError(
                f"a latent of {len(samples)} pictures has a conditioning of {len(entries)} "
                "entries; give it one, or one for each picture"
            )
        size = tuple(samples.shape[1:])
        rows.setdefault(size, []).append(samples)
        each = list(entries) if len(entries) == len(samples) else list(entries) * len(samples)
        texts.setdefault(size, []).extend(each)
    return TrainingSet(
        [{"samples": torch.cat(found)} for found in rows.values()], list(texts.values())
    )


def _pictures(folder: str, ctx: Context) -> list[Path]:
    """The pictures of a folder, and of its numbered folders, each repeated by that number."""
    root = ctx.files.find_folder(folder)
    found = _of(root)
    for inner in sorted(path for path in root.iterdir() if path.is_dir()):
        times, _, name = inner.name.partition("_")
        if name and times.isdecimal() and 0 < int(times) <= 1000:
            found += _of(inner) * int(times)
    if not found:
        raise NodeError(
            f"there is no picture in the folder {folder!r}; put pictures (PNG, JPEG, WebP) into it"
        )
    return found


def _of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _picture(path: Path, ctx: Context) -> Image:
    ctx.checkpoint()
    frame: Pillow.Image = next(iter(read_frames(path)))
    return from_picture(modes.rgb(frame))[None]


def _text(path: Path) -> str:
    beside = path.with_suffix(".txt")
    if not beside.is_file():
        return ""
    with beside.open("rb") as file:
        content = file.read(_MOST_TEXT)
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise NodeError(
            f"{beside.name}: not a text in UTF-8; save it as UTF-8 and run again"
        ) from error
