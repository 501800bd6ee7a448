"""Nodes that save and load training sets: pictures with texts, and their encoded form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch

from engine.atomic import make_folder, write_atomically
from engine.errors import NodeError
from engine.files import file_identity
from engine.media.encoding import png_bytes
from engine.media.metadata import metadata_texts
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range, Text
from engine.training.dataset_file import Sample, read_shard, shard_bytes
from nodes.dataset import TrainingSet
from nodes.dataset_images import single_images
from nodes.pixels import to_pictures
from nodes.sockets import Conditioning, Image, Latent

Line = Annotated[str, Text(multiline=False)]
METADATA = "metadata.json"
VERSION = 1


@node(
    "SaveImageDataSetToFolder",
    category="dataset",
    display="Save Image Dataset to Folder",
    output=True,
    experimental=True,
    input_is_list=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_images(
    images: Sequence[Image],
    ctx: Context,
    folder_name: Sequence[Line] = ("dataset",),
    filename_prefix: Sequence[Line] = ("image",),
) -> None:
    """Save pictures as PNG to a folder in the output folder; no file is overwritten."""
    _save(images, None, ctx, f"{folder_name[0]}/{filename_prefix[0]}")


@node(
    "SaveImageTextDataSetToFolder",
    category="dataset",
    display="Save Image and Text Dataset to Folder",
    output=True,
    experimental=True,
    input_is_list=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_images_and_texts(
    images: Sequence[Image],
    texts: Sequence[Line],
    ctx: Context,
    folder_name: Sequence[Line] = ("dataset",),
    filename_prefix: Sequence[Line] = ("image",),
) -> None:
    """Save pictures as PNG, each with its text beside it, to a folder in the output folder.

    Move the folder into the input folder to load it with Load Image and Text Dataset from Folder.
    """
    _save(images, texts, ctx, f"{folder_name[0]}/{filename_prefix[0]}")


def _save(
    images: Sequence[torch.Tensor], texts: Sequence[str] | None, ctx: Context, prefix: str
) -> None:
    singles = single_images(images)
    if not singles:
        raise NodeError("there are no pictures to save; connect at least one")
    if texts is not None and len(texts) != len(singles):
        raise NodeError(
            f"there are {len(singles)} pictures and {len(texts)} texts; give one text for each"
        )
    header = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    shown: list[dict[str, str]] = []
    for number, image in enumerate(singles):
        ctx.checkpoint()
        [picture] = to_pictures(image)
        new = ctx.files.new_output(prefix, ".png")
        if texts is not None:  # first, so that no picture is ever seen without its text
            beside = replace(new, path=new.path.with_suffix(".txt"))
            ctx.files.write(beside, texts[number].encode("utf-8"))
        ctx.files.write(new, png_bytes(picture, texts=header))
        shown.append(new.shown())
        ctx.progress(number + 1, len(singles))
    ctx.show(images=shown)


@node(
    "SaveTrainingDataset",
    category="dataset",
    display="Save Training Dataset",
    output=True,
    experimental=True,
    input_is_list=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_training_set(
    latents: Sequence[Latent],
    conditioning: Sequence[Conditioning],
    ctx: Context,
    folder_name: Sequence[Line] = ("training_dataset",),
    shard_size: Sequence[Annotated[int, Range(1, 100000)]] = (1000,),
) -> None:
    """Save latents and conditionings, so that later trainings need not encode them again.

    They are written to a folder in the output folder; a training set already in it is replaced.
    """
    samples = _paired(latents, conditioning)
    folder = ctx.files.output_folder(folder_name[0])
    make_folder(folder)
    # Without this file there is no training set: what a crash leaves is not taken for one.
    (folder / METADATA).unlink(missing_ok=True)
    names: list[str] = []
    for start in range(0, len(samples), shard_size[0]):
        ctx.checkpoint()
        names.append(f"shard_{len(names):04}.safetensors")
        content = shard_bytes(samples[start : start + shard_size[0]])
        write_atomically(folder / names[-1], content)
        ctx.progress(min(start + shard_size[0], len(samples)), len(samples))
    for old in folder.glob("shard_*.safetensors"):
        if old.name not in names:
            old.unlink(missing_ok=True)
    document = {"version": VERSION, "samples": len(samples), "shards": names}
    write_atomically(folder / METADATA, json.dumps(document, indent=2).encode())
    ctx.show(text=[f"{len(samples)} samples saved as {folder_name[0]} in the output folder"])


def _paired(latents: Sequence[Any], conditionings: Sequence[Any]) -> list[Sample]:
    if not latents or len(latents) != len(conditionings):
        raise NodeError(
            f"there are {len(latents)} latents and {len(conditionings)} conditionings; connect "
            "both outputs of Make Training Dataset"
        )
    return list(zip(latents, conditionings, strict=True))


@node(
    "LoadTrainingDataset",
    category="dataset",
    display="Load Training Dataset",
    experimental=True,
)
def load_training_set(
    ctx: Context,
    folder_name: Line = "training_dataset",
) -> TrainingSet:
    """Load latents and conditionings that Save Training Dataset saved under that name."""
    samples: list[Sample] = []
    for path in _shards(folder_name, ctx):
        ctx.checkpoint()
        samples += read_shard(path)
    return TrainingSet([latent for latent, _ in samples], [found for _, found in samples])


@load_training_set.fingerprint
def _(folder_name: str | None, ctx: Context) -> object:
    if folder_name is None:
        return None
    return [file_identity(path) for path in _shards(folder_name, ctx)]


def _shards(name: str, ctx: Context) -> Iterator[Path]:
    """The files of a training set, all of which are there. Raises `NodeError`."""
    folder = ctx.files.output_folder(name)
    metadata = folder / METADATA
    if not metadata.is_file():
        raise NodeError(
            f"there is no whole training set {name!r} in the output folder; save one under that "
            "name with Save Training Dataset"
        )
    try:
        names = [str(each) for each in json.loads(metadata.read_bytes())["shards"]]
    except (ValueError, KeyError, TypeError) as error:
        raise NodeError(
            f"{name}/{METADATA} does not list the files of a training set; save the set again"
        ) from error
    missing = [each for each in names if not _is_shard(folder, each)]
    if missing:
        raise NodeError(
            f"the training set {name!r} lacks {', '.join(missing[:3])}; save the set again"
        )
    return (folder / each for each in names)


def _is_shard(folder: Path, name: str) -> bool:
    return Path(name).name == name and (folder / name).is_file()
