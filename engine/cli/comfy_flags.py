"""ComfyUI's launch flags, so that its start scripts work: acted on, or answered with one line.

Flags that mean the same here are our own (`serve_flags.py`, `engine.settings`); this module has
the others: what each becomes, or why it has no effect.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

from engine.errors import SettingsError

_MEMORY = "weights are fitted to the memory there is; see --vram"
_ATTENTION = "attention is computed by PyTorch's own kernels"
_PRECISION = "networks compute in one type; see --dtype"
_OWN_EDITOR = "the editor is Calotype's own"
_KEPT_RESULTS = "results are kept within a budget; see --cache"
_DEVICE = "devices are the CPU and CUDA's"
_NO_ACCOUNT = "there are no nodes that call a paid service"
_MANAGER = "there is no manager; put plugins into custom_nodes/"
_ONE_USER = "there is one user"
_ONE_STORE = "everything is stored in calotype.db in the user directory"

NO_EFFECT: Mapping[str, tuple[str | int | None, str]] = MappingProxyType(
    {
        # Without a value.
        "--cuda-malloc": (0, _MEMORY),
        "--disable-cuda-malloc": (0, _MEMORY),
        "--disable-async-offload": (0, _MEMORY),
        "--enable-dynamic-vram": (0, _MEMORY),
        "--disable-dynamic-vram": (0, _MEMORY),
        "--fast-disk": (0, _MEMORY),
        "--high-ram": (0, _MEMORY),
        "--force-non-blocking": (0, _MEMORY),
        "--disable-smart-memory": (0, _MEMORY),
        "--disable-pinned-memory": (0, _MEMORY),
        "--mmap-torch-files": (0, _MEMORY),
        "--disable-mmap": (0, _MEMORY),
        "--fp64-unet": (0, _PRECISION),
        "--fp8_e4m3fn-unet": (0, _PRECISION),
        "--fp8_e5m2-unet": (0, _PRECISION),
        "--fp8_e8m0fnu-unet": (0, _PRECISION),
        "--fp16-vae": (0, _PRECISION),
        "--fp32-vae": (0, _PRECISION),
        "--bf16-vae": (0, _PRECISION),
        "--cpu-vae": (0, _PRECISION),
        "--fp8_e4m3fn-text-enc": (0, _PRECISION),
        "--fp8_e5m2-text-enc": (0, _PRECISION),
        "--fp16-text-enc": (0, _PRECISION),
        "--fp32-text-enc": (0, _PRECISION),
        "--bf16-text-enc": (0, _PRECISION),
        "--fp16-intermediates": (0, _PRECISION),
        "--supports-fp8-compute": (0, _PRECISION),
        "--force-channels-last": (0, _PRECISION),
        "--enable-triton-backend": (0, _ATTENTION),
        "--disable-triton-backend": (0, _ATTENTION),
        "--use-split-cross-attention": (0, _ATTENTION),
        "--use-quad-cross-attention": (0, _ATTENTION),
        "--use-pytorch-cross-attention": (0, _ATTENTION),
        "--use-sage-attention": (0, _ATTENTION),
        "--use-flash-attention": (0, _ATTENTION),
        "--disable-xformers": (0, _ATTENTION),
        "--force-upcast-attention": (0, _ATTENTION),
        "--dont-upcast-attention": (0, _ATTENTION),
        "--disable-ipex-optimize": (0, _DEVICE),
        "--cache-classic": (0, _KEPT_RESULTS),
        "--deterministic": (0, "one seed gives one picture on one machine, without a flag"),
        "--enable-manager": (0, _MANAGER),
        "--disable-manager-ui": (0, _MANAGER),
        "--enable-manager-legacy-ui": (0, _MANAGER),
        "--disable-api-nodes": (0, _NO_ACCOUNT),
        "--enable-assets": (0, _ONE_STORE),
        "--disable-assets": (0, _ONE_STORE),
        "--disable-assets-autoscan": (0, _ONE_STORE),
        "--multi-user": (0, _ONE_USER),
        "--log-stdout": (0, "the log goes to standard error and to the log panel"),
        "--debug-hang": (0, "a node that hangs is ended when it is stopped"),
        "--disable-comfy-compiler": (0, _PRECISION),
        "--disable-cuda-graphs": (0, _PRECISION),
        # With a value.
        "--cache-lru": (None, _KEPT_RESULTS),
        "--cache-ram": ("*", _KEPT_RESULTS),
        "--async-offload": ("?", _MEMORY),
        "--fast": ("*", _PRECISION),
        "--directml": ("?", _DEVICE),
        "--oneapi-device-selector": (None, _DEVICE),
        "--preview-size": (None, "previews have at most 512 pixels a side"),
        "--default-hashing-function": (None, "files are compared by SHA-256"),
        "--front-end-version": (None, _OWN_EDITOR),
        "--front-end-root": (None, _OWN_EDITOR),
        "--comfy-api-base": (None, _NO_ACCOUNT),
        "--database-url": (None, _ONE_STORE),
        "--feature-flag": (None, "there are no feature flags to set"),
    }
)
"""Flags that are accepted and change nothing: how many values each takes, and why."""
_DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "--force-fp32": "fp32",
        "--force-fp16": "fp16",
        "--fp32-unet": "fp32",
        "--fp16-unet": "fp16",
        "--bf16-unet": "bf16",
    }
)
_ALL = "100%"
_RESIDENT: Mapping[str, str] = MappingProxyType({"--novram": "0", "--lowvram": "25%"})
"""How much of the device's memory weights stay in; the first that is given counts."""
_SWITCHES: Mapping[str, str] = MappingProxyType(
    {
        "--auto-launch": "open a browser",
        "--disable-auto-launch": "open no browser",
        "--windows-standalone-build": "open a browser",
        "--cpu": "compute on the CPU",
        "--gpu-only": "the same as --vram 100%%",
        "--highvram": "the same as --vram 100%%",
        "--normalvram": "keep as many weights on the device as fit, as without a flag",
        "--lowvram": "keep weights in at most a quarter of the device's memory, stream the rest",
        "--novram": "keep no weights on the device: stream them block by block",
        "--cache-none": "keep no results: every node runs every time",
        "--enable-compress-response-body": "send JSON and text compressed",
        "--dont-print-server": "print only the address and errors",
        "--quick-test-for-ci": "end as soon as everything has started",
        "--list-feature-flags": "print the feature flags that can be set (none) and end",
    }
)


def add_comfy_flags(parser: argparse.ArgumentParser) -> None:
    """Give a parser ComfyUI's flags. Only those that are acted on are shown in its help."""
    group = parser.add_argument_group("ComfyUI's flags")
    for name, text in _SWITCHES.items():
        group.add_argument(name, action="store_true", help=text)
    for name, dtype in _DTYPES.items():
        group.add_argument(name, action="store_true", help=f"the same as --dtype {dtype}")
    group.add_argument("--vram-headroom", metavar="SIZE", help="the same as --reserve-vram")
    group.add_argument("--cuda-device", metavar="N", help="use this CUDA device, or all")
    group.add_argument("--default-device", metavar="N", help="the same")
    group.add_argument(
        "--preview-method",
        choices=("none", "auto", "latent2rgb", "taesd"),
        help="previews for prompts that ask for none themselves (default: none)",
    )
    add_plugin_choice(group)
    for name, (values, _) in NO_EFFECT.items():
        if values == 0:
            group.add_argument(name, action="store_true", help=argparse.SUPPRESS)
        else:
            repeated = name == "--feature-flag"
            group.add_argument(
                name,
                nargs=values,
                action="append" if repeated else "store",
                default=None,
                const="" if values == "?" else None,
                help=argparse.SUPPRESS,
            )


def add_plugin_choice(parser: argparse._ActionsContainer) -> None:
    """Give a parser the flags that choose plugins."""
    parser.add_argument("--disable-all-custom-nodes", action="store_true", help="load no plugins")
    parser.add_argument(
        "--whitelist-custom-nodes",
        nargs="+",
        metavar="NAME",
        help="plugins to load in spite of --disable-all-custom-nodes",
    )


def chosen_plugins(given: Mapping[str, Any]) -> dict[str, object]:
    """What these flags are called in `settings_from`."""
    if not given.get("disable_all_custom_nodes"):
        return {}
    return {"plugins": tuple(given.get("whitelist_custom_nodes") or ())}


def translate(flags: argparse.Namespace) -> Iterator[tuple[str, object]]:
    """What ComfyUI's flags are called in `settings_from`; our own flags win."""
    given: Mapping[str, Any] = vars(flags)
    if given.get("dtype") is None:
        for name, dtype in _DTYPES.items():
            if given.get(_key(name)):
                yield "dtype", dtype
    if given.get("cache") is None and given.get("cache_none"):
        yield "cache", "0"
    if given.get("device") is None and given.get("cpu"):
        yield "device", "cpu"
    if given.get("reserve_vram") is None and given.get("vram_headroom") is not None:
        yield "reserve_vram", given["vram_headroom"]
    if given.get("vram") is None and (given.get("gpu_only") or given.get("highvram")):
        yield "vram", _ALL
    for name, resident in _RESIDENT.items():
        if given.get(_key(name)):
            yield "resident", resident
            break
    if given.get("preview_method"):
        yield "preview_method", given["preview_method"]
    yield from chosen_plugins(given).items()


def notes(flags: argparse.Namespace) -> list[str]:
    """One line for each flag that was given and has no effect."""
    given: Mapping[str, Any] = vars(flags)
    return [
        f"{name} has no effect: {reason}."
        for name, (_, reason) in NO_EFFECT.items()
        if given.get(_key(name)) not in (None, False)
    ]


def choose_cuda_devices(
    flags: argparse.Namespace, environment: MutableMapping[str, str] = os.environ
) -> None:
    """Make only the requested devices visible to processes that start later.

    Raises:
        SettingsError: these are no numbers of devices.
    """
    asked = str(flags.cuda_device or flags.default_device or "").replace(" ", "")
    if not asked or asked.lower() == "all":
        return
    if not all(each.isascii() and each.isdigit() for each in asked.split(",")):
        raise SettingsError(
            f"--cuda-device {asked}: expected numbers of devices, as in 0 or 0,1; or all"
        )
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        environment[name] = asked


def _key(name: str) -> str:
    return name.removeprefix("--").replace("-", "_")
