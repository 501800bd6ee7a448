"""The user comment of EXIF, where A1111 and its kin write into JPEG, WebP and PNG."""

from pathlib import Path

import pytest
from PIL import Image

from engine.media.metadata import read_texts

TEXT = "ein Fuchs, très net\nNegative prompt: 狐\nSteps: 4, Sampler: Euler, Seed: 3"
_SOFTWARE, _EXIF_DIRECTORY, _USER_COMMENT = 0x131, 0x8769, 0x9286


def saved(path: Path, comment: bytes) -> Path:
    exif = Image.Exif()
    exif[_SOFTWARE] = "test"
    exif.get_ifd(_EXIF_DIRECTORY)[_USER_COMMENT] = comment
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("ending", ["jpg", "webp", "png"])
@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + TEXT.encode("utf-16-be"),
        b"UNICODE\0" + TEXT.encode("utf-16-le"),
        b"\0" * 8 + TEXT.encode(),
        b"ASCII\0\0\0" + TEXT.encode() + b"\0",
    ],
)
def test_it_is_read_in_every_form(tmp_path: Path, ending: str, comment: bytes):
    assert read_texts(saved(tmp_path / f"x.{ending}", comment)) == {"parameters": TEXT}


def test_an_empty_comment_is_none(tmp_path: Path):
    assert read_texts(saved(tmp_path / "x.jpg", b"ASCII\0\0\0")) == {}
