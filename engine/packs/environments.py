"""Environments of isolated packs: a virtual environment for each, above the one of this program.

What a pack requires and is not here is installed into its own, whose packages win; everything else
it finds here, torch above all, which is never installed again. An environment stays as long as the
requirements do. Imports no torch, executes nothing of a pack but what its installer does.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from engine.errors import CalotypeError
from engine.packs.found import Pack
from engine.packs.preferences import packs_folder
from engine.packs.requirements import BUILT_FOR_TORCH
from engine.settings import Settings

_MARKER, _UNDERLAY = "calotype.json", "calotype_underlay.pth"
_INSTALLER = "calotype, below this environment\n"
_SECONDS = 3600
_MOST_LINES = 12
Say = Callable[[str], None]


class EnvironmentFailedError(CalotypeError):
    """An environment cannot be made, or there is none yet."""


class _Marker(msgspec.Struct):
    """What lies in a complete environment."""

    pack: str
    installed: list[str]
    missing: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment of one pack, made or not.

    Attributes:
        pack: the pack.
        folder: where it lies.
        wanted: requirements that are installed into it.
        present: requirements that are met here.
        left_out: requirements that are not installed: torch and what belongs to it.
    """

    pack: Pack
    folder: Path
    wanted: tuple[str, ...]
    present: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        if os.name == "nt":
            return self.folder / "Scripts" / "python.exe"
        return self.folder / "bin" / "python"

    @property
    def is_made(self) -> bool:
        """Whether it is complete."""
        return (self.folder / _MARKER).is_file() and self.python.exists()

    @property
    def missing(self) -> dict[str, str]:
        """What is wanted and could not be installed, with the reason; empty before it is made."""
        try:
            marker = msgspec.json.decode((self.folder / _MARKER).read_bytes(), type=_Marker)
        except (OSError, msgspec.DecodeError):
            return {}
        return marker.missing

    def check(self) -> None:
        """Raise `EnvironmentFailedError` if it is not complete."""
        if not self.is_made:
            raise EnvironmentFailedError(
                "its environment does not exist, or its requirements have changed; run: "
                f"python main.py packs isolate {self.pack.name}"
            )

    def lay_under(self, paths: Sequence[str]) -> None:
        """Have it find modules in these folders, too, after its own; see `underlay`.

        Raises:
            EnvironmentFailedError: the disk refused.
        """
        lines = [
            f"import site; site.addsitedir({each!r})" if _is_site(each) else each for each in paths
        ]
        text = "\n".join(lines) + "\n"
        path = self._site_packages / _UNDERLAY
        try:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise EnvironmentFailedError(f"{path} cannot be written: {error}") from error

    def make(self, say: Say = lambda _: None) -> None:
        """Make it, and install what is wanted; does nothing where it is complete.

        Where one of several requirements cannot be installed, the others are: see `missing`.

        Args:
            say: gets a sentence for each step.

        Raises:
            EnvironmentFailedError: it cannot be made, and nothing is left of the attempt.
        """
        if self.is_made:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self._make(say)
        except (OSError, subprocess.SubprocessError, EnvironmentFailedError) as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            if isinstance(error, EnvironmentFailedError):
                raise
            raise EnvironmentFailedError(
                f"the environment of {self.pack.name} cannot be made: {error}"
            ) from error
        begin = _safe(self.pack.name) + "-"
        for other in self.folder.parent.iterdir():
            if other != self.folder and other.name[: -len(_DIGEST)] == begin:
                shutil.rmtree(other, ignore_errors=True)

    @property
    def _site_packages(self) -> Path:
        if os.name == "nt":
            return self.folder / "Lib" / "site-packages"
        major, minor = sys.version_info[:2]
        return self.folder / "lib" / f"python{major}.{minor}" / "site-packages"

    def _make(self, say: Say) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        uv = shutil.which("uv")
        say(f"making an environment in {self.folder}")
        if uv is not None:
            _run([uv, "venv", "--quiet", "--python", sys.executable, str(self.folder)])
        else:
            venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(self.folder)
        self.lay_under(underlay(sys.path))
        missing: dict[str, str] = {}
        if self.wanted:
            say(f"installing {', '.join(self.wanted)}")
            with _shown_as_installed(self._site_packages):
                missing = self._install_all(uv, say)
        pulled = [each for each in sorted(BUILT_FOR_TORCH) if (self._site_packages / each).is_dir()]
        if pulled:
            raise EnvironmentFailedError(self._refusal(pulled[0]))
        installed = [each for each in self.wanted if each not in missing]
        marker = _Marker(self.pack.name, installed, missing)
        (self.folder / _MARKER).write_bytes(msgspec.json.encode(marker))

    def _refusal(self, name: str) -> str:
        """Why what was installed cannot stay: it brought a package that must fit torch."""
        if _version(name) is None:
            return (
                f"what {self.pack.name} requires needs {name}, which has to be built for torch "
                f"{_version('torch')}: install it beside that torch (docs/libraries.md says how), "
                "then isolate the pack again"
            )
        return (
            f"what {self.pack.name} requires would install {name} again, which must be the one of "
            "Calotype; its requirements do not fit the versions here"
        )

    def _install_all(self, uv: str | None, say: Say) -> dict[str, str]:
        """Together, or else one by one; what could not be installed, with the reason."""
        try:
            self._install(uv, self.wanted)
        except EnvironmentFailedError:
            if len(self.wanted) == 1:
                raise
        else:
            return {}
        missing: dict[str, str] = {}
        for each in self.wanted:
            try:
                self._install(uv, [each])
            except EnvironmentFailedError as error:
                missing[each] = str(error)
                say(f"{each} is missing: {error}")
        if len(missing) == len(self.wanted):
            raise EnvironmentFailedError(f"nothing could be installed: {missing[self.wanted[0]]}")
        return missing

    def _install(self, uv: str | None, lines: Sequence[str]) -> None:
        constraints = self.folder / "constraints.txt"
        pinned = {name: _version(name) for name in BUILT_FOR_TORCH}
        kept = [f"{name}=={version}\n" for name, version in pinned.items() if version]
        constraints.write_text("".join(kept), encoding="utf-8")
        python = str(self.python)
        if uv is not None:
            command = [uv, "pip", "install", "--quiet", "--python", python]
        elif _version("pip") is not None:
            command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
            command += ["--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
        else:
            raise EnvironmentFailedError(
                f"{', '.join(lines)} cannot be installed: there is neither uv nor pip; "
                "install one of them"
            )
        # A path in its requirements is one in its folder.
        folder = self.pack.path if self.pack.path.is_dir() else None
        _run([*command, "-c", str(constraints), *lines], cwd=folder)


_DIGEST = "0" * 12


def environment_of(settings: Settings, pack: Pack) -> Environment:
    """The environment of a pack with its present requirements; makes nothing."""
    wanted: list[str] = []
    present: list[str] = []
    left_out: list[str] = []
    for line in pack.requirements():
        kind = _kind_of(line)
        if kind is not None:
            {"wanted": wanted, "present": present, "left out": left_out}[kind].append(line)
    digest = _fingerprint(pack, pack.requirements())
    folder = packs_folder(settings) / "environments" / f"{_safe(pack.name)}-{digest}"
    return Environment(pack, folder, tuple(wanted), tuple(present), tuple(left_out))


def clashes(pack: Pack) -> tuple[str, ...]:
    """The pack's requirements that the versions here do not meet, each with that version."""
    found: list[str] = []
    for line in pack.requirements():
        asked = _parsed(line)
        if asked is None or canonicalize_name(asked.name) in BUILT_FOR_TORCH:
            continue
        version = _version(asked.name)
        applies = asked.marker is None or asked.marker.evaluate()
        if (
            version is not None
            and applies
            and not asked.specifier.contains(version, prereleases=True)
        ):
            found.append(f"{line} (here is {version})")
    return tuple(found)


def underlay(paths: Iterable[str]) -> list[str]:
    """Folders of a `sys.path` that an environment is to find below its own: all but the library's.

    The standard library is the same, because the interpreter is.
    """
    library = os.path.realpath(os.path.dirname(os.__file__))  # noqa: PTH120 - a text is compared
    found: list[str] = []
    for each in paths:
        path = os.path.realpath(each or os.curdir)
        is_library = path == library or (path.startswith(library + os.sep) and not _is_site(path))
        if Path(path).is_dir() and not is_library and not path.endswith("facade"):
            found.append(path)
    return list(dict.fromkeys(found))


@contextmanager
def _shown_as_installed(site_packages: Path) -> Generator[None]:
    """Have an installer see what lies under an environment as installed in it.

    Otherwise it would install torch and everything else again that a requirement depends on, or
    fail to find this build of torch. A version that does not fit is replaced in the environment.
    """
    made: list[Path] = []
    for each in importlib.metadata.distributions():
        name, version = each.metadata["Name"], each.metadata["Version"]
        folder = site_packages / f"{_wheel_name(name)}-{_wheel_name(version)}.dist-info"
        if not name or not version or folder.exists():
            continue
        folder.mkdir()
        made.append(folder)
        texts = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "INSTALLER": _INSTALLER,
        }
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        listed = "".join(f"{folder.name}/{file},,\n" for file in (*texts, "RECORD"))
        (folder / "RECORD").write_text(listed, encoding="utf-8")
    try:
        yield
    finally:
        for folder in made:
            with suppress(OSError):
                if (folder / "INSTALLER").read_text(encoding="utf-8") == _INSTALLER:
                    shutil.rmtree(folder)


def _wheel_name(text: str | None) -> str:
    return re.sub(r"[-_]+", "_", text or "")


def _is_site(path: str) -> bool:
    return path.endswith(("site-packages", "dist-packages"))


def _kind_of(line: str) -> str | None:
    """`wanted`, `present` or `left out`; None for a requirement of another system."""
    asked = _parsed(line)
    if asked is None:
        return "wanted"  # a path, or an address: pip reads it
    if asked.marker is not None and not asked.marker.evaluate():
        return None
    name = canonicalize_name(asked.name)
    if name in BUILT_FOR_TORCH or name.startswith("nvidia-"):
        return "left out"
    version = _version(asked.name)
    is_met = version is not None and asked.specifier.contains(version, prereleases=True)
    return "present" if is_met and not asked.url and not asked.extras else "wanted"


def _parsed(line: str) -> Requirement | None:
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None


def _fingerprint(pack: Pack, lines: Sequence[str]) -> str:
    """Changes with the requirements, with local files that they name, and with Python and torch."""
    found = hashlib.sha256()
    for part in (sys.version, sys.prefix, _version("torch") or "", *lines):
        found.update(f"{part}\0".encode(errors="replace"))
        with suppress(OSError, ValueError):
            state = (pack.path / part).stat()
            found.update(f"{state.st_size} {state.st_mtime_ns}\0".encode())
    return found.hexdigest()[: len(_DIGEST)]


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:60] or "_"


def _run(command: Sequence[str], cwd: Path | None = None) -> None:
    own = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    variables = {name: each for name, each in os.environ.items() if name not in own}
    done = subprocess.run(  # noqa: S603 - an installer, after the user has agreed
        command,
        cwd=cwd,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        lines = done.stdout.decode("utf-8", "replace").strip().splitlines()[-_MOST_LINES:]
        program = " ".join(Path(each).name for each in command[:1])
        raise EnvironmentFailedError(f"{program} could not install it: {' / '.join(lines)}")
