"""Makes the record of a prompt as it would run now."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from engine.errors import FilesError
from engine.files import Files
from engine.graph.prompt import Prompt
from engine.graph.schema import Catalog
from engine.packs.found import Pack, find_packs
from engine.record.hashes import FileHashes
from engine.record.named import NamedFile, locate, named_files, named_packs
from engine.record.record import FORMAT, NUMERICS, Computing, FileRecord, PackRecord, Record
from engine.settings import Settings

HashOf = Callable[[Path], str]
_COMMIT = re.compile(r"[0-9a-f]{40,64}")


class Recorder:
    """Makes records with the folders, hashes and packs of one process."""

    def __init__(self, settings: Settings, files: Files, hashes: FileHashes | None = None) -> None:
        self.files = files
        self.hashes = hashes or FileHashes(settings)
        self._settings = settings
        self._version = program_version()  # that of the code that runs, also after an update
        self._packs: Mapping[str, Pack] | None = None

    def record(
        self,
        prompt: Prompt,
        catalog: Catalog,
        computing: Computing,
        hash_of: HashOf | None = None,
    ) -> Record:
        """The record of a prompt.

        Args:
            prompt: what is run.
            catalog: the schemas of its classes; nodes of missing classes add nothing.
            computing: what computes.
            hash_of: gives the hash of a file; without it, only hashes that are known are recorded.
        """
        named, hash_of = named_files(prompt, catalog), hash_of or self.hashes.known
        return Record(
            record=FORMAT,
            version=self._version,
            numerics=NUMERICS,
            python=platform.python_version(),
            computing=computing,
            files=tuple(self.file(each, hash_of) for each in named),
            packs=tuple(self.pack(name) for name in named_packs(prompt, catalog)),
        )

    def file(self, named: NamedFile, hash_of: HashOf | None = None) -> FileRecord:
        """A file as it is now; without size where there is none that can be read."""
        path = locate(named, self.files)
        if path is None:
            return FileRecord(*named)
        try:
            size = path.stat().st_size
            sample = self.hashes.sample(path)
            return FileRecord(*named, size, sample, (hash_of or self.hashes.known)(path))
        except (FilesError, OSError):
            return FileRecord(*named)

    def pack(self, name: str) -> PackRecord:
        """A pack as it is installed."""
        if self._packs is None:
            self._packs = {each.name: each for each in find_packs(self._settings)}
        found = self._packs.get(name)
        return PackRecord(name) if found is None else _pack_record(found)

    def installed(self, names: Iterable[str]) -> PackRecord | None:
        """The pack whose folder has the first of these names that one has, whatever its case."""
        if self._packs is None:
            self._packs = {each.name: each for each in find_packs(self._settings)}
        by_name = {name.casefold(): each for name, each in self._packs.items()}
        found = next(filter(None, (by_name.get(each.casefold()) for each in names)), None)
        return None if found is None else _pack_record(found)

    def has_pack(self, name: str) -> bool:
        """Whether a pack of that name is installed, enabled or not."""
        return any(each.name == name for each in find_packs(self._settings))

    def forget_packs(self) -> None:
        """Read the packs' versions again: they were loaded anew."""
        self._packs = None


def packs_now(recorder: Recorder) -> Callable[[Iterable[str]], PackRecord | None]:
    """`Recorder.installed` that reads the packs when it is first asked, and then not again."""
    is_new = True

    def installed(names: Iterable[str]) -> PackRecord | None:
        nonlocal is_new
        if is_new:
            recorder.forget_packs()
            is_new = False
        return recorder.installed(names)

    return installed


def program_version() -> str:
    """Our version, or an empty text where the program is not installed."""
    try:
        return importlib.metadata.version("calotype")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _pack_record(pack: Pack) -> PackRecord:
    return PackRecord(pack.name, pack.version, "" if pack.is_file else commit_of(pack.path))


def commit_of(folder: Path) -> str:
    """The commit that a git repository has checked out; empty where it is none.

    Reads git's files: git itself may be missing, and takes longer to start than a run may.
    """
    try:
        git = folder / ".git"
        if git.is_file():  # a submodule or a work tree
            git = folder / git.read_text("utf-8").removeprefix("gitdir:").strip()
        head = (git / "HEAD").read_text("utf-8").strip()
        if not head.startswith("ref:"):
            return head if _COMMIT.fullmatch(head) else ""
        name = head.removeprefix("ref:").strip()
        if (git / name).is_file():
            found = (git / name).read_text("utf-8").strip()
            return found if _COMMIT.fullmatch(found) else ""
        for line in (git / "packed-refs").read_text("utf-8").splitlines():
            commit, _, packed = line.partition(" ")
            if packed == name and _COMMIT.fullmatch(commit):
                return commit
    except (OSError, ValueError):
        pass
    return ""
