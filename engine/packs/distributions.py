"""Which distribution installs a module that is missing: the one line to type, shown to users."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from engine.packs.found import Pack, requirements_naming
from engine.packs.requirements import Installed, sort_requirements

_DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "attr": ("attrs",),
        "bs4": ("beautifulsoup4",),
        "Crypto": ("pycryptodome",),
        "cv2": (
            "opencv-python-headless",
            "opencv-contrib-python-headless",
            "opencv-contrib-python",
            "opencv-python",
        ),
        "dateutil": ("python-dateutil",),
        "docx": ("python-docx",),
        "dotenv": ("python-dotenv",),
        "ffmpeg": ("ffmpeg-python",),
        "fitz": ("PyMuPDF",),
        "git": ("GitPython",),
        "github": ("PyGithub",),
        "groundingdino": ("groundingdino-py",),
        "jwt": ("PyJWT",),
        "llama_cpp": ("llama-cpp-python",),
        "magic": ("python-magic",),
        "mpl_toolkits": ("matplotlib",),
        "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
        "OpenSSL": ("pyOpenSSL",),
        "PIL": ("pillow",),
        "pkg_resources": ("setuptools",),
        "psd_tools": ("psd-tools",),
        "pywt": ("PyWavelets",),
        "serial": ("pyserial",),
        "skimage": ("scikit-image",),
        "sklearn": ("scikit-learn",),
        "usb": ("pyusb",),
        "websocket": ("websocket-client",),
        "win32api": ("pywin32",),
        "yaml": ("pyyaml",),
        "zmq": ("pyzmq",),
    }
)
"""Modules whose distribution has another name; the first is the one to suggest."""
_HOST = frozenset(
    {
        *("comfy", "comfy_api", "comfy_api_nodes", "comfy_config", "comfy_execution"),
        *("comfy_extras", "comfyui_version", "cuda_malloc", "execution", "folder_paths"),
        *("latent_preview", "node_helpers", "nodes", "server", "api_server", "app", "utils"),
    }
)
"""The first names of the host's own modules, which no `pip install` brings."""


def is_host_module(module: str) -> bool:
    """Whether a module is one of the host's own names."""
    return module.split(".", maxsplit=1)[0] in _HOST


def may_be_host(module: str) -> bool:
    """Whether a module is one of the host's, `protocol` included, which others have, too."""
    return is_host_module(module) or module.split(".", maxsplit=1)[0] == "protocol"


def install_advice(pack: Pack, module: str) -> tuple[str, str]:
    """The command that installs a missing module, and a sentence where there is none.

    Either may be empty. The line of the pack's own requirements is preferred to the plain name. A
    command never names what is installed, or what is built for the installed torch.
    """
    top = module.split(".", maxsplit=1)[0]
    if not top or top in _HOST or top in sys.stdlib_module_names:
        return "", ""
    if top != module and top in sys.modules:
        return "", ""  # it is there, and lacks that part
    return install_plan([install_requirement(pack, top)])


def install_plan(lines: Iterable[str], here: Installed | None = None) -> tuple[str, str]:
    """The command for these requirements without those that must stay, and sentences on these.

    Args:
        lines: as pip takes them.
        here: what is installed; None looks.
    """
    found = sort_requirements(lines, here)
    wanted = (*found.install, *found.source)
    return install_command(*wanted) if wanted else "", "; ".join(found.stays)


def install_requirement(pack: Pack, top: str) -> str:
    """The requirement that brings a top-level module: the pack's own line, or the plain name."""
    names = _DISTRIBUTIONS.get(top, (top, top.replace("_", "-")))
    return requirements_naming(pack, names) or names[0]


def install_command(*requirements: str) -> str:
    """The command for these requirements, quoted for a shell."""
    return f"python -m pip install {' '.join(map(shlex.quote, requirements))}"
