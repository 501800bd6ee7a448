"""The 33 most used nodes of images and masks, each against the plain calls that it wraps.

    python tests/bench/image_nodes.py [--size 1024] [--count 2] [--rounds 9] [--only Canny]

The nodes are those that saved workflows use most (templates and examples), without those of video
and models. A baseline is what a script would write with torch, Pillow or scipy for the same
result: no checks, no metadata. Both run in turn on the same images, in one process; the table has
the median of each and of the rounds' ratios; each is first in every second round, since what runs
second finds memory that was just freed. Target: at most 1.1, the noise of a shared machine.
Nodes that return a number or pass an image on take microseconds, which no ratio describes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scipy import ndimage
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.files import Files
from engine.nodekit.context import RunningContext
from engine.settings import Settings
from nodes import (
    flux,
    image,
    image_batch,
    image_edges,
    image_files,
    image_postprocessing,
    image_saving,
    image_transform,
    image_upscaling,
    mask,
    mask_compositing,
    resizing,
)

TARGET = 1.1
SMALLEST = 200e-6
"""Seconds of a baseline below which the call of a node itself counts, not its work."""
Run = Callable[[], object]
PROMPT = {"9": {"class_type": "SaveImage", "inputs": {}}}
EXTRA = {"workflow": {"nodes": [], "title": "a"}}


class Given:
    """What the nodes get: smooth pictures with a little noise, as models make them.

    Attributes:
        images: [count, size, size, 3].
        others: half as large.
        masks: [count, size, size], a circle with a soft edge.
        folder: for files.
    """

    def __init__(self, count: int, size: int, folder: Path) -> None:
        generator = torch.Generator().manual_seed(1)
        coarse = torch.rand(count, 3, 12, 12, generator=generator)
        smooth = functional.interpolate(coarse, (size, size), mode="bicubic").movedim(1, -1)
        noise = 0.01 * torch.randn(smooth.shape, generator=generator)
        self.images = (smooth + noise).clamp(0, 1).contiguous()
        self.others = self.images[:, ::2, ::2].contiguous()
        rows = torch.linspace(-1, 1, size)
        far = (rows[:, None] ** 2 + rows**2).sqrt()
        self.masks = (4 * (0.7 - far)).clamp(0, 1).repeat(count, 1, 1)
        self.folder, self.size, self.count = folder, size, count
        places = {f"{name}_directory": folder / name for name in ("input", "output", "user")}
        for each in (*places.values(), folder / "user" / "temp"):
            each.mkdir(parents=True)
        settings = Settings(**places, models_directories=(folder / "models",))
        self.files = Files(settings)
        for suffix in ("png", "webp"):
            place = self.files.folders("input")[0] / f"a.{suffix}"
            picture(self.images[0]).save(place, lossless=True, compress_level=4)
            setattr(self, suffix, place)
        self._made = 0

    def context(self) -> RunningContext:
        return RunningContext("9", self.files, prompt=PROMPT, extra=EXTRA)

    def place(self, suffix: str) -> Path:
        """A new file."""
        self._made += 1
        return self.folder / f"plain_{self._made}{suffix}"


def picture(values: torch.Tensor) -> Image.Image:
    return Image.fromarray(np.clip(255.0 * values.numpy(), 0, 255).astype(np.uint8))


def loaded(path: Path) -> torch.Tensor:
    with Image.open(path) as found:
        values = np.array(found.convert("RGB")).astype(np.float32) / 255.0
    return torch.from_numpy(values)[None]


def chunks() -> PngInfo:
    found = PngInfo()
    found.add_text("prompt", json.dumps(PROMPT))
    found.add_text("workflow", json.dumps(EXTRA["workflow"]))
    return found


def lanczos(images: torch.Tensor, width: int, height: int) -> torch.Tensor:
    found = [picture(each).resize((width, height), Image.Resampling.LANCZOS) for each in images]
    return torch.stack(
        [torch.from_numpy(np.array(each).astype(np.float32) / 255) for each in found]
    )


def resized(images: torch.Tensor, width: int, height: int, mode: str) -> torch.Tensor:
    planes = functional.interpolate(images.movedim(-1, 1), (height, width), mode=mode)
    return planes.movedim(1, -1)


def files_of(given: Given) -> dict[str, tuple[Run, Run]]:
    """Nodes that read and write files: each writes all images, with the workflow."""
    images = given.images

    def save(suffix: str, **options: object) -> Run:
        def run() -> None:
            for each in images:
                picture(each).save(given.place(suffix), **options)

        return run

    def animation() -> None:
        first, *rest = [picture(each) for each in given.others]
        how = {"save_all": True, "append_images": rest, "duration": 166, "lossless": True}
        first.save(given.place(".webp"), method=4, **how)

    def grey() -> None:
        for each in given.masks:
            shown = picture(each[..., None].expand(-1, -1, 3))
            shown.save(given.place(".png"), compress_level=1)

    png = {"pnginfo": chunks(), "compress_level": 4}
    quick = {**png, "compress_level": 1}
    webp = {"format": "webp", "quality": 90, "lossless": False}
    return {
        "LoadImage": (
            lambda: image_files.load_image("a.png", given.context()),
            lambda: (loaded(given.png), torch.zeros(1, 64, 64)),
        ),
        "SaveImage": (
            lambda: image_files.save_image(images, given.context(), "a"),
            save(".png", **png),
        ),
        "SaveImageAdvanced (WebP)": (
            lambda: image_saving.save_image_advanced(images, given.context(), "a", format=webp),
            save(".webp", quality=90),
        ),
        "PreviewImage": (
            lambda: image_files.preview_image(images, given.context()),
            save(".png", **quick),
        ),
        "ImageCompare": (
            lambda: image_files.image_compare(given.context(), images[:1], images[1:2]),
            save(".png", **quick),
        ),
        "MaskPreview": (lambda: image_files.mask_preview(given.masks, given.context()), grey),
        "SaveAnimatedWEBP": (
            lambda: image_files.save_animated_webp(
                given.others, given.context(), "a", method="default"
            ),
            animation,
        ),
    }


def sizes_of(given: Given) -> dict[str, tuple[Run, Run]]:
    """Nodes that scale, crop and join."""
    images, others, size = given.images, given.others, given.size
    half, most = size // 2, size * 3 // 4
    dimensions = {"resize_type": "scale dimensions", "width": most, "height": most}

    def fitted() -> torch.Tensor:
        framed = torch.ones(len(images), most, most, 3)
        framed[:, most // 4 : most // 4 + most // 2] = resized(wide, most, most // 2, "area")
        return framed

    wide = images[:, :half].contiguous()
    return {
        "BatchImagesNode": (
            lambda: image.batch_images_node({"image0": images, "image1": others}),
            lambda: torch.cat([images, resized(others, size, size, "bilinear")]),
        ),
        "ImageBatch": (
            lambda: image.image_batch(images, images),
            lambda: torch.cat([images, images]),
        ),
        "ImageScaleToTotalPixels": (
            lambda: image_upscaling.image_scale_to_total_pixels(images, "area", 0.5625 / 4),
            lambda: resized(images, 384, 384, "area"),
        ),
        "ImageScale": (
            lambda: image_upscaling.image_scale(images, "lanczos", most, most, crop="disabled"),
            lambda: lanczos(images, most, most),
        ),
        "ImageScaleBy": (
            lambda: image_upscaling.image_scale_by(images, "bicubic", 1.5),
            lambda: resized(images, size * 3 // 2, size * 3 // 2, "bicubic"),
        ),
        "ImageScaleToMaxDimension": (
            lambda: image_upscaling.image_scale_to_max_dimension(images, "bilinear", most),
            lambda: resized(images, most, most, "bilinear"),
        ),
        "ResizeImageMaskNode": (
            lambda: resizing.resize_image_or_mask(
                images, {**dimensions, "crop": "disabled"}, "nearest-exact"
            ),
            lambda: resized(images, most, most, "nearest-exact"),
        ),
        "FluxKontextImageScale": (
            lambda: flux.flux_kontext_image_scale(others),
            lambda: lanczos(others, 1024, 1024),
        ),
        "ResizeAndPadImage": (
            lambda: image_transform.resize_and_pad_image(
                wide, most, most, padding_color="white", interpolation="area"
            ),
            fitted,
        ),
    }


def joined_of(given: Given) -> dict[str, tuple[Run, Run]]:
    """Nodes that join, repeat and make images."""
    images, others, size, half = given.images, given.others, given.size, given.size // 2
    return {
        "ImageStitch": (
            lambda: image_transform.image_stitch(images, "right", True, 0, "white", others),
            lambda: torch.cat([images, lanczos(others, size, size)], dim=2),
        ),
        "ImageFromBatch": (
            lambda: image_batch.image_from_batch(images, 1, 1),
            lambda: torch.clone(images[1:2]),
        ),
        "RepeatImageBatch": (
            lambda: image_batch.repeat_image_batch(images, 2),
            lambda: images.repeat(2, 1, 1, 1),
        ),
        "ImageCrop": (
            lambda: image_transform.image_crop(images, half, half, 10, 10),
            lambda: torch.clone(images[:, 10 : 10 + half, 10 : 10 + half]),
        ),
        "EmptyImage": (
            lambda: image.empty_image(size, size, given.count, 0x3060C0),
            lambda: torch.tensor([48, 96, 192]).div(255).repeat(given.count, size, size, 1),
        ),
    }


def masks_of(given: Given) -> dict[str, tuple[Run, Run]]:
    """Nodes of masks, colours and filters."""
    images, masks, size = given.images, given.masks, given.size

    def outpaint() -> tuple[torch.Tensor, torch.Tensor]:
        padded = functional.pad(images, (0, 0, 64, 64, 64, 64), value=0.5)
        kept = torch.zeros(1, size, size)
        return padded, functional.pad(kept, (64, 64, 64, 64), value=1.0)

    def edges() -> torch.Tensor:
        return torch.stack([scipy_canny(each) for each in images])[..., None].repeat(1, 1, 1, 3)

    def diamond() -> torch.Tensor:
        shape = ndimage.generate_binary_structure(2, 1)
        found = [ndimage.grey_dilation(each.numpy(), footprint=shape) for each in masks]
        for _ in range(5):
            found = [ndimage.grey_dilation(each, footprint=shape) for each in found]
        return torch.from_numpy(np.stack(found))

    return {
        "Canny": (lambda: image_edges.canny_edges(images), edges),
        "JoinImageWithAlpha": (
            lambda: mask_compositing.join_image_with_alpha(images, masks),
            lambda: torch.cat([images, 1.0 - masks[..., None]], dim=-1),
        ),
        "InvertMask": (lambda: mask.invert_mask(masks), lambda: 1.0 - masks),
        "ImageInvert": (lambda: image.image_invert(images), lambda: 1.0 - images),
        "SolidMask": (
            lambda: mask.solid_mask(0.5, size, size),
            lambda: torch.full((1, size, size), 0.5),
        ),
        "ImagePadForOutpaint": (
            lambda: image.image_pad_for_outpaint(images, 64, 64, 64, 64, 0),
            outpaint,
        ),
        "ImageToMask": (
            lambda: mask.image_to_mask(images, "red"),
            lambda: torch.clone(images[..., 0]),
        ),
        "MaskToImage": (
            lambda: mask.mask_to_image(masks),
            lambda: masks[..., None].repeat(1, 1, 1, 3),
        ),
        "ThresholdMask": (
            lambda: mask.threshold_mask(masks, 0.5),
            lambda: masks.gt(0.5).to(torch.float32),
        ),
        "GrowMask": (lambda: mask.grow_mask(masks, 6), diamond),
    }


def mixed_of(given: Given) -> dict[str, tuple[Run, Run]]:
    """Nodes that mix two images."""
    images, half = given.images, given.size // 2
    cover = given.masks[:, ::2, ::2].contiguous()

    def composite() -> torch.Tensor:
        found = images.clone()
        part = found[:, 10 : 10 + half, 50 : 50 + half]
        found[:, 10 : 10 + half, 50 : 50 + half] = torch.lerp(part, given.others, cover[..., None])
        return found

    return {
        "ImageCompositeMasked": (
            lambda: image.image_composite_masked(images, given.others, 50, 10, False, cover),
            composite,
        ),
        "ImageBlend": (
            lambda: image_postprocessing.image_blend(
                images, images.flip(1), 0.5, blend_mode="multiply"
            ),
            lambda: torch.lerp(images, images * images.flip(1), 0.5).clamp(0, 1),
        ),
    }


def scipy_canny(values: torch.Tensor) -> torch.Tensor:
    """Canny's steps in scipy and numpy."""
    grey = ndimage.gaussian_filter(values.numpy() @ np.float32([0.299, 0.587, 0.114]), 1.0)
    x, y = ndimage.sobel(grey, 1), ndimage.sobel(grey, 0)
    strength = np.hypot(x, y)
    octants = np.round(np.arctan2(y, x) * (4 / np.pi)).astype(int) % 4
    thin = np.zeros_like(strength)
    for octant, (down, right) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead = np.roll(strength, (-down, -right), (0, 1))
        behind = np.roll(strength, (down, right), (0, 1))
        kept = (octants == octant) & (strength > ahead) & (strength > behind)
        thin[kept] = strength[kept]
    lines, _ = ndimage.label(thin > 0.4, np.ones((3, 3)))
    strong = np.unique(lines[thin > 0.8])
    return torch.from_numpy((np.isin(lines, strong[strong > 0])).astype(np.float32))


KINDS = (files_of, sizes_of, joined_of, masks_of, mixed_of)


def measure(runs: Mapping[str, tuple[Run, Run]], rounds: int) -> None:
    """Print a row for each node."""
    print("| node | plain, ms | node, ms | node of plain |\n| --- | --- | --- | --- |")
    for name, pair in runs.items():
        seconds: tuple[list[float], list[float]] = ([], [])
        for counted in range(-1, rounds):
            for which in (0, 1) if counted % 2 else (1, 0):
                started = time.perf_counter()
                pair[which]()
                if counted >= 0:
                    seconds[which].append(time.perf_counter() - started)
        ours, plain = (statistics.median(each) for each in seconds)
        found = statistics.median(one / other for one, other in zip(*seconds, strict=True))
        shown = f"{found:.2f}" + (" MISSED" if found > TARGET and plain > SMALLEST else "")
        print(f"| {name} | {plain * 1000:.2f} | {ours * 1000:.2f} | {shown} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--count", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        given = Given(asked.count, asked.size, Path(folder))
        runs = {name: run for of in KINDS for name, run in of(given).items()}
        measure({name: run for name, run in runs.items() if asked.only in name}, asked.rounds)


if __name__ == "__main__":
    main()
