"""The command-line flags: ours, and those in ComfyUI's start scripts."""

import logging
import os

import pytest

from engine.cli.comfy_flags import NO_EFFECT, choose_cuda_devices, notes, translate
from engine.cli.command import build_parser, run_command
from engine.cli.serve_flags import serving_from
from engine.errors import SettingsError
from engine.serving import read_addresses, read_base_path, read_host, read_origin
from engine.settings import settings_from


def parsed(*flags):
    return build_parser().parse_args(["serve", *flags])


def started(tmp_path, *flags):
    """The server's settings for these flags."""
    given = []

    def serve(settings, serving):
        given.append((settings, serving))
        return 0

    assert run_command([*flags, "--user-directory", str(tmp_path / "user")], serve) == 0
    return given[0]


def test_by_default_only_this_machine_gets_in(tmp_path):
    settings, serving = started(tmp_path, "--port", "0")
    assert serving.addresses == ("127.0.0.1",)
    assert serving.browser
    assert not serving.require_token
    assert not serving.allow_links
    assert serving.allowed_hosts == serving.allowed_origins == ()
    assert serving.base_path == ""
    assert settings.notes == ()


def test_every_way_in_is_asked_for_by_name(tmp_path):
    _, serving = started(
        tmp_path,
        *("--listen", "192.168.1.5,127.0.0.1", "--require-token", "--allow-links"),
        *("--allowed-host", "Studio.Example", "--allowed-host", "host.docker.internal:8188"),
        *("--enable-cors-header", "https://Tools.example/", "--enable-cors-header", "http://a:80"),
        *("--base-path", "studio/", "--max-upload-size", "0.5", "--no-browser"),
    )
    assert serving.addresses == ("192.168.1.5", "127.0.0.1")
    assert serving.allowed_hosts == ("studio.example", "host.docker.internal:8188")
    assert serving.allowed_origins == ("https://tools.example", "http://a")
    assert (serving.base_path, serving.most_upload) == ("/studio", 512 << 10)
    assert serving.require_token
    assert serving.allow_links
    assert not serving.browser


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((read_host, text) for text in ("", "*", "a b", "x/y", "a,b", "*.example", "-a", "[::")),
        *(
            (read_origin, text)
            for text in (
                "",
                "null",
                "tools.example",
                "ftp://a",
                "http://a/path",
                "http://",
                "http://u@a",
                "http://a:x",
            )
        ),
        *((read_base_path, text) for text in ("/a b", "/..", "/a/../b", "/a?b", "/%2e", "/a/./b")),
        *((read_addresses, text) for text in ("", ",", "a,,b")),
    ],
)
def test_what_is_no_name_no_origin_and_no_path_is_refused_with_an_example(read, text):
    with pytest.raises(SettingsError, match="as in"):
        read(text)


@pytest.mark.parametrize(
    ("text", "path"), [("", ""), ("/", ""), ("a", "/a"), ("/a/b/", "/a/b"), ("//a//b", "/a/b")]
)
def test_base_paths(text, path):
    assert read_base_path(text) == path


def test_https_needs_both_of_its_files(tmp_path, capsys):
    typed = ["--tls-certfile", "cert.pem", "--user-directory", str(tmp_path)]
    assert run_command(typed, lambda *_: 0) == 2
    assert "--tls-keyfile" in capsys.readouterr().err


SCRIPTS = [
    "--disable-auto-launch --preview-method auto --cpu --lowvram",
    "--windows-standalone-build --disable-smart-memory --fast",
    "--fast fp16_accumulation cublas_ops --use-sage-attention --reserve-vram 2",
    "--listen --enable-cors-header --multi-user --verbose --log-stdout",
    "--cache-ram --async-offload --directml --cuda-malloc",
    "--cache-ram 4 8 --async-offload 2 --directml 0 --cache-lru 10",
    "--cache-none --novram --gpu-only --highvram --normalvram --force-fp16",
    "--front-end-version Comfy-Org/ComfyUI_frontend@latest --front-end-root /x --verbose INFO",
    "--feature-flag a=true --feature-flag b --database-url sqlite:///:memory:",
    "--disable-all-custom-nodes --whitelist-custom-nodes one two --disable-metadata",
    "--fp8_e4m3fn-unet --fp8_e5m2-text-enc --fp32-vae --bf16-unet --cpu-vae",
    "--enable-manager --disable-api-nodes --dont-print-server --quick-test-for-ci",
    "--default-hashing-function sha1 --deterministic --disable-xformers --mmap-torch-files",
    "--enable-compress-response-body --max-upload-size 200 --auto-launch --preview-size 256",
    "--comfy-api-base https://a --oneapi-device-selector gpu --force-channels-last",
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_start_scripts_of_comfyui_start_the_studio(script, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    settings, _ = started(tmp_path, *script.split())
    given = {each for each in script.split() if each.startswith("--")}
    for flag in given & set(NO_EFFECT):
        assert [note for note in settings.notes if note.startswith(f"{flag} has no effect: ")]
    assert len(settings.notes) == len(given & set(NO_EFFECT))


@pytest.mark.parametrize("flag", sorted(NO_EFFECT))
def test_each_flag_without_an_effect_says_so_in_one_line(flag):
    values, _ = NO_EFFECT[flag]
    typed = [flag] if values in (0, "*", "?") else [flag, "1"]
    found = notes(parsed(*typed))
    assert len(found) == 1
    assert "\n" not in found[0]
    assert notes(parsed()) == []


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--cpu", {"device": "cpu"}),
        ("--cpu --device cuda", {}),
        ("--force-fp32", {"dtype": "fp32"}),
        ("--bf16-unet", {"dtype": "bf16"}),
        ("--fp16-unet --dtype fp32", {}),
        ("--cache-none", {"cache": "0"}),
        ("--cache-none --cache 1GB", {}),
        ("--gpu-only", {"vram": "100%"}),
        ("--highvram", {"vram": "100%"}),
        ("--highvram --vram 4GB", {}),
        ("--normalvram", {}),
        ("--lowvram", {"resident": "25%"}),
        ("--novram --lowvram", {"resident": "0"}),
        ("--vram-headroom 1.5", {"reserve_vram": "1.5"}),
        ("--vram-headroom 1.5 --reserve-vram 2", {}),
        ("--preview-method taesd", {"preview_method": "taesd"}),
        ("--disable-all-custom-nodes", {"plugins": ()}),
        ("--disable-all-custom-nodes --whitelist-custom-nodes a b", {"plugins": ("a", "b")}),
        ("--whitelist-custom-nodes a", {}),
    ],
)
def test_what_means_the_same_here_is_acted_on(flags, expected):
    assert dict(translate(parsed(*flags.split()))) == expected


def test_flags_that_are_acted_on_reach_the_settings(tmp_path):
    settings, serving = started(
        tmp_path,
        *[
            "--cpu",
            "--force-fp32",
            "--cache-none",
            "--disable-metadata",
            "--preview-method",
            "auto",
        ],
        *["--disable-all-custom-nodes", "--disable-auto-launch", "--verbose"],
        *("--temp-directory", str(tmp_path / "t")),
    )
    assert (settings.device, settings.dtype, settings.cache_bytes) == ("cpu", "fp32", 0)
    assert (settings.embed_metadata, settings.preview_method) == (False, "auto")
    assert settings.plugins == ()
    # A folder that the user names is not itself emptied.
    assert settings.temp_directory == tmp_path / "t" / "temp"
    assert not serving.browser
    assert serving.log_level == logging.DEBUG


def test_a_base_directory_holds_everything(tmp_path):
    for name in ("models", "custom_nodes"):
        (tmp_path / name).mkdir()
    settings = settings_from({"base_directory": str(tmp_path)})
    assert settings.user_directory == tmp_path / "user"
    assert settings.output_directory == tmp_path / "output"
    assert settings.input_directory == tmp_path / "input"
    assert settings.temp_directory == tmp_path / "temp"
    assert settings.models_directories[0] == tmp_path / "models"
    assert settings.custom_nodes_directories[0] == tmp_path / "custom_nodes"
    with pytest.raises(SettingsError, match="no such folder"):
        settings_from({"base_directory": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ("--cuda-device 1", "1"),
        ("--cuda-device 0,1", "0,1"),
        ("--default-device 2", "2"),
        ("--cuda-device all", None),
        ("", None),
    ],
)
def test_only_the_devices_that_were_asked_for_are_shown_to_the_worker(flags, shown):
    environment: dict[str, str] = {}
    choose_cuda_devices(parsed(*flags.split()), environment)
    assert environment.get("CUDA_VISIBLE_DEVICES") == shown
    with pytest.raises(SettingsError, match="as in 0"):
        choose_cuda_devices(parsed("--cuda-device", "x"), environment)
    assert os.environ.get("CUDA_VISIBLE_DEVICES") != "x"


def test_feature_flags_that_can_be_set_are_printed(capsys):
    assert run_command(["--list-feature-flags"], lambda *_: 1) == 0
    assert capsys.readouterr().out == "{}\n"


def test_a_flag_that_nobody_knows_is_refused(capsys):
    with pytest.raises(SystemExit):
        parsed("--no-such-flag")
    assert "--no-such-flag" in capsys.readouterr().err
    assert serving_from(parsed()).port == 8188


def test_the_classic_port_is_a_number_or_off():
    assert serving_from(parsed()).classic_port is None
    assert serving_from(parsed("--classic-port", "9000")).classic_port == 9000
    assert serving_from(parsed("--classic-port", "0")).classic_port == 0
    assert serving_from(parsed()).classic
    assert not serving_from(parsed("--classic-port", "off")).classic
