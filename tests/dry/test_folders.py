"""Folders that cannot be used: one sentence at the start that names the flag, never a traceback."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from engine.errors import SettingsError
from engine.files import Files
from engine.folders import prepare_folders
from engine.model_paths import read_model_paths
from engine.settings import ROOT, Settings, settings_from


@pytest.fixture
def user(tmp_path):
    return tmp_path / "user"


def test_what_is_missing_is_made(user):
    settings = settings_from({"user_directory": str(user)})
    assert prepare_folders(settings) == []
    assert settings.output_directory.is_dir()
    assert settings.temp_directory.is_dir()
    assert user.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "name", ["user_directory", "output_directory", "input_directory", "temp_directory"]
)
@pytest.mark.parametrize("how", ["a file", "below a file", "/dev/null/x", "too long"])
def test_a_folder_that_cannot_be(name, how, tmp_path):
    (tmp_path / "file").write_text("x")
    path = {
        "a file": tmp_path / "file",
        "below a file": tmp_path / "file" / "deeper" / "still",
        "/dev/null/x": Path("/dev/null/x"),
        "too long": tmp_path / ("x" * 300),
    }[how]
    flags = {"user_directory": str(tmp_path / "user"), name: str(path)}
    with pytest.raises(SettingsError) as refused:
        prepare_folders(settings_from(flags))
    text = str(refused.value)
    assert text.startswith("--" + name.replace("_", "-"))
    assert str(path) in text
    assert "\n" not in text
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("name", ["", "a\0b", "\udcff", "x" * 5000])
def test_a_path_that_is_none(name, tmp_path, capsys):
    flags = {"user_directory": str(tmp_path / "u"), "output_directory": str(tmp_path) + "/" + name}
    if name == "":
        assert settings_from(flags).output_directory == tmp_path
        return
    with pytest.raises(SettingsError, match=r"^--output-directory"):
        prepare_folders(settings_from(flags))


def refusing(number, folder):
    real = tempfile.TemporaryFile

    def make(*given, dir=None, **named):  # noqa: A002 - its name there
        if dir == folder:
            raise OSError(number, os.strerror(number))
        return real(*given, dir=dir, **named)

    return make


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_folders_that_are_read_only(user, monkeypatch, number):
    settings = settings_from({"user_directory": str(user)})
    for flag, folder in (
        ("--user-directory", settings.user_directory),
        ("--output-directory", settings.output_directory),
        ("--temp-directory", settings.temp_directory),
    ):
        monkeypatch.setattr(tempfile, "TemporaryFile", refusing(number, folder))
        with pytest.raises(SettingsError, match=rf"{flag} .* cannot be written: "):
            prepare_folders(settings)
        monkeypatch.undo()
    monkeypatch.setattr(tempfile, "TemporaryFile", refusing(number, settings.input_directory))
    [note] = prepare_folders(settings)
    assert "nothing can be uploaded" in note


def test_a_full_disk_still_lets_one_look(user, monkeypatch):
    settings = settings_from({"user_directory": str(user)})
    full = refusing(errno.ENOSPC, settings.output_directory)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    assert prepare_folders(settings) == []


@pytest.mark.parametrize("name", ["workflows", "journals", "versions", "userdata", "cache"])
def test_a_file_in_the_place_of_one_of_our_folders(name, user):
    user.mkdir()
    (user / name).write_text("precious")
    with pytest.raises(SettingsError, match=f"{name}: a folder should be there"):
        prepare_folders(settings_from({"user_directory": str(user)}))
    assert (user / name).read_text() == "precious"


@pytest.mark.parametrize("command", [["serve", "--no-browser", "--port", "0"], ["run", "x.json"]])
def test_the_start_says_it_in_one_line(command, tmp_path):
    (tmp_path / "file").write_text("x")
    done = subprocess.run(
        [sys.executable, "main.py", *command, "--user-directory", str(tmp_path / "file" / "u")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("--user-directory ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('output_directory = ["x"]', "output_directory should be the path"),
        ("output_directory = 5", "output_directory should be the path"),
        ('output_directory = ""', "output_directory should be the path"),
        ("dtype = 5", "dtype should be a text"),
        ('device = "gpu"', "choose auto, cpu, cuda"),
        ('output_directory = "a\\u0000b"', "no path of a folder"),
    ],
)
def test_values_of_the_configuration_file(text, message, tmp_path):
    (tmp_path / "calotype.toml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        settings_from({"user_directory": str(tmp_path)})


def read(tmp_path, text):
    (tmp_path / "p.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_model_paths([tmp_path / "p.yaml"])


@pytest.mark.parametrize(
    "value",
    [
        "[one, two]",
        "\n    - one\n    - two",
        "|\n    one\n    two",
        "|\n\n   one\n\n   two\n",
        "[one, null, two]",
    ],
)
def test_several_folders_as_lines_or_as_a_list(value, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    found = read(tmp_path, f"a:\n  base_path: .\n  checkpoints: {value}\n")
    assert found.folders["checkpoints"] == (tmp_path / "one", tmp_path / "two")
    assert found.notes == ()


@pytest.mark.parametrize("value", ["", "~", "null", "''", '"  "', "[]", "[null]"])
def test_an_entry_without_a_value_names_no_folder(value, tmp_path):
    found = read(tmp_path, f"a:\n  base_path: .\n  checkpoints: {value}\n  vae: .\n")
    assert found.folders["checkpoints"] == ()
    assert found.folders["vae"] == (tmp_path,)
    [note] = found.notes
    assert "a.checkpoints names no folder" in note
    assert not (tmp_path / "None").exists()
    files = Files(Settings(models_directories=(), model_folders=found.folders))
    assert files.folders("checkpoints") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n  checkpoints: 5\n", "put a name like that in quotes"),
        ("a:\n  checkpoints: true\n", "put a name like that in quotes"),
        ("a:\n  checkpoints: {b: c}\n", "expected a folder, several lines or a list"),
        ("a:\n  checkpoints: [[b]]\n", "expected a folder, several lines or a list"),
        ("a:\n  checkpoints: &x [*x]\n", "expected a folder, several lines or a list"),
        ("a:\n  checkpoints: 2024-01-01\n", "put a name like that in quotes"),
        ('a:\n  checkpoints: "x\\0y"\n', "no path of a folder"),
        ("a:\n  checkpoints: x\0y\n", "not YAML"),
        ("a:\n  base_path: [x]\n", "base_path"),
        ("a:\n  base_path: 5\n", "in quotes"),
        ("a:\n  is_default: maybe\n", "is_default should be true or false"),
        ("a:\n  5: x\n", "no kind of weights"),
        ("a:\n\tb: c\n", "not YAML"),
        ("- a\n", "sections"),
        ("a: [b]\n", "section 'a'"),
        ("checkpoints: here\n", "section 'checkpoints'"),
        ("a:\n  loras: ü\n".encode("latin-1"), "save it as UTF-8"),
        ("a:\n".encode("utf-16"), "not YAML"),
    ],
)
def test_what_is_wrong_in_the_file_is_one_sentence(text, message, tmp_path):
    with pytest.raises(SettingsError, match=message) as refused:
        read(tmp_path, text)
    assert "\n" not in str(refused.value)
    assert "p.yaml" in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "a:\n", "a:\n  # nothing\n", "\ufeffa:\n  vae: .\n"]
)
def test_files_that_say_little_are_no_failure(text, tmp_path):
    assert read(tmp_path, text).notes == ()


def test_folders_that_are_not_there_are_said_once(tmp_path):
    (tmp_path / "file").write_text("x")
    found = read(
        tmp_path,
        "a:\n  base_path: /nowhere\n  checkpoints: x\n  vae: y\n"
        "b:\n  base_path: .\n  loras: missing\n  vae: file\n",
    )
    assert len(found.notes) == 3
    assert "a.base_path: there is no folder /nowhere" in found.notes[0]
    assert "missing does not exist" in found.notes[1]
    assert "file is a file" in found.notes[2]


def test_a_folder_of_plugins_is_no_folder_of_weights(tmp_path):
    (tmp_path / "cn").mkdir()
    found = read(tmp_path, "a:\n  base_path: .\n  custom_nodes: cn\n")
    assert found.plugins == (tmp_path / "cn",)
    assert found.folders == {}
    settings = settings_from(
        {"user_directory": str(tmp_path), "extra_model_paths_config": [[str(tmp_path / "p.yaml")]]}
    )
    assert settings.custom_nodes_directories[-1] == tmp_path / "cn"


def test_several_files_are_searched_in_their_order(tmp_path):
    for name in ("one", "two", "first"):
        (tmp_path / name).mkdir()
    (tmp_path / "a.yaml").write_text("a:\n  vae: one\n")
    (tmp_path / "b.yaml").write_text("a:\n  vae: two\nb:\n  is_default: true\n  vae: first\n")
    found = read_model_paths([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert found.folders["vae"] == (tmp_path / "first", tmp_path / "one", tmp_path / "two")
