"""Workflows of pictures, films and sound through the HTTP API: files in, files out."""

import io
import json
import urllib.request
import uuid
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from PIL import Image

from engine.audiovisual.sound import read_sound
from engine.audiovisual.video import VideoComponents, VideoFromComponents, VideoFromFile
from engine.audiovisual.video_reader import read_documents


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def upload(server, name, content):
    boundary = uuid.uuid4().hex
    head = f'Content-Disposition: form-data; name="image"; filename="{name}"'
    begin, end = f"--{boundary}\r\n{head}\r\n\r\n", f"\r\n--{boundary}--\r\n"
    request = urllib.request.Request(
        f"{server.address}upload/image",
        begin.encode() + content + end.encode(),
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())["name"]


def run(server, real, prompt):
    async def scenario(browser):
        await browser.worker_ready()
        return await browser.ended(await browser.queue(prompt))

    entry = real.with_browser(server, scenario)
    assert entry["status"]["status_str"] == "success", entry["status"]
    return entry["outputs"]


def files_of(server, shown):
    return [server.user / "output" / each["subfolder"] / each["filename"] for each in shown]


def ramp():
    """A picture of 64 x 48 whose red rises to the right, with a transparent left half."""
    values = np.zeros((48, 64, 4), np.uint8)
    values[..., 0] = np.arange(64) * 4
    values[..., 2] = 200
    values[:, 32:, 3] = 255
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


DEEP = [
    ({"format": "png", "bit_depth": "16-bit", "input_color_space": "sRGB"}, ".png"),
    ({"format": "webp", "quality": 90, "lossless": True}, ".webp"),
    ({"format": "avif", "quality": 95}, ".avif"),
    ({"format": "exr", "bit_depth": "16-bit float", "input_color_space": "linear"}, ".exr"),
]


def dotted(chosen):
    """The values of a choice with fields as prompts have them."""
    fields = {f"format.{key}": value for key, value in chosen.items() if key != "format"}
    return {"format": chosen["format"], **fields}


@pytest.mark.parametrize(("chosen", "suffix"), DEEP)
def test_a_picture_is_loaded_resized_masked_and_saved(server, real, chosen, suffix):
    name = upload(server, "ramp.png", ramp())
    prompt = {
        "load": node("LoadImage", image=name),
        "large": node("ImageScale", image=["load", 0], upscale_method="bilinear", width=128,
                      height=96, crop="disabled"),
        "grown": node("GrowMask", mask=["load", 1], expand=4, tapered_corners=False),
        "joined": node("JoinImageWithAlpha", image=["large", 0], alpha=["grown", 0]),
        "saved": node("SaveImageAdvanced", images=["joined", 0], filename_prefix="media",
                      **dotted(chosen)),
    }  # fmt: skip
    [path] = files_of(server, run(server, real, prompt)["saved"]["images"])
    assert path.suffix == suffix
    if suffix == ".exr":
        assert path.read_bytes()[:4] == b"\x76\x2f\x31\x01"
        with av.open(str(path)) as container:
            [frame] = list(container.decode(video=0))
            assert (frame.width, frame.height) == (128, 96)
        return
    if suffix == ".png":
        assert path.read_bytes()[24] == 16, "bits of a channel, in the header"
    with Image.open(path) as found:
        assert found.size == (128, 96)
        values = np.asarray(found.convert("RGBA")).astype(int)
        alpha, red = values[..., 3], values[..., 0]
    assert alpha[:, :64].max() <= 2, "the masked half is transparent"
    assert alpha[:, 80:].min() >= 253, "the mask grew by 4 of 64 pixels, 8 of 128"
    seen = red[48, 80:124]
    assert np.abs(seen - (np.arange(80, 124) / 2 - 0.25) * 4).max() <= 6


def spectrum_peak(sound):
    """The frequency in hertz that the first channel has most of."""
    wave = sound["waveform"][0, 0]
    strength = torch.fft.rfft(wave).abs()
    return strength.argmax().item() * sound["sample_rate"] / wave.shape[-1]


def tone(hertz, seconds, rate=44_100):
    """A WAV file of a sine."""
    wave = np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    data = (wave * 16_000).astype("<i2").tobytes()
    head = (
        b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    )
    kind = np.array([1, 1], "<u2").tobytes() + np.array([rate, 2 * rate], "<u4").tobytes()
    kind += np.array([2, 16], "<u2").tobytes()
    return head + kind + b"data" + len(data).to_bytes(4, "little") + data


SAVERS = [
    ("SaveAudio", {}, ".flac", 0.0001),
    ("SaveAudioMP3", {"quality": "320k"}, ".mp3", 0.06),
    ("SaveAudioOpus", {"quality": "192k"}, ".opus", 0.06),
]


@pytest.mark.parametrize(("save", "options", "suffix", "padding"), SAVERS)
def test_sound_is_loaded_trimmed_mixed_and_saved(server, real, save, options, suffix, padding):
    low, high = (upload(server, f"{hertz}.wav", tone(hertz, 2.0)) for hertz in (440, 1760))
    prompt = {
        "low": node("LoadAudio", audio=low),
        "high": node("LoadAudio", audio=high),
        "part": node("TrimAudioDuration", audio=["low", 0], start_index=0.5, duration=1.0),
        "quiet": node("AudioAdjustVolume", audio=["high", 0], volume=-20),
        "mix": node("AudioMerge", audio1=["part", 0], audio2=["quiet", 0], merge_method="add"),
        "saved": node(save, audio=["mix", 0], filename_prefix="media", **options),
    }
    [path] = files_of(server, run(server, real, prompt)["saved"]["audio"])
    assert path.suffix == suffix
    assert read_documents(path)["prompt"] == prompt
    sound = read_sound(path)
    seconds = sound["waveform"].shape[-1] / sound["sample_rate"]
    assert seconds == pytest.approx(1.0, abs=padding)
    assert spectrum_peak(sound) == pytest.approx(440, abs=3)
    wave = sound["waveform"][0, 0]
    strength = torch.fft.rfft(wave).abs() / wave.shape[-1]
    per_hertz = wave.shape[-1] / sound["sample_rate"]
    peaks = [strength[int((hertz - 5) * per_hertz) : int((hertz + 5) * per_hertz)].max().item()
             for hertz in (440, 1760)]  # fmt: skip
    assert 20 * np.log10(peaks[1] / peaks[0]) == pytest.approx(-20, abs=1.5)


def moving_film():
    """Twelve frames of 96 x 64 in which a white bar moves to the right, with a tone of 440 Hz."""
    images = torch.full((12, 64, 96, 3), 0.2)
    for number in range(12):
        images[number, :, number * 8 : number * 8 + 8] = 1.0
    moments = torch.arange(44_100) / 44_100
    wave = 0.25 * torch.sin(2 * np.pi * 440 * moments)
    sound = {"waveform": wave.repeat(1, 2, 1), "sample_rate": 44_100}
    stream = io.BytesIO()
    VideoFromComponents(VideoComponents(images, Fraction(12), sound)).save_to(stream)
    return stream.getvalue()


def test_a_film_is_loaded_marked_slowed_and_saved_with_other_sound(server, real):
    """Decoded, each frame with a picture on it, half as fast, with a second tone, as ProRes."""
    film = upload(server, "moving.mp4", moving_film())
    mark = upload(server, "ramp.png", ramp())
    tune = upload(server, "high.wav", tone(1760, 2.0))
    prompt = {
        "film": node("LoadVideo", file=film),
        "parts": node("GetVideoComponents", video=["film", 0]),
        "mark": node("LoadImage", image=mark),
        "clear": node("InvertMask", mask=["mark", 1]),
        "marked": node("ImageCompositeMasked", destination=["parts", 0], source=["mark", 0],
                       x=32, y=16, resize_source=False, mask=["clear", 0]),
        "half": node("ComfyMathExpression", expression="a / 2", **{"values.a": ["parts", 2]}),
        "tune": node("LoadAudio", audio=tune),
        "quiet": node("AudioAdjustVolume", audio=["tune", 0], volume=-12),
        "mix": node("AudioMerge", audio1=["quiet", 0], audio2=["parts", 1], merge_method="add"),
        "slow": node("CreateVideo", images=["marked", 0], fps=["half", 0], audio=["mix", 0]),
        "saved": node("SaveVideo", video=["slow", 0], filename_prefix="slow", format="mov",
                      codec="prores"),
    }  # fmt: skip
    [path] = files_of(server, run(server, real, prompt)["saved"]["images"])
    assert path.suffix == ".mov"
    assert read_documents(path)["prompt"] == prompt
    video = VideoFromFile(path)
    assert (video.get_frame_rate(), video.get_frame_count()) == (6, 12)
    found = video.get_components()
    for number, frame in enumerate(found.images):
        column = frame[:12].mean((0, 2))  # above the picture that was laid on it
        assert column.argmax().item() in range(number * 8, number * 8 + 8)
        right = frame[40, 66:94]  # the picture's right half, on top of the bar, too
        assert (right[:, 2] - 200 / 255).abs().max() < 0.05
        assert right[-1, 0] - right[0, 0] == pytest.approx(4 * 27 / 255, abs=0.05)
    assert found.audio["waveform"].shape[-1] == pytest.approx(2 * 44_100, abs=2100)
    assert spectrum_peak(found.audio) == pytest.approx(440, abs=2)
    later = {**found.audio, "waveform": found.audio["waveform"][..., 50_000:]}
    assert spectrum_peak(later) == pytest.approx(1760, abs=3), "the first sound ends after 1 s"
