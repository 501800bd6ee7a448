"""Frames in the modes that nodes and viewers need."""

import pytest
from PIL import Image

from engine.media.modes import alpha, rgb, rgba, visible

RED, GREEN = (255, 0, 0), (0, 255, 0)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "RGBX", "LA", "PA", "La", "RGBa"])
def test_every_colour_mode_becomes_rgb(mode: str):
    between = "LA" if mode == "La" else "RGBA" if mode in ("RGBa", "PA") else "RGB"
    white = Image.new("RGB", (3, 2), (255, 255, 255)).convert(between).convert(mode)
    assert (rgb(white).mode, rgb(white).getpixel((1, 1))) == ("RGB", (255, 255, 255))
    assert rgba(white).getpixel((1, 1)) == (255, 255, 255, 255)
    assert visible(white).convert("RGB").getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "F"])
def test_deep_grey_is_cut_off_for_nodes_and_scaled_for_the_eye(mode: str):
    deep = Image.new(mode, (2, 1))
    most = 1.0 if mode == "F" else 65535
    deep.putpixel((0, 0), most * 0.2 if mode == "F" else int(most * 0.2))
    deep.putpixel((1, 0), most)
    assert [visible(deep).getpixel((x, 0))[0] for x in (0, 1)] == [51, 255]
    expected = [0, 1] if mode == "F" else [255, 255]
    assert [rgb(deep).getpixel((x, 0))[0] for x in (0, 1)] == expected
    assert [rgba(deep).getpixel((x, 0))[0] for x in (0, 1)] == expected


def test_whole_numbers_of_32_bits_hold_16():
    deep = Image.new("I", (3, 1))
    for x, value in enumerate((0, 51 * 255, 65535)):
        deep.putpixel((x, 0), value)
    for read in (rgb, rgba, visible):
        assert [read(deep).getpixel((x, 0))[0] for x in range(3)] == pytest.approx(
            [0, 51, 255], abs=1
        )


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_a_channel_of_alpha(mode: str):
    picture = Image.new("RGBA", (1, 1), (9, 9, 9, 51)).convert(mode)
    found = alpha(picture)
    assert found is not None
    assert found.getpixel((0, 0)) == 51
    assert visible(picture).mode == "RGBA"


def test_a_palette_s_transparency_is_alpha_and_another_colour_s_only_for_the_eye():
    palette = Image.new("P", (2, 1))
    palette.putpalette([*RED, *GREEN])
    palette.putpixel((1, 0), 1)
    for said in (1, bytes([255, 0])):
        palette.info["transparency"] = said
        opaque = alpha(palette)
        assert opaque is not None
        assert [opaque.getpixel((x, 0)) for x in (0, 1)] == [255, 0]
        assert [rgb(palette).getpixel((x, 0)) for x in (0, 1)] == [RED, GREEN]
        assert visible(palette).getpixel((1, 0)) == (*GREEN, 0)
    plain = Image.new("RGB", (1, 1), RED)
    plain.info["transparency"] = RED
    assert alpha(plain) is None
    assert rgba(plain).getpixel((0, 0)) == visible(plain).getpixel((0, 0)) == (*RED, 0)
