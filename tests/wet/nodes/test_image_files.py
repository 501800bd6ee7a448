"""Loading, saving and showing pictures: real files, read again by Pillow."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import FilesError, MediaError, NodeError, Stopped
from engine.files import Files
from engine.media.metadata import read_embedded, read_workflow
from engine.nodekit.context import RunningContext
from nodes.image_files import (
    load_image,
    load_image_mask,
    load_image_output,
    mask_preview,
    preview_image,
    save_animated_png,
    save_animated_webp,
    save_image,
)

PROMPT = {"9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "größer"}}}
EXTRA = {"workflow": {"nodes": [], "version": 0.4}, "note": "by hand"}


@pytest.fixture
def ctx(files: Files) -> RunningContext:
    return RunningContext("9", files, prompt=PROMPT, extra=EXTRA)


@pytest.fixture
def put(files: Files) -> Callable[..., None]:
    """Save a picture into the input folder."""

    def into_input(picture: Image.Image, name: str, *, place: str = "input", **options) -> None:
        path = files.folders(place)[0] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, **options)

    return into_input


def output(ctx: RunningContext) -> Path:
    return ctx.files.folders("output")[0]


def shown_path(ctx: RunningContext, index: int = 0) -> Path:
    item = ctx.shown["images"][index]
    return ctx.files.folders(item["type"])[0] / item["subfolder"] / item["filename"]


def noise(count: int = 1, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 6, 9, channels), generator=generator) / 255


def test_what_was_saved_is_loaded(ctx):
    save_image(noise(2), ctx, filename_prefix="a")
    names = [item["filename"] for item in ctx.shown["images"]]
    assert names == ["a_00001_.png", "a_00002_.png"]
    for index, name in enumerate(names):
        image, mask = load_image(f"{name} [output]", ctx)
        assert torch.equal(image, noise(2)[index : index + 1])
        assert torch.equal(mask, torch.zeros(1, 64, 64))


def test_a_saved_picture_carries_what_made_it(ctx):
    save_image(noise(), ctx)
    path = output(ctx) / "ComfyUI_00001_.png"
    assert shown_path(ctx) == path
    assert ctx.shown["images"] == [
        {"filename": path.name, "subfolder": "", "type": "output"},
    ]
    embedded = read_embedded(path)
    assert (embedded.prompt, embedded.workflow) == (PROMPT, EXTRA["workflow"])
    with Image.open(path) as picture:
        assert json.loads(picture.text["note"]) == "by hand"
        assert picture.mode == "RGB"


def test_nothing_is_overwritten(ctx):
    for _ in range(3):
        save_image(noise(), ctx, filename_prefix="sub/deep/x")
    assert sorted(path.name for path in (output(ctx) / "sub/deep").iterdir()) == [
        f"x_0000{n}_.png" for n in (1, 2, 3)
    ]
    assert ctx.shown["images"][2]["subfolder"] == "sub/deep"


def test_prefixes_are_filled_in(ctx):
    save_image(noise(2), ctx, filename_prefix="%width%x%height%-%batch_num%")
    names = [item["filename"] for item in ctx.shown["images"]]
    assert names == ["9x6-0_00001_.png", "9x6-1_00001_.png"]
    save_image(noise(), ctx, filename_prefix="%date:yyyy%")
    assert re.fullmatch(r"20\d\d_00001_\.png", ctx.shown["images"][2]["filename"])


def test_a_prefix_cannot_lead_out(ctx):
    with pytest.raises(FilesError, match="leads out"):
        save_image(noise(), ctx, filename_prefix="../../escaped")


def test_alpha_is_saved_and_loaded_as_a_mask(ctx):
    image = noise(channels=4)
    save_image(image, ctx)
    loaded, mask = load_image("ComfyUI_00001_.png [output]", ctx)
    assert torch.equal(loaded, image[..., :3])
    assert torch.allclose(mask, 1 - image[..., 3])


def test_no_file_is_left_by_what_cannot_be_saved(ctx):
    with pytest.raises(NodeError, match="NaN"):
        save_image(torch.full((1, 2, 2, 3), float("nan")), ctx)
    with pytest.raises(NodeError, match="no images"):
        save_image(torch.zeros(0, 2, 2, 3), ctx)
    assert list(output(ctx).iterdir()) == []


def test_saving_stops_when_asked(files: Files):
    context = RunningContext("1", files, stopped=lambda: True)
    with pytest.raises(Stopped):
        save_image(noise(), context)
    assert list(output(context).iterdir()) == []


def test_a_preview_is_temporary_and_never_named_twice(ctx):
    preview_image(noise(), ctx)
    preview_image(noise(), ctx)
    assert {item["type"] for item in ctx.shown["images"]} == {"temp"}
    assert shown_path(ctx, 0).name != shown_path(ctx, 1).name
    assert read_workflow(shown_path(ctx)) == EXTRA["workflow"]
    assert list(output(ctx).iterdir()) == []


def test_what_is_saved_or_shown_is_handed_on(ctx):
    images, mask = noise(2), torch.rand(2, 4, 5)
    assert save_image(images, ctx) is images
    assert preview_image(images, ctx) is images
    assert mask_preview(mask, ctx) is mask


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (1, 1, 4, 5)])
def test_a_mask_is_shown_in_grey(ctx, shape: tuple[int, ...]):
    mask_preview(torch.full(shape, 0.5), ctx)
    with Image.open(shown_path(ctx)) as picture:
        assert (picture.size, picture.getpixel((0, 0))) == ((5, 4), (127, 127, 127))


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (np.array([[0, 51, 255, 256, 65535]], dtype=np.uint16), "deep.png"),
        (np.array([[0.9, 51.9, 255, 256, 65535]], dtype=np.float32), "float.tiff"),
    ],
)
def test_deep_grey_is_cut_off_and_the_log_says_so(ctx, put, caplog, values: np.ndarray, name: str):
    """The result equals the incumbent's, with a warning."""
    put(Image.fromarray(values), name)
    image, mask = load_image(name, ctx)
    assert (image[0, 0, :, 1] * 255).round().tolist() == [0, 51, 255, 255, 255]
    assert mask.shape == (1, 64, 64)
    assert f"{name}: grey of more than 8 bits" in caplog.text


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_transparent_colour_counts_only_for_load_image_mask(ctx, put, mode: str):
    picture = Image.new(mode, (2, 1))
    white = (255, 255, 255) if mode == "RGB" else 255
    picture.putpixel((1, 0), white)
    put(picture, "t.png", transparency=white)
    image, mask = load_image("t.png", ctx)
    assert image[0, 0, :, 0].tolist() == [0, 1]
    assert torch.equal(mask, torch.zeros(1, 64, 64))
    assert load_image_mask("t.png", "alpha", ctx).tolist() == [[[0, 1]]]


def test_the_a_of_lab_is_its_mask(ctx, put):
    put(Image.new("LAB", (2, 1), (128, 51, 0)), "lab.tiff")
    image, mask = load_image("lab.tiff", ctx)
    assert image.shape == (1, 1, 2, 3)
    assert mask[0, 0].tolist() == pytest.approx([0.8, 0.8])


def test_frames_with_and_without_alpha_go_together(ctx, put):
    opaque, clear = Image.new("RGB", (3, 2)), Image.new("RGBA", (3, 2), (0, 0, 0, 0))
    put(opaque, "a.tiff", save_all=True, append_images=[clear])
    image, mask = load_image("a.tiff", ctx)
    assert image.shape == (2, 2, 3, 3)
    assert mask.mean(dim=(1, 2)).tolist() == [0, 1]


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif"])
def test_what_is_there_of_a_cut_picture_is_loaded(ctx, put, caplog, suffix: str):
    put(Image.effect_noise((64, 64), 90).convert("RGB"), f"a.{suffix}")
    whole = load_image(f"a.{suffix}", ctx)[0]
    path = ctx.files.folders("input")[0] / f"a.{suffix}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    part = load_image(f"a.{suffix}", ctx)[0]
    assert torch.equal(part[:, :24], whole[:, :24])
    assert f"a.{suffix}: the picture cannot be read in full" in caplog.text


def test_a_palette_with_transparency(ctx, put):
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((1, 0), 1)
    put(picture, "p.png", transparency=1)
    image, mask = load_image("p.png", ctx)
    assert image[0, 0].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert mask.tolist() == [[[0, 1]]]


def test_an_animation_is_a_batch(ctx, put):
    frames = [Image.new("RGB", (3, 2), (level, 0, 0)) for level in (0, 51, 102)]
    put(frames[0], "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    image, mask = load_image("a.webp", ctx)
    assert image[:, 0, 0, 0].tolist() == pytest.approx([0, 0.2, 0.4])
    assert mask.shape == (3, 64, 64)


def test_a_turned_photograph_stands_upright(ctx, put):
    exif = Image.Exif()
    exif[0x0112] = 3
    picture = Image.new("RGB", (2, 1))
    picture.putpixel((0, 0), (255, 255, 255))
    put(picture, "turned.png", exif=exif)
    assert load_image("turned.png", ctx)[0][0, 0, :, 0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("channel", "expected"), [("red", 0.2), ("green", 0.4), ("blue", 0.6), ("alpha", 1 - 0.8)]
)
def test_one_channel_as_a_mask(ctx, put, channel: str, expected: float):
    put(Image.new("RGBA", (3, 2), (51, 102, 153, 204)), "sub/c.png")
    mask = load_image_mask("sub/c.png", channel, ctx)
    assert mask.shape == (1, 2, 3)
    assert mask.unique().tolist() == pytest.approx([expected])


def test_an_opaque_picture_masks_nothing(ctx, put):
    put(Image.new("L", (3, 2), 255), "grey.png")
    assert torch.equal(load_image_mask("grey.png", "alpha", ctx), torch.zeros(1, 2, 3))


def test_the_output_folder_is_meant_without_saying_so(ctx, put):
    put(Image.new("RGB", (3, 2), (255, 0, 0)), "o.png", place="output")
    for name in ("o.png", "o.png [output]"):
        assert load_image_output(name, ctx)[0].shape == (1, 2, 3, 3)
        assert load_image_output.complaint({"image": name}, {}, ctx) is None


@pytest.mark.parametrize("node", [load_image, load_image_mask, load_image_output])
def test_a_missing_picture_is_named_before_the_run(ctx, put, node):
    put(Image.new("RGB", (1, 1)), "cat.png", place="input")
    put(Image.new("RGB", (1, 1)), "cat.png", place="output")
    complaint = node.complaint({"image": "cap.png"}, {}, ctx)
    assert "'cap.png'" in complaint
    assert "did you mean cat.png?" in complaint
    assert "leads out" in node.complaint({"image": "../../etc/passwd"}, {}, ctx)
    assert node.complaint({"image": None}, {}, ctx) is None
    assert "image" in node.schema.checks


@pytest.mark.parametrize("node", [load_image, load_image_mask, load_image_output])
def test_the_fingerprint_is_the_file_s_identity(ctx, put, node):
    def fingerprint() -> object:
        return node.fingerprint_of({"image": "a.png [input]"}, ctx)

    put(Image.new("RGB", (1, 1)), "a.png")
    before = fingerprint()
    assert fingerprint() == before
    put(Image.new("RGB", (99, 1)), "a.png")
    assert fingerprint() != before
    assert node.fingerprint_of({"image": None}, ctx) is None


def test_a_file_that_is_no_picture_says_so(ctx):
    (ctx.files.folders("input")[0] / "x.png").write_text("hello")
    with pytest.raises(MediaError, match=r"x\.png: is no picture"):
        load_image("x.png", ctx)


def test_animated_png(ctx):
    save_animated_png(noise(3), ctx, filename_prefix="anim", fps=10.0)
    path = output(ctx) / "anim_00001_.png"
    assert ctx.shown == {
        "images": [{"filename": path.name, "subfolder": "", "type": "output"}],
        "animated": [True],
    }
    assert torch.equal(load_image(f"{path.name} [output]", ctx)[0], noise(3))
    assert read_workflow(path) == EXTRA["workflow"]
    with Image.open(path) as picture:
        assert picture.info["duration"] == 100


def test_animated_webp(ctx):
    save_animated_webp(noise(3), ctx, fps=4.0, lossless=True, method="fastest")
    path = shown_path(ctx)
    assert path.name == "ComfyUI_00001_.webp"
    assert torch.equal(load_image(f"{path.name} [output]", ctx)[0], noise(3))
    assert read_workflow(path) == EXTRA["workflow"]
    with Image.open(path) as picture:
        picture.load()
        assert picture.info["duration"] == 250


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_batch_of_equal_images_comes_back_whole(ctx, suffix: str):
    images = noise(2)[[0, 0, 0, 1, 1, 0]]
    if suffix == "png":
        save_animated_png(images, ctx, fps=8.0)
    else:
        save_animated_webp(images, ctx, fps=8.0, lossless=True, method="default")
    path = shown_path(ctx)
    assert torch.equal(load_image(f"{path.name} [output]", ctx)[0], images)
    with Image.open(path) as picture:
        assert picture.n_frames == 6
        durations = []
        for number in range(6):
            picture.seek(number)
            picture.load()
            durations.append(picture.info["duration"])
    assert durations == [125] * 6


def test_quality_counts_where_losses_are_allowed(ctx):
    for quality in (5, 95):
        save_animated_webp(noise(2), ctx, lossless=False, quality=quality, method="default")
    assert shown_path(ctx, 0).stat().st_size < shown_path(ctx, 1).stat().st_size
