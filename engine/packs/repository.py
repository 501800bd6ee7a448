"""Fetches the newest state of a git repository for `packs install`. Nothing of it is executed.

git runs without the user's configuration, hooks, credentials, filters (LFS) and submodules; what
the commit holds is checked before a file of it is written.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from engine.errors import CalotypeError

_HTTPS = ("https",)
_SECONDS = 600.0
_MOST_BYTES = 512 << 20
_MOST_FILES = 20_000
_PASSED_ON = (
    *("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE"),
    *("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
)
"""Environment variables that git gets; all others might configure it."""
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")
_FILE, _PROGRAM, _SUBMODULE = "100644", "100755", "160000"


class RepositoryError(CalotypeError):
    """A repository cannot be fetched, or holds what must not be copied."""


@dataclass(frozen=True, slots=True)
class Submodule:
    """A repository inside of another, at the commit that the outer one declares."""

    path: str
    address: str
    commit: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """A repository whose files lie in a folder.

    Attributes:
        folder: holds the files, and git's own folder.
        commit: which state it is.
        pointers: files that are in LFS: only a pointer to their content was fetched.
    """

    folder: Path
    commit: str
    pointers: tuple[str, ...]


def is_address(source: str) -> bool:
    """Whether a source is an address rather than a path."""
    return "://" in source or re.match(r"[\w.-]+@[\w.-]+:", source) is not None


@contextmanager
def fetched(
    address: str,
    say: Callable[[str], None],
    *,
    reference: str = "",
    protocols: Sequence[str] = _HTTPS,
    most_bytes: int = _MOST_BYTES,
) -> Generator[Fetched]:
    """The newest commit of a repository, in a temporary folder that is removed at the end.

    Args:
        address: beginning with `https://`.
        say: gets a line before each repository is fetched.
        reference: a branch or a tag; empty means the default branch.
        protocols: that may be used, also by submodules.
        most_bytes: of the files, and of what is transferred.

    Raises:
        RepositoryError: the address is refused, git failed, or the content must not be copied.
    """
    _check_address(address, protocols)
    if reference and not _REFERENCE.fullmatch(reference):
        raise RepositoryError(f"{reference!r} is no name of a branch or a tag")
    program = shutil.which("git")
    if program is None:
        raise RepositoryError("git is not installed: download the repository as a .zip file")
    with tempfile.TemporaryDirectory(prefix="calotype-git-", ignore_cleanup_errors=True) as name:
        top = Path(name)
        git = _Git(program, top, protocols, most_bytes)
        folder = top / _name_of(address)
        say(f"Fetching {address}")
        commit = git.fetch(address, reference or "HEAD", folder)
        for each in git.submodules(folder, address):
            _check_address(each.address, protocols)
            say(
                f"Fetching its submodule {each.path} from {each.address}, commit {each.commit[:12]}"
            )
            inner = folder / each.path
            git.fetch(each.address, each.commit, inner)
            for deeper in git.links(inner):
                say(f"{each.path} has a submodule {deeper} of its own, which is not fetched")
        yield Fetched(folder, commit, _pointers(folder))


def _check_address(address: str, protocols: Sequence[str]) -> None:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise RepositoryError(f"{address!r} is no address: {error}") from error
    if parts.scheme not in protocols:
        raise RepositoryError(f"{address!r} is refused: the address has to begin with https://")
    if parts.username is not None or parts.password is not None:
        raise RepositoryError("the address is refused: it holds a user name or a password")
    bad = any(each.isspace() or not each.isprintable() or each in "\\'\"" for each in address)
    if bad or parts.query or parts.fragment or port == 0 or not parts.path.strip("/"):
        raise RepositoryError(f"{address!r} is refused: expected https://HOST/OWNER/REPOSITORY")


def _name_of(address: str) -> str:
    name = urlsplit(address).path.rstrip("/").rpartition("/")[2].removesuffix(".git")
    if not name or name.startswith((".", "-")):
        raise RepositoryError(f"{address!r} is refused: its last part is no name of a pack")
    return name


class _Git:
    """Runs git apart from everything that the user or the repository has configured."""

    def __init__(self, program: str, top: Path, protocols: Sequence[str], most_bytes: int) -> None:
        self._top, self._most_bytes = top, most_bytes
        empty = top / ".empty"
        empty.mkdir()
        self._empty = empty
        settings = (
            *(f"core.hooksPath={empty}", "core.fsmonitor=false", "core.symlinks=false"),
            *("core.autocrlf=false", "core.protectNTFS=true", "core.protectHFS=true"),
            *("credential.helper=", "submodule.recurse=false", "protocol.allow=never"),
            *(f"protocol.{each}.allow=always" for each in protocols),
            *("gc.auto=0", "maintenance.auto=false", "advice.detachedHead=false"),
        )
        self._command = [program, *(part for each in settings for part in ("-c", each))]
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        self._environment: Mapping[str, str] = {
            **passed,
            "HOME": str(empty),
            "XDG_CONFIG_HOME": str(empty),
            "USERPROFILE": str(empty),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "SSH_ASKPASS": "",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_ALLOW_PROTOCOL": ":".join(protocols),
        }

    def fetch(self, address: str, reference: str, folder: Path) -> str:
        """Fetch one commit into a folder, check what it holds, write its files; the commit."""
        self.run("init", "--quiet", f"--template={self._empty}", str(folder))
        wanted = ("--depth=1", "--no-tags", "--no-recurse-submodules", "--quiet")
        self.run("fetch", *wanted, "--", address, reference, folder=folder)
        self._check(folder)
        self.run("checkout", "--quiet", "--detach", "FETCH_HEAD", folder=folder)
        return self.run("rev-parse", "FETCH_HEAD", folder=folder).strip()

    def _check(self, folder: Path) -> None:
        size, count = 0, 0
        for mode, kind, name, length in self._tree(folder):
            if mode not in (_FILE, _PROGRAM, _SUBMODULE) or kind not in ("blob", "commit"):
                raise RepositoryError(f"it holds {name!r}, which is a link or no regular file")
            size, count = size + length, count + 1
        if count > _MOST_FILES or size > self._most_bytes:
            raise RepositoryError(
                f"it holds {count} files and {size >> 20} MiB; a pack may have {_MOST_FILES} "
                f"files and {self._most_bytes >> 20} MiB"
            )

    def _tree(self, folder: Path) -> Generator[tuple[str, str, str, int]]:
        listed = self.run("ls-tree", "-r", "-l", "-z", "FETCH_HEAD", folder=folder)
        for line in filter(None, listed.split("\0")):
            about, _, name = line.partition("\t")
            mode, kind, _commit, length = about.split()
            yield mode, kind, name, 0 if length == "-" else int(length)

    def links(self, folder: Path) -> list[str]:
        """Where the commit has submodules."""
        return [name for mode, _, name, _ in self._tree(folder) if mode == _SUBMODULE]

    def submodules(self, folder: Path, address: str) -> list[Submodule]:
        """The submodules that the commit holds, as its `.gitmodules` declares them."""
        linked = self.links(folder)
        if not linked:
            return []
        declared = read_submodules(folder)
        found: list[Submodule] = []
        for path in linked:
            where = declared.get(path)
            if where is None:
                raise RepositoryError(f"its submodule {path!r} has no address in .gitmodules")
            commit = self.run("rev-parse", f"FETCH_HEAD:{path}", folder=folder).strip()
            is_relative = where.startswith(("./", "../"))
            full = urljoin(f"{address.rstrip('/')}/", where) if is_relative else where
            found.append(Submodule(path, full, commit))
        return found

    def run(self, *arguments: str, folder: Path | None = None) -> str:
        """Run git; its output. Raises `RepositoryError` when it fails, lasts, or takes too much."""
        output = self._top / ".output"
        with output.open("w+b") as out, (self._top / ".errors").open("w+b") as errors:
            process = subprocess.Popen(  # noqa: S603 - a fixed program, arguments checked above
                [*self._command, *arguments],
                cwd=folder or self._top,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
            )
            try:
                self._wait(process)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            out.seek(0)
            errors.seek(0)
            if process.returncode:
                text = errors.read().decode("utf-8", "replace").strip()
                raise RepositoryError(f"git {arguments[0]} failed: {_reason(text)}")
            return out.read().decode("utf-8", "replace")

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        ends = time.monotonic() + _SECONDS
        while True:
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                if time.monotonic() > ends:
                    raise RepositoryError(f"git took longer than {_SECONDS:.0f} s") from None
                if _size(self._top) > 2 * self._most_bytes:  # packed, and unpacked
                    limit = f"{self._most_bytes >> 20} MiB"
                    raise RepositoryError(f"it is larger than {limit}") from None
            else:
                return


def read_submodules(folder: Path) -> dict[str, str]:
    """The addresses of submodules by their paths, as a `.gitmodules` declares them."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), allow_no_value=True)
    try:
        text = (folder / ".gitmodules").read_text(encoding="utf-8", errors="replace")
        parser.read_string("\n".join(line.strip() for line in text.splitlines()))
    except (OSError, configparser.Error):
        return {}
    tables = [parser[name] for name in parser.sections()]
    return {path: each.get("url") or "" for each in tables if (path := each.get("path"))}


def _reason(text: str) -> str:
    lines = [line.removeprefix("fatal: ") for line in text.splitlines() if line.strip()]
    text = " ".join(lines[-3:]) or "it said nothing"
    if "could not read Username" in text or "terminal prompts disabled" in text:
        return f"{text}; the repository does not exist, or is not public"
    return text


def _size(folder: Path) -> int:
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(here, name).lstat().st_size
            except OSError:
                continue  # a temporary file of git's
    return total


def _pointers(folder: Path) -> tuple[str, ...]:
    start = b"version https://git-lfs.github.com/spec/"
    found: list[str] = []
    if not any(folder.rglob(".gitattributes")):
        return ()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size < 1024:
            with path.open("rb") as stream:
                if stream.read(len(start)) == start:
                    found.append(path.relative_to(folder).as_posix())
    return tuple(found)
