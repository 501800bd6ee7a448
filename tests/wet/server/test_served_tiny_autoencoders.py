"""A tiny autoencoder through the HTTP API: as a choice of Load VAE, and for previews."""

import io
import struct

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def models(small_models, write_tiny):
    return write_tiny(small_models / "vae_approx")


def picture_of(binary):
    """The JPEG of a frame with metadata."""
    kind, size = struct.unpack(">II", binary[:8])
    assert kind == 4
    return np.asarray(Image.open(io.BytesIO(binary[8 + size :])), dtype=float)


def test_it_decodes_and_encodes_as_a_vae(models, server, real):
    drawn = {"width": 64, "height": 64, "batch_size": 1, "color": 0x3060C0}
    prompt = {
        "1": {"class_type": "VAELoader", "inputs": {"vae_name": "taesd"}},
        "2": {"class_type": "EmptyImage", "inputs": drawn},
        "3": {"class_type": "VAEEncode", "inputs": {"pixels": ["2", 0], "vae": ["1", 0]}},
        "4": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["1", 0]}},
        "5": {"class_type": "SaveImage", "inputs": {"images": ["4", 0], "filename_prefix": "t"}},
    }

    async def scenario(browser):
        info = await browser.get("object_info/VAELoader")
        entry = await browser.ended(await browser.queue(prompt))
        return info["VAELoader"]["input"]["required"]["vae_name"][0], entry

    choices, entry = real.with_browser(server, scenario)
    assert choices == ["taesd", "pixel_space"]
    assert entry["status"]["status_str"] == "success", entry["status"]
    (shown,) = entry["outputs"]["5"]["images"]
    with Image.open(server.user / "output" / shown["filename"]) as picture:
        assert picture.size == (64, 64)


def test_previews_are_decoded_by_it(models, server, real):
    async def scenario(browser, method):
        browser.heard.clear()
        name = await browser.queue(real.endless(), extra_data={"preview_method": method})
        while not any(kind == "binary" for kind, _ in browser.heard):
            await browser.hear("progress", node="4")
        await browser.post("interrupt", prompt_id=name)
        await browser.hear("execution_interrupted", seconds=20)
        return picture_of(next(data for kind, data in browser.heard if kind == "binary"))

    async def both(browser):
        return [await scenario(browser, method) for method in ("latent2rgb", "taesd")]

    linear, decoded = real.with_browser(server, both)
    assert linear.shape == decoded.shape == (64, 64, 3)

    # The linear map has one colour for a cell of eight pixels, enlarged smoothly.
    def detail(picture):
        return np.abs(np.diff(picture.mean(-1), axis=1)).mean() / picture.std()

    assert detail(decoded) > 2 * detail(linear)


def test_without_a_method_there_are_none(models, server, real):
    async def scenario(browser):
        browser.heard.clear()
        prompt = real.endless(steps=30, seed=2)
        entry = await browser.ended(await browser.queue(prompt))
        return entry, [kind for kind, _ in browser.heard if kind == "binary"]

    entry, previews = real.with_browser(server, scenario)
    assert entry["status"]["status_str"] == "success"
    assert previews == []
