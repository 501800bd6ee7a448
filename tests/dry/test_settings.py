"""Flags, the configuration file and the incumbent's YAML of model folders."""

from pathlib import Path

import pytest

from engine.errors import SettingsError
from engine.files import Files
from engine.model_paths import read_model_paths
from engine.settings import (
    ROOT,
    Settings,
    settings_from,
    settings_from_json,
    settings_to_json,
)


def test_defaults_lie_in_one_folder_of_the_checkout():
    settings = settings_from({})
    assert settings.output_directory == ROOT / "user" / "output"
    assert settings.temp_directory == ROOT / "user" / "temp"
    assert settings.models_directories == (ROOT / "models",)


def test_the_user_directory_moves_all_that_is_written(tmp_path: Path):
    settings = settings_from({"user_directory": tmp_path})
    assert settings.input_directory == tmp_path / "input"
    assert settings.cache_directory == tmp_path / "cache"


def test_the_checkout_s_models_are_always_searched(tmp_path: Path):
    settings = settings_from({"models_directory": tmp_path})
    assert settings.models_directories == (tmp_path, ROOT / "models")
    with pytest.raises(SettingsError, match="no such folder"):
        settings_from({"models_directory": tmp_path / "nowhere"})


def test_a_flag_wins_over_the_configuration_file(tmp_path: Path):
    (tmp_path / "calotype.toml").write_text('dtype = "fp32"\noutput_directory = "pictures"\n')
    assert settings_from({"user_directory": tmp_path}).dtype == "fp32"
    assert settings_from({"user_directory": tmp_path}).output_directory == tmp_path / "pictures"
    assert settings_from({"user_directory": tmp_path, "dtype": "bf16"}).dtype == "bf16"


@pytest.mark.parametrize(
    ("text", "message"),
    [("colour = 1", "unknown colour"), ("dtype = ", "not a TOML"), ('dtype = "int4"', "int4")],
)
def test_a_wrong_configuration_file_is_named(tmp_path: Path, text: str, message: str):
    (tmp_path / "calotype.toml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        settings_from({"user_directory": tmp_path})


def test_the_incumbent_s_yaml_adds_folders(tmp_path: Path):
    (tmp_path / "paths.yaml").write_text(
        "a111:\n  base_path: webui\n  checkpoints: models/Stable-diffusion\n"
        "  loras: |\n    models/Lora\n    models/LyCORIS\n"
        "own:\n  is_default: true\n  base_path: mine\n  checkpoints: ckpt\n  clip: te\n"
    )
    folders = read_model_paths([tmp_path / "paths.yaml"]).folders
    assert folders["checkpoints"] == (
        tmp_path / "mine/ckpt",
        tmp_path / "webui/models/Stable-diffusion",
    )
    assert folders["loras"] == (tmp_path / "webui/models/Lora", tmp_path / "webui/models/LyCORIS")
    (tmp_path / "mine/te").mkdir(parents=True)
    (tmp_path / "mine/te/encoder.safetensors").write_bytes(b"x")
    files = Files(Settings(models_directories=(), model_folders=folders))
    assert files.list("text_encoders") == ["encoder.safetensors"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("[", "not YAML"), ("just text", "sections"), ("one: two", "section 'one'")],
)
def test_a_wrong_yaml_is_named(tmp_path: Path, text: str, message: str):
    (tmp_path / "paths.yaml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_model_paths([tmp_path / "paths.yaml"])
    with pytest.raises(SettingsError, match="No such file"):
        read_model_paths([tmp_path / "missing.yaml"])


def test_settings_reach_another_process(tmp_path):
    chosen = Settings(
        user_directory=tmp_path / "ü", model_folders={"loras": (tmp_path,)}, dtype="bf16"
    )
    assert settings_from_json(settings_to_json(chosen)) == chosen
