"""The folders: listing, finding, naming, and staying inside."""

import os
import re
import shutil
import threading
import time
from pathlib import Path

import pytest

from engine.errors import FilesError
from engine.files import VAE_CHOICES, Files, file_identity
from engine.paths import split_annotation
from engine.settings import Settings


def test_lists_weights_below_all_folders_and_nothing_else(tmp_path: Path):
    for name in (
        "a/checkpoints/one.safetensors",
        "a/checkpoints/deep/two.ckpt",
        "b/checkpoints/one.safetensors",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a/checkpoints/notes.txt").write_text("no weights")
    (tmp_path / "a/checkpoints/.hidden.safetensors").write_text("hidden")
    files = Files(Settings(models_directories=(tmp_path / "a", tmp_path / "b")))
    assert files.list("checkpoints") == ["one.safetensors", "deep/two.ckpt"]
    assert files.find("checkpoints", "one.safetensors") == (
        tmp_path / "a/checkpoints/one.safetensors"
    )


def test_a_folder_that_links_to_itself_is_listed_once(tmp_path: Path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "one.safetensors").write_bytes(b"x")
    (folder / "again").symlink_to(folder)
    assert Files(Settings(models_directories=(tmp_path,))).list("checkpoints") == [
        "one.safetensors"
    ]


def test_a_missing_file_is_named_with_the_closest_one(files: Files, settings: Settings):
    folder = settings.models_directories[0] / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "landscape-v2.safetensors").write_bytes(b"x")
    with pytest.raises(FilesError, match=r"landscape-v1\.safetensors.*did you mean.*landscape-v2"):
        files.find("checkpoints", "landscape-v1.safetensors")


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "a/../../b", "..\\secret", "C:\\x", "a\0b"]
)
def test_no_name_leads_out_of_a_folder(files: Files, name: str):
    with pytest.raises(FilesError, match="leads out"):
        files.find("input", name)
    with pytest.raises(FilesError, match="leads out"):
        files.new_output(name + "/x", ".png")


def test_a_suffix_chooses_the_folder(files: Files, settings: Settings):
    (settings.output_directory / "x.png").write_bytes(b"x")
    assert files.find_annotated("x.png [output]") == settings.output_directory / "x.png"
    with pytest.raises(FilesError):
        files.find_annotated("x.png")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.png [output]", ("x.png", "output")),
        ("x.png[temp]", ("x.png", "temp")),
        ("sub/x y.png  [input]", ("sub/x y.png", "input")),
        ("x [output].png", ("x [output].png", None)),
        ("x.png [elsewhere]", ("x.png [elsewhere]", None)),
        ("[output]", ("", "output")),
        ("a\nb [temp]", ("a\nb", "temp")),
        ("x.png [input] [output]", ("x.png [input]", "output")),
    ],
)
def test_the_place_behind_a_name_is_read_by_one_reader(name, expected):
    assert split_annotation(name) == expected


def test_a_name_of_a_million_spaces_is_read_at_once():
    name = "x" + " " * 1_000_000
    assert split_annotation(name) == (name, None)
    assert split_annotation(name + "[temp]") == ("x", "temp")
    assert split_annotation(name + "x [temp") == (name + "x [temp", None)


def test_a_name_that_is_too_long_names_no_file(files: Files):
    assert files.locate("input", "x" * 5000) is None
    with pytest.raises(FilesError, match="there is no file"):
        files.find("input", "x" * 5000)


def test_numbers_go_on_after_the_highest(files: Files, settings: Settings):
    (settings.output_directory / "picture_00041_.png").write_bytes(b"x")
    (settings.output_directory / "picture_other_00099_.png").write_bytes(b"x")
    assert files.new_output("picture", ".png").filename == "picture_00042_.png"
    assert files.new_output("picture", ".png").filename == "picture_00043_.png"


def test_a_folder_is_not_read_for_every_picture(files: Files, settings: Settings):
    (settings.output_directory / "picture_00041_.png").write_bytes(b"x")
    assert files.new_output("picture", ".png").filename == "picture_00042_.png"
    reads: list[Path] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "iterdir", lambda folder: reads.append(folder) or iter(()))
        assert files.new_output("picture", ".png").filename == "picture_00043_.png"
        assert files.new_output("preview", ".png", place="temp").filename == "preview_00001_.png"
    assert not reads


def test_numbers_go_on_after_those_that_another_process_took(files: Files, settings: Settings):
    assert files.new_output("picture", ".png").filename == "picture_00001_.png"
    for number in range(2, 30):
        (settings.output_directory / f"picture_{number:05}_.png").write_bytes(b"x")
    assert files.new_output("picture", ".png").filename == "picture_00030_.png"
    (settings.temp_directory / "preview_00001_.png").write_bytes(b"x")
    assert files.new_output("preview", ".png", place="temp").filename == "preview_00002_.png"


def test_a_prefix_may_name_a_subfolder_and_a_date(files: Files, settings: Settings):
    new = files.new_output("days/%date:yyyy-MM-dd%/w%width%h%height%", ".png", width=64, height=32)
    assert re.fullmatch(r"days/\d{4}-\d\d-\d\d", new.subfolder)
    assert new.filename == "w64h32_00001_.png"
    assert new.path == settings.output_directory / new.subfolder / new.filename


@pytest.mark.parametrize(
    "other",
    [
        "usr_20240101.png",
        "usr_20240101_beach.png",
        "usr_7_.png",
        "usr_00041_edited.png",
        "usr_\uff10\uff10\uff10\uff10\uff19_.png",
        "usr_99999999999999999999_.png",
    ],
)
def test_only_numbers_of_our_own_form_count(files: Files, settings: Settings, other: str):
    (settings.output_directory / other).write_bytes(b"x")
    assert files.new_output("usr", ".png").filename == "usr_00001_.png"


@pytest.mark.parametrize("suffix", [".png", ".latent"])
@pytest.mark.parametrize("prefix", ["a" * 250, "名" * 90, "é" * 5000, "x" * 300 + "/" + "y" * 300])
def test_a_name_that_is_too_long_is_cut(files: Files, prefix: str, suffix: str):
    for number in (1, 2):
        new = files.new_output(prefix, suffix)
        files.write(new, b"content")
        assert new.path.read_bytes() == b"content"
        assert new.filename.endswith(f"_{number:05}_{suffix}")
        assert len(new.filename.encode()) > 240
        assert new.filename[:60] in prefix


@pytest.mark.parametrize("prefix", ["/abs", "../x", "a/../../x", "a:b/c", "\\x", "x\0y", "..\\x"])
def test_a_prefix_that_leads_out_is_refused_in_words(files: Files, prefix: str):
    with pytest.raises(FilesError, match="leads out of the output folder; name a folder inside"):
        files.new_output(prefix, ".png")


def test_dates_are_written_with_one_letter_or_two(files: Files, monkeypatch: pytest.MonkeyPatch):
    now = time.struct_time((2026, 3, 9, 8, 5, 7, 0, 68, 0))
    monkeypatch.setattr("engine.prefixes.time.localtime", lambda: now)
    for text, expected in (
        ("%date:yyyy-M-d h.m.s%", "2026-3-9 8.5.7"),
        ("%date:yy-MM-dd hh.mm.ss%", "26-03-09 08.05.07"),
        ("%date%_%hour%%minute%%second%", "2026-03-09_080507"),
        ("%year%%month%%day%", "20260309"),
        ("%date:yyy%", "yyy"),
    ):
        assert files.new_output(text, ".png").filename == f"{expected}_00001_.png"


def test_a_shown_file_is_there_or_not(files: Files, settings: Settings):
    new = files.new_output("sub/x", ".png")
    assert files.has_shown(new.shown())
    new.path.unlink()
    assert not files.has_shown(new.shown())
    for other in (
        {},
        {"filename": 5},
        {"filename": "../../etc/nothing", "type": "output"},
        {"filename": "x", "type": "elsewhere"},
        {"text": "x"},
    ):
        assert files.has_shown(other)


def test_two_writers_never_get_the_same_name(files: Files):
    names: list[str] = []

    def claim() -> None:
        names.extend(files.new_output("same", ".png").filename for _ in range(25))

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 100


def test_writing_is_whole_or_not_at_all(files: Files, monkeypatch: pytest.MonkeyPatch):
    new = files.new_output("whole", ".bin")
    files.write(new, b"content")
    assert new.path.read_bytes() == b"content"
    broken = files.new_output("broken", ".bin")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FilesError, match="the disk is full"):
        files.write(broken, b"content")
    assert not broken.path.exists()
    assert [path.name for path in new.path.parent.iterdir()] == [new.filename]


def test_identity_changes_with_content_time(tmp_path: Path):
    path = tmp_path / "x"
    path.write_bytes(b"one")
    before = file_identity(path)
    path.write_bytes(b"longer")
    assert file_identity(path) != before


def test_identity_changes_with_what_a_copy_keeps(tmp_path: Path):
    """`cp -p` preserves the time; both files may have the same size."""
    path, other = tmp_path / "x", tmp_path / "y"
    for each, content in ((path, b"one"), (other, b"two")):
        each.write_bytes(content)
        os.utime(each, ns=(10**18, 10**18))
    before = file_identity(path)
    shutil.copy2(other, path)
    assert path.stat().st_mtime_ns == 10**18
    assert file_identity(path) != before


def test_a_large_file_is_told_apart_without_reading_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "large"
    path.write_bytes(b"x" * (2 << 20))
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("it was read"))
    before = file_identity(path)
    path.write_bytes(b"y" * (2 << 20))
    os.utime(path, ns=(before[1], before[1]))
    assert file_identity(path) != before


def test_the_choices_of_an_autoencoder_are_files_and_whole_tiny_autoencoders(
    files: Files, settings: Settings
):
    models = settings.models_directories[0]
    names = (
        "vae/own.safetensors",
        "vae_approx/taesd_decoder.pth",
        "vae_approx/taesd_encoder.pth",
        "vae_approx/taesdxl_decoder.safetensors",  # no encoder
        "vae_approx/deep/TAEF1.safetensors",  # both halves
        "vae_approx/vaeapp_sd15.pth",
    )
    for name in names:
        (models / name).parent.mkdir(parents=True, exist_ok=True)
        (models / name).write_bytes(b"x")
    assert files.list(VAE_CHOICES) == ["own.safetensors", "taesd", "taef1"]
    assert all(files.has(VAE_CHOICES, name) for name in files.list(VAE_CHOICES))
    assert not files.has(VAE_CHOICES, "taesd3")
    assert files.folders(VAE_CHOICES) == (*files.folders("vae"), *files.folders("vae_approx"))
    found = [path.name for path in files.tiny_autoencoder("taesd")]
    assert found == ["taesd_decoder.pth", "taesd_encoder.pth"]
    assert [path.name for path in files.tiny_autoencoder("taesdxl")] == [
        "taesdxl_decoder.safetensors"
    ]
    assert [path.name for path in files.tiny_autoencoder("taef1")] == ["TAEF1.safetensors"]
    assert files.tiny_autoencoder("taesd3") == []
