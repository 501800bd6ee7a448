"""Files of sound, against waves whose values are known and against Python's reader of WAV."""

import io
import math
import wave

import numpy as np
import pytest
import torch

from engine.audiovisual.sound import FORMATS, read_sound, resampled, sound_bytes
from engine.audiovisual.video_reader import read_documents
from engine.decoding import containers
from engine.errors import MediaError


def tone(hertz, rate, seconds=0.5, channels=2):
    moments = torch.arange(int(rate * seconds), dtype=torch.float64) / rate
    return torch.stack(
        [0.7 * torch.sin(2 * math.pi * hertz * (1 + c) * moments) for c in range(channels)]
    ).float()


def strays(found, expected, skip=2500):
    """Relative L2 away from the beginning and end, where codecs fade."""
    length = min(found.shape[-1], expected.shape[-1])
    found, expected = found[..., skip : length - skip], expected[..., skip : length - skip]
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize(
    ("form", "quality", "most"),
    [
        ("flac", None, 1e-4),
        ("wav", None, 1e-4),
        ("mp3", "V0", 5e-3),
        ("mp3", "320k", 5e-3),
        ("opus", "320k", 3e-2),
        ("m4a", "256k", 3e-2),
    ],
)
def test_what_is_written_is_read(form, quality, most):
    rate = 48_000
    sound = tone(440, rate)
    content = sound_bytes(sound, rate, form, quality=quality, texts={"prompt": '{"1": {}}'})
    found = read_sound(io.BytesIO(content))
    assert found["sample_rate"] == rate
    assert found["waveform"].shape == (1, 2, len(sound[0]))
    assert strays(found["waveform"][0], sound) < most
    if form != "wav":
        assert read_documents(io.BytesIO(content))["prompt"] == {"1": {}}


def test_python_reads_the_wav_too():
    sound = tone(440, 22_050)
    with wave.open(io.BytesIO(sound_bytes(sound, 22_050))) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 22_050)
        levels = np.frombuffer(file.readframes(1 << 20), "<i2").reshape(-1, 2).T / 32768
    assert np.abs(levels - sound.numpy()).max() <= 0.5 / 32768 + 1e-7


def test_a_format_gets_the_rate_and_channels_that_it_has():
    content = sound_bytes(tone(440, 44_100), 44_100, "opus")
    found = read_sound(io.BytesIO(content))
    assert found["sample_rate"] == 48_000
    assert strays(found["waveform"][0], tone(440, 48_000)) < 5e-2
    content = sound_bytes(tone(220, 48_000, channels=5), 48_000, "mp3")
    assert read_sound(io.BytesIO(content))["waveform"].shape[1] == 2


@pytest.mark.parametrize(("rate", "to"), [(44_100, 48_000), (48_000, 16_000), (8_000, 44_100)])
def test_another_rate_is_the_same_wave(rate, to):
    found = resampled(tone(440, rate)[None], rate, to)[0]
    assert abs(found.shape[-1] - to // 2) <= 64
    assert strays(found, tone(440, to), skip=1000) < 2e-3


def test_a_part_begins_and_ends_at_its_samples():
    rate = 48_000
    sound = tone(440, rate, seconds=2.0)
    for form in ("flac", "mp3", "opus", "m4a"):
        content = io.BytesIO(sound_bytes(sound, rate, form))
        found = read_sound(content, start=0.75, duration=0.5)["waveform"][0]
        first = round(0.75 * rate)
        assert found.shape[1] == round(1.25 * rate) - first
        assert strays(found, sound[:, first : first + found.shape[1]], skip=0) < 4e-2


def test_a_playlist_is_no_sound_whatever_it_names(tmp_path):
    (tmp_path / "inner.wav").write_bytes(sound_bytes(tone(440, 8_000), 8_000))
    texts = {
        "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\ninner.wav\n#EXT-X-ENDLIST\n",
        "list.txt": "ffconcat version 1.0\nfile inner.wav\n",
        "list.wav": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(MediaError, match=f"{name}: no video or sound that can be read"):
            read_sound(path, name=name)


@pytest.mark.parametrize("kept", [0, 10, 500])
def test_a_damaged_file_is_told(kept):
    content = sound_bytes(tone(440, 44_100), 44_100, "flac")[:kept] + bytes(100)
    with pytest.raises(MediaError, match="no video or sound that can be read"):
        read_sound(io.BytesIO(content))


def test_a_sound_that_does_not_fit_is_refused_before_it_is_read(monkeypatch):
    content = io.BytesIO(sound_bytes(tone(440, 44_100), 44_100, "flac"))
    monkeypatch.setattr(containers, "available_memory", lambda: 200_000)
    with pytest.raises(MediaError, match=r"takes 0.0 GB of memory, and 0.0 GB are free"):
        read_sound(content)


def test_a_quality_that_is_not_there_is_named():
    with pytest.raises(MediaError, match="quality '64k' was requested; mp3 has V0, 128k, 320k"):
        sound_bytes(tone(440, 44_100), 44_100, "mp3", quality="64k")


def test_every_format_has_an_encoder_here():
    import av

    assert {form.codec for form in FORMATS.values()} <= av.codecs_available


def test_a_wav_of_an_unknown_kind_is_told():
    content = bytearray(sound_bytes(torch.zeros(1, 4410), 44_100))
    content[20:22] = (0x7777).to_bytes(2, "little")  # its codec, in the chunk `fmt `
    with pytest.raises(MediaError, match="cannot be decoded"):
        read_sound(io.BytesIO(bytes(content)))
