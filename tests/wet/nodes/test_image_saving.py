"""Save Image (Advanced): files read again by Pillow, and by hand where Pillow cuts to 8 bits."""

import json
import struct
import zlib

import av
import numpy as np
import pytest
import torch
from PIL import Image

from engine.audiovisual.deep_pictures import encoded, linear
from engine.errors import NodeError
from engine.media.metadata import read_embedded
from engine.nodekit.context import RunningContext
from nodes.image_saving import save_image_advanced
from nodes.text_files import save_text

PROMPT = {"9": {"class_type": "SaveImageAdvanced", "inputs": {}}}
EXTRA = {"workflow": {"nodes": [], "title": "größer"}}


@pytest.fixture
def ctx(files):
    return RunningContext("9", files, prompt=PROMPT, extra=EXTRA)


def images(count=1, channels=3):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 20, 30, channels, generator=generator)


def saved(ctx, files, given, **chosen):
    assert save_image_advanced(given, ctx, "sub/a", format=chosen) is given
    return [
        files.folders("output")[0] / each["subfolder"] / each["filename"]
        for each in ctx.shown["images"]
    ]


def deep_png(path):
    """The values of a PNG of 16 bits without interlacing, from its specification."""
    content, place, data, size = path.read_bytes(), 8, b"", (0, 0, 0)
    while place < len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        body = content[place + 8 : place + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack_from(">IIBB", body)
            assert depth == 16
            size = height, width, {2: 3, 6: 4}[colour]
        data += body if kind == b"IDAT" else b""
        place += length + 12
    height, width, channels = size
    rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, -1).astype(int)
    step, before = 2 * channels, np.zeros(rows.shape[1] - 1, int)
    found = []
    for filtered in rows:
        kind, row = filtered[0], filtered[1:].copy()
        for i in range(len(row)):
            left = row[i - step] if i >= step else 0
            corner = before[i - step] if i >= step else 0
            up = before[i]
            guess = left + up - corner
            nearest = min((left, up, corner), key=lambda each: abs(guess - each))
            row[i] = (row[i] + (0, left, up, (left + up) // 2, nearest)[kind]) % 256
        found.append(row)
        before = row
    values = np.array(found).reshape(height, width, channels, 2)
    return values[..., 0] * 256 + values[..., 1]


@pytest.mark.parametrize("channels", [3, 4])
def test_png_of_16_bits_holds_every_step_and_the_workflow(ctx, files, channels):
    given = images(channels=channels)
    [path] = saved(ctx, files, given, format="png", bit_depth="16-bit", input_color_space="sRGB")
    assert np.abs(deep_png(path) / 65535 - given[0].numpy()).max() <= 0.5 / 65535 + 1e-7
    found = read_embedded(path)
    assert found.prompt == PROMPT
    assert found.workflow == EXTRA["workflow"]
    Image.open(path).verify()


@pytest.mark.parametrize(
    ("chosen", "suffix", "most"),
    [
        ({"format": "png", "bit_depth": "8-bit", "input_color_space": "sRGB"}, ".png", 0.003),
        ({"format": "webp", "quality": 90, "lossless": True}, ".webp", 0.003),
        ({"format": "webp", "quality": 90, "lossless": False}, ".webp", 0.3),
        ({"format": "jpeg", "quality": 95}, ".jpg", 0.3),
        ({"format": "avif", "quality": 90}, ".avif", 0.3),
        ({"format": "tiff", "bit_depth": "16-bit", "input_color_space": "sRGB"}, ".tiff", 0.01),
    ],
)
def test_every_format_is_read_by_others(ctx, files, chosen, suffix, most):
    given = images(2)
    paths = saved(ctx, files, given, **chosen)
    assert [path.name for path in paths] == [f"a_00001_{suffix}", f"a_00002_{suffix}"]
    for path, image in zip(paths, given, strict=True):
        if suffix == ".tiff":  # Pillow reads no colours of 16 bits
            with av.open(str(path)) as file:
                found = next(file.decode(video=0)).to_ndarray() / 65535
        else:
            with Image.open(path) as picture:
                found = np.asarray(picture.convert("RGB")) / 255
        assert np.abs(found - image.numpy()).mean() < most
        if suffix in (".png", ".webp", ".jpg"):
            assert read_embedded(path).prompt == PROMPT


def test_openexr_holds_linear_light_and_values_beyond_one(ctx, files):
    given = images() * 3 - 0.5
    [path] = saved(
        ctx, files, given, format="exr", bit_depth="32-bit float", input_color_space="linear"
    )
    with av.open(str(path)) as file:
        found = next(file.decode(video=0)).to_ndarray()
    assert np.abs(found - given[0].numpy()).max() < 1e-6
    *_, path = saved(
        ctx, files, images(), format="exr", bit_depth="32-bit float", input_color_space="sRGB"
    )
    with av.open(str(path)) as file:
        found = next(file.decode(video=0)).to_ndarray()
    assert np.abs(found - linear(images()[0]).numpy()).max() < 1e-5


def test_linear_light_becomes_srgb_in_png(ctx, files):
    grey = torch.full((1, 8, 8, 3), 0.2140)
    [path] = saved(ctx, files, grey, format="png", bit_depth="8-bit", input_color_space="linear")
    assert abs(np.asarray(Image.open(path))[0, 0, 0] - 127.5) <= 1
    values = torch.linspace(0, 1, 50).reshape(1, 50, 1).repeat(1, 1, 4)
    assert torch.allclose(encoded(linear(values)), values, atol=1e-6)
    assert torch.equal(linear(values)[..., 3], values[..., 3])


def test_no_images_are_told(ctx):
    with pytest.raises(NodeError, match="no images in the batch"):
        save_image_advanced(torch.zeros(0, 8, 8, 3), ctx, "a", format={"format": "png"})


def test_a_text_is_saved_shown_and_handed_on(ctx, files):
    assert save_text("größer\n{}", ctx, "notes/a", "md") == "größer\n{}"
    [shown] = ctx.shown["files"]
    path = files.folders("output")[0] / "notes" / shown["filename"]
    assert path.suffix == ".md"
    assert path.read_text(encoding="utf-8") == "größer\n{}"
    assert json.loads(json.dumps(ctx.shown["text"])) == ["größer\n{}"]
