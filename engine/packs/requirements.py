"""What a pack's requirements would change here: sorted by what is installed, then asked of pip.

Nothing that is installed is ever to change: a requirement that would is named, with what is here.
pip is asked by a dry run that takes wheels only, because building a package executes its code.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from engine.errors import CalotypeError

_SECONDS = 600.0
BUILT_FOR_TORCH = frozenset(
    {"torch", "torchvision", "torchaudio", "torchao", "torchcodec", "xformers", "triton"}
)
"""Distributions of which each is built for one version of torch; pip would replace torch."""
_SAME_MODULE = (
    (
        *("opencv-python", "opencv-python-headless"),
        *("opencv-contrib-python", "opencv-contrib-python-headless"),
    ),
    ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
)
"""Distributions that bring the same module: two of them overwrite each other's files."""
_CONSTRAINT = re.compile(r"^\s*(.+?) depends on (.+?)\s*$", re.MULTILINE)
_NO_NETWORK = ("Retrying (", "NewConnectionError", "Max retries exceeded", "ProxyError")


class PipError(CalotypeError):
    """pip cannot be asked, or an installation failed."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """Requirements by what they mean here.

    Attributes:
        install: those that are not here, as lines for pip.
        stays: of those that must not be installed, one sentence each.
        clashes: those of `stays` whose version here is another than the pack wants.
        source: those that are built from source code.
    """

    install: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    clashes: tuple[str, ...] = ()
    source: tuple[str, ...] = ()


def sort_requirements(lines: Iterable[str], here: Installed | None = None) -> Sorted:
    """Sort lines of a requirements file; a line `-r FILE` stands for those of the file.

    Args:
        lines: as pip takes them.
        here: what is installed; None looks.
    """
    lines = list(dict.fromkeys(_expanded(lines)))
    if not lines:
        return Sorted()  # what is installed is slow to read
    here = here or read_installed()
    install: list[str] = []
    source: list[str] = []
    stays: list[str] = []
    clashes: list[str] = []
    for line in lines:
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            source.append(line)
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        plain = line.split(";")[0].strip()
        sentence, is_clash = _why_not(wanted, plain, here)
        if sentence:
            (clashes if is_clash else stays).append(sentence)
        elif wanted.url is not None:
            source.append(plain)
        elif here.version(wanted.name) is None or wanted.extras:
            install.append(plain)
    return Sorted(tuple(install), (*clashes, *stays), tuple(clashes), tuple(source))


def _why_not(wanted: Requirement, line: str, installed: Installed) -> tuple[str, bool]:
    """Why a requirement is not installed, and whether another version is here; empty: it may be."""
    here = installed.version(wanted.name)
    if here is not None:
        try:
            fits = wanted.specifier.contains(here, prereleases=True)
        except InvalidVersion:
            fits = True
        whose = installed.whose(wanted.name)
        return ("", False) if fits else (f"it wants {line}; {here} is installed{whose}", True)
    name = canonicalize_name(wanted.name)
    if name in BUILT_FOR_TORCH:
        torch = installed.version("torch") or "of Calotype"
        how = f"has to be built for torch {torch}: docs/libraries.md says how"
        return f"it wants {line}, which {how}", False
    group = next((each for each in _SAME_MODULE if name in each), ())
    for other in group:
        version = installed.version(other)
        if version is not None:
            return f"it wants {line}; {other} {version} is installed and brings the same", False
    return "", False


def _expanded(lines: Iterable[str], depth: int = 0) -> Iterable[str]:
    for line in lines:
        if not line.startswith("-"):
            yield line
        elif line.startswith("-r ") and depth < 3:  # files that name files
            try:
                text = Path(line[3:].strip()).read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            inner = (each.split(" #")[0].strip() for each in text.splitlines())
            yield from _expanded((each for each in inner if each and each[0] != "#"), depth + 1)


@dataclass(frozen=True, slots=True)
class Installed:
    """What is installed in this environment.

    Attributes:
        versions: by the canonical names of distributions.
        own: Calotype's distribution and all that it requires, directly or not.
    """

    versions: Mapping[str, str]
    own: frozenset[str]

    def version(self, name: str) -> str | None:
        """The version of a distribution, or None."""
        return self.versions.get(canonicalize_name(name))

    def whose(self, name: str) -> str:
        """What to add to a sentence on a distribution."""
        return " by Calotype" if canonicalize_name(name) in self.own else ""


def read_installed() -> Installed:
    """Look at what is installed now."""
    found: dict[str, str] = {}
    requires: dict[str, list[str]] = {}
    for each in metadata.distributions():
        about = cast("Mapping[str, str | None]", each.metadata)
        name, version = about.get("Name"), about.get("Version")
        if name and version and canonicalize_name(name) not in found:
            found[canonicalize_name(name)] = version
            requires[canonicalize_name(name)] = each.requires or []
    own: set[str] = set()
    queue = ["calotype"]
    while queue:
        name = canonicalize_name(queue.pop())
        if name not in own and name in found:
            own.add(name)
            wanted = map(Requirement, requires[name])
            queue += [
                each.name
                for each in wanted
                if each.marker is None or each.marker.evaluate({"extra": ""})
            ]
    return Installed(found, frozenset(own))


@dataclass(frozen=True, slots=True)
class Preview:
    """What an installation would do.

    Attributes:
        adds: `name==version` of each distribution that would be added.
        clashes: a sentence for each requirement that would change what is installed.
        stays: sentences on what is left as it is.
        by_hand: requirements that pip would have to build, or cannot find, and why.
    """

    adds: tuple[str, ...] = ()
    clashes: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    by_hand: Mapping[str, str] | None = None

    @property
    def left(self) -> Mapping[str, str]:
        """`by_hand`, never None."""
        return self.by_hand or {}


def preview(lines: Sequence[str]) -> Preview:
    """Ask pip what these requirements would add; nothing is installed.

    Raises:
        PipError: pip is not there, or does not answer.
    """
    here = read_installed()
    found = sort_requirements(lines, here)
    clashes, stays = (
        list(found.clashes),
        [each for each in found.stays if each not in found.clashes],
    )
    by_hand = dict.fromkeys(found.source, "it is built from source code, which executes it")
    wanted, adds, problem = list(found.install), (), ""
    if wanted:
        adds, problem = _dry_run(wanted, here)
    complaints: dict[str, str] = {}
    if problem and len(wanted) > 1:
        fine: list[str] = []
        for each in wanted:
            _, why = _dry_run([each], here)
            if why:
                complaints[each] = why
            else:
                fine.append(each)
        adds, problem = _dry_run(fine, here) if fine else ((), "")
        wanted = fine
    if problem:
        complaints |= dict.fromkeys(wanted, problem)
    for each, why in complaints.items():
        conflicts = _conflicts(why, here)
        clashes += conflicts
        if not conflicts:
            by_hand[each] = _sentence(why)
    kept: list[str] = []
    for each in adds:
        why, _ = _why_not(Requirement(each), each.partition("==")[0], here)
        if why:
            stays.append(why)
        else:
            kept.append(each)
    clashes, stays = list(dict.fromkeys(clashes)), list(dict.fromkeys(stays))
    return Preview(tuple(kept), tuple(clashes), tuple(stays), by_hand)


def _dry_run(lines: Sequence[str], here: Installed) -> tuple[tuple[str, ...], str]:
    """`name==version` of what would be added, and pip's complaint if it refuses."""
    with _constraints(here) as path, tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "report.json")
        arguments = ("--dry-run", "--report", str(output), "--constraint", path)
        found = _pip("install", *arguments, "--only-binary", ":all:", "--", *lines)
        text = output.read_text(encoding="utf-8") if output.is_file() else ""
    if found.returncode:
        # What excludes what is told on the other stream.
        return (), f"{found.stdout}\n{found.stderr}"
    try:
        report: Any = json.loads(text)
        about = [each["metadata"] for each in report["install"]]
        return tuple(sorted(f"{each['name']}=={each['version']}" for each in about)), ""
    except (ValueError, KeyError, TypeError) as error:
        raise PipError(
            f"pip's report cannot be read ({error}); pip 22.2 or newer writes one"
        ) from error


def install_distributions(exact: Sequence[str]) -> None:
    """Install exactly these distributions, and nothing that they require.

    Raises:
        PipError: pip failed.
    """
    with _constraints(read_installed()) as path:
        arguments = ("--no-deps", "--only-binary", ":all:", "--constraint", path)
        found = _pip("install", "--quiet", *arguments, "--", *exact)
    if found.returncode:
        raise PipError(f"pip could not install them: {_sentence(found.stderr)}")


@contextmanager
def _constraints(here: Installed) -> Generator[str]:
    """A file that holds every installed distribution at its version."""
    with tempfile.TemporaryDirectory(prefix="calotype-constraints-") as folder:
        path = Path(folder, "constraints.txt")
        lines = [f"{name}=={version}\n" for name, version in here.versions.items()]
        path.write_text("".join(lines), encoding="utf-8")
        yield str(path)


def _pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    with tempfile.TemporaryDirectory(prefix="calotype-pip-") as folder:
        try:
            found = subprocess.run(  # noqa: S603 - lines are requirements behind `--`
                command,
                cwd=folder,  # nothing of the current folder is a requirement
                check=False,
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise PipError(f"pip did not answer within {_SECONDS:.0f} s") from error
    if "No module named pip" in found.stderr:
        raise PipError("pip is not in this environment: run `python -m ensurepip` once")
    return found


def _conflicts(text: str, installed: Installed) -> list[str]:
    """The sentences for what pip says of versions that exclude each other."""
    held = dict(re.findall(r"The user requested \(constraint\) ([^=\s]+)==(\S+)", text))
    held = {canonicalize_name(name): version for name, version in held.items()}
    found: list[str] = []
    for who, depends in _CONSTRAINT.findall(text):
        what = depends.replace(" and ", ",")
        try:
            wanted = Requirement(what)
        except InvalidRequirement:
            continue
        here = held.get(canonicalize_name(wanted.name))
        if here is not None and not wanted.specifier.contains(here, prereleases=True):
            found.append(f"{who} wants {what}; {here} is installed{installed.whose(wanted.name)}")
    return found


def _sentence(text: str) -> str:
    if any(each in text for each in _NO_NETWORK):
        return "pip cannot reach its index"
    lines = [line for line in text.splitlines() if line.startswith("ERROR: ")]
    if any("No matching distribution" in line for line in lines):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return f"there is no such version, or no wheel of it for Python {version} on this system"
    return lines[0].removeprefix("ERROR: ") if lines else text.strip()[-300:] or "pip said nothing"
