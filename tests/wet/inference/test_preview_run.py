"""Previews of a run: by which means, how often, how large, and that no fault of theirs ends it."""

from __future__ import annotations

import io
import logging
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from engine.families.latent_format import LatentFormat
from engine.inference import preview_run
from engine.inference.load import load_tiny_vae
from engine.inference.preview import preview
from engine.inference.preview_run import SHARE, Allowance, previews
from engine.inference.vae import decode
from engine.residency.manager import DeviceResidency, installed

FACTORS = ((0.5, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.5), (0.1, 0.1, 0.1))
FORM = LatentFormat(4, (8, 8), 0.18215, rgb_factors=FACTORS, tiny="taesd")
MODEL = SimpleNamespace(latent=FORM)


class Clock:
    """A clock that moves only when a test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def decoder(tmp_path, write_tiny):
    return write_tiny(tmp_path)[0]


def opened(jpeg):
    return Image.open(io.BytesIO(jpeg))


def shown(method, files=(), *, latent=None, model=MODEL, steps=1, seconds=60.0, takes=0.0):
    """The previews of a run whose steps take so long."""
    latent = torch.randn(1, 4, 16, 24, generator=torch.Generator().manual_seed(2)) * 0.2
    clock = Clock()
    found = []
    with previews(model, latent.shape, method, lambda name: files, clock=clock) as show:
        for _ in range(steps):
            clock.now += seconds
            found.append(show(latent))
            clock.now += takes
    return latent, found


def test_none_makes_none(cpu_residency):
    assert shown("none", steps=3)[1] == [None] * 3


@pytest.mark.parametrize(("method", "is_there"), [("auto", False), ("latent2rgb", True)])
def test_the_linear_map(cpu_residency, decoder, method, is_there, caplog):
    latent, found = shown(method, [decoder] if is_there else [])
    assert found == [preview(latent, FORM)]
    assert not caplog.records


@pytest.mark.parametrize("method", ["auto", "taesd"])
def test_the_tiny_autoencoder_decodes_where_it_has_a_file(
    cpu_residency, decoder, monkeypatch, method
):
    monkeypatch.setattr(preview_run, "POOLED", (1,))
    latent, (jpeg,) = shown(method, [decoder])
    picture = opened(jpeg)
    assert picture.size == (192, 128)
    whole = decode(load_tiny_vae("taesd", [decoder]), latent / 0.18215)[0]
    expected = opened(preview_run.jpeg(whole * 2 - 1, (16, 24), 8))
    strays = np.asarray(picture, dtype=float) - np.asarray(expected, dtype=float)
    assert np.abs(strays).mean() < 1.0  # of 255, rounding
    assert float(whole.std()) > 0.02


def test_its_weights_are_on_the_device_during_the_run_and_count(cpu_residency, decoder):
    latent = torch.zeros(1, 4, 8, 8)
    with previews(MODEL, latent.shape, "taesd", lambda name: [decoder]):
        assert [each.name for each in cpu_residency._loaded] == [
            "taesd_decoder.safetensors, autoencoder"
        ]
        assert cpu_residency.release(1 << 40) == 0  # it is in use
        assert cpu_residency._loaded


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda path: path.write_bytes(b"no weights at all"), r"taesd_decoder.* not weights"),
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), "taesd_decoder"),
        (lambda path: save_file({"lora_up.weight": torch.ones(1)}, path), "not a tiny"),
        ("sixteen channels", "decodes latents of 16 channels"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence_and_the_linear_map(
    cpu_residency, decoder, write_tiny, caplog, change, says
):
    if change == "sixteen channels":
        write_tiny(decoder.parent, channels=16)
    else:
        change(decoder)
    with caplog.at_level(logging.WARNING):
        latent, found = shown("taesd", [decoder], steps=3)
    assert found == [preview(latent, FORM)] * 3
    (record,) = caplog.records
    assert re.search(says, record.getMessage())
    assert record.getMessage().endswith("the linear map is used instead")


def test_without_a_file_too(cpu_residency, caplog):
    with caplog.at_level(logging.WARNING):
        latent, found = shown("taesd", [])
    assert found == [preview(latent, FORM)]
    assert "there is no taesd_decoder in vae_approx/" in caplog.text


def test_a_model_of_unknown_latents_says_nothing(cpu_residency, decoder, caplog):
    form = LatentFormat(4, (8, 8), rgb_factors=FACTORS)
    latent, found = shown("taesd", [decoder], model=SimpleNamespace(latent=form))
    assert found == [preview(latent, form)]
    assert not caplog.records


def test_a_decoder_that_fails_in_the_middle_does_not_end_the_run(
    cpu_residency, decoder, caplog, monkeypatch
):
    def fail(*_):
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(preview_run, "jpeg", fail)
    with caplog.at_level(logging.WARNING):
        latent, found = shown("taesd", [decoder], steps=3)
    assert found == [None, *[preview(latent, FORM)] * 2]
    assert [record.getMessage() for record in caplog.records] == [
        "previews: no memory; the linear map is used instead"
    ]


def test_too_little_memory_is_no_reason_to_stop(decoder, caplog):
    residency = DeviceResidency(torch.device("cpu"), torch.float32, budget=100_000)
    with installed(residency), caplog.at_level(logging.WARNING):
        latent, found = shown("taesd", [decoder])
    assert found == [preview(latent, FORM)]
    assert "not enough memory" in caplog.text


def test_previews_take_a_share_of_the_time():
    clock = Clock()
    allowance = Allowance(clock)
    cost, made = 0.05, 0

    def make():
        clock.now += cost

    for _ in range(1000):
        clock.now += 0.1
        if allowance.permits(cost):
            allowance.spend(make)
            made += 1
    spent, whole = made * cost, clock.now - 100.0
    assert SHARE * 0.9 < spent / whole <= SHARE


def test_two_previews_are_a_tenth_of_a_second_apart():
    clock = Clock()
    allowance = Allowance(clock)
    clock.now += 1000.0
    made = 0
    for _ in range(100):
        clock.now += 0.01
        if allowance.permits(0.0):
            allowance.spend(lambda: None)
            made += 1
    assert 9 <= made <= 11


def test_a_slow_device_gets_smaller_pictures(cpu_residency, decoder, monkeypatch):
    """The first preview is small and measures; the next is as large as the time allows."""
    latent = torch.zeros(1, 4, 64, 64)
    sides, clock = [], Clock()
    per_cell = {"seconds": 0.0}

    class Watched(preview_run._TinyDecoder):
        def decode(self, denoised):
            sides.append(self._chosen[0])
            clock.now += per_cell["seconds"] * self._chosen[1]
            return b""

    monkeypatch.setattr(preview_run, "_TinyDecoder", Watched)
    for seconds, expected in ((1e-6, [4, 1]), (1e-4, [4, 2]), (1e-3, [4, 4])):
        sides.clear()
        per_cell["seconds"] = seconds
        with previews(MODEL, latent.shape, "taesd", lambda name: [decoder], clock=clock) as show:
            for _ in range(2):
                clock.now += 100.0
                show(latent)
        assert sides == expected


@pytest.mark.parametrize(("cells", "size"), [((200, 100), (256, 512)), ((1, 1), (8, 8))])
def test_no_preview_is_larger_than_512_pixels(cpu_residency, decoder, cells, size):
    latent = torch.zeros(1, 4, *cells)
    clock = Clock()
    with previews(MODEL, latent.shape, "taesd", lambda name: [decoder], clock=clock) as show:
        for _ in range(2):
            clock.now += 1000.0
            jpeg = show(latent)
    assert opened(jpeg).size == size
