"""The user's folders: list them, find inside them, name a new file. Nothing leaves them.

Handles names and paths; never opens a picture or a weights file.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from engine.atomic import make_folder, refusals, stream_atomically
from engine.errors import FilesError
from engine.folder_kinds import (
    ALIASES,
    DIFFUSERS_FOLDERS,
    DIFFUSERS_INDEX,
    INPUT_FOLDERS,
    INPUT_MEDIA,
    LISTED_SUFFIXES,
    MODEL_FOLDERS,
    OFFERED,
    VAE_CHOICES,
    WEIGHTS_SUFFIXES,
    pipeline_folders,
)
from engine.paths import (
    BadNameError,
    as_spelled,
    inside,
    is_sendable,
    nearest_names,
    split_annotation,
)
from engine.prefixes import prefix_fault, split_prefix
from engine.settings import Settings
from engine.tiny_names import complete_tiny, tiny_files

_HASHED_BYTES = 1 << 20
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewFile:
    """A new file under a name that was free.

    Attributes:
        path: where to write; see `Files.fill`.
        filename, subfolder, place: how a browser requests it (`/view`).
    """

    path: Path
    filename: str
    subfolder: str
    place: str

    def shown(self) -> dict[str, str]:
        """The item that goes into a node's shown `images`, `latents` ..."""
        return {"filename": self.filename, "subfolder": self.subfolder, "type": self.place}


class Files:
    """The folders of one set of settings. Cheap to make; reads the disk only on a call.

    `embed_metadata` says whether saved files are to carry how they were made.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.embed_metadata = settings.embed_metadata
        self._places = {
            "input": settings.input_directory,
            "output": settings.output_directory,
            "temp": settings.temp_directory,
        }
        self._changed: Mapping[str, tuple[tuple[Path, ...], frozenset[str]]] = {}
        self._left_out: set[Path] = set()
        self._last: dict[tuple[Path, str], int] = {}
        """The number that was claimed last for a stem: a folder of many pictures is read once."""

    def change_folders(self, changed: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> None:
        """Use other folders for some kinds, as plugins declare them; replaces former changes.

        Args:
            changed: by kind, the folders in the order they are searched, and the suffixes of the
                files to list (`.safetensors`; in any case); none for all files.
        """
        self._changed = {
            ALIASES.get(kind, kind): (
                tuple(map(Path, folders)),
                frozenset(suffix.lower() for suffix in suffixes),
            )
            for kind, (folders, suffixes) in changed.items()
        }

    def folders(self, kind: str) -> tuple[Path, ...]:
        """The folders of files of that kind, in the order they are searched."""
        if (changed := self._changed.get(ALIASES.get(kind, kind))) is not None:
            return tuple(dict.fromkeys(changed[0]))
        if kind in self._places:
            return (self._places[kind],)
        if kind == INPUT_FOLDERS or kind in INPUT_MEDIA:
            return (self._places["input"],)
        if kind in OFFERED:
            return tuple(folder for each in OFFERED[kind] for folder in self.folders(each))
        kind = ALIASES.get(kind, kind)
        extra = self._settings.model_folders
        found = [
            path for name, alias in ALIASES.items() if alias == kind for path in extra.get(name, ())
        ]
        found = [*extra.get(kind, ()), *found]
        for models in self._settings.models_directories:
            found += [models / name for name in MODEL_FOLDERS.get(kind, (kind,))]
        return tuple(dict.fromkeys(found))

    def list(self, kind: str) -> list[str]:
        """The names of that kind's files, below their folders, with `/`, sorted.

        Files that cannot be opened by their name are left out, which is logged once.
        """
        if kind == INPUT_FOLDERS:
            folders = {name.rpartition("/")[0] for name in self.list("input")}
            outer = {name.rsplit("/", up)[0] for name in folders for up in range(name.count("/"))}
            return sorted({*folders, *outer} - {""})
        if kind == VAE_CHOICES:
            return [*self.list("vae"), *complete_tiny(self.list("vae_approx"))]
        walked = (name for folder in self.folders(kind) for name in self._walk(folder))
        if kind == DIFFUSERS_FOLDERS:
            return pipeline_folders(walked)
        suffixes = self.suffixes(kind)
        names = {name for name in walked if not suffixes or Path(name).suffix.lower() in suffixes}
        return sorted(names, key=lambda name: (name.count("/") > 0, name.lower(), name))

    def suffixes(self, kind: str) -> frozenset[str]:
        """The suffixes of the files that are listed of that kind; none for all files."""
        kind = ALIASES.get(kind, kind)
        if (changed := self._changed.get(kind)) is not None:
            return changed[1]
        if kind in LISTED_SUFFIXES:
            return LISTED_SUFFIXES[kind]
        return WEIGHTS_SUFFIXES if kind in MODEL_FOLDERS else frozenset()

    def find(self, kind: str, name: str) -> Path:
        """The file of that kind and name.

        Raises:
            FilesError: there is none, or the name leads out of the folder.
        """
        found = self.locate(kind, name)
        if found is not None:
            return found
        known = self.list(kind)
        close = nearest_names(name, known)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise FilesError(
            f"{kind}: there is no file {name!r} ({len(known)} found in the folder){hint} "
            f"Put it into {kind}/ or choose another."
        )

    def find_folder(self, name: str) -> Path:
        """A folder inside the input folder.

        Raises:
            FilesError: there is none, or the name leads out of it.
        """
        root = self._places["input"]
        path = _inside(root, name)
        if _is(path.is_dir):
            return path
        known = self.list(INPUT_FOLDERS)
        raise FilesError(
            f"there is no folder {name!r} in the input folder, found "
            f"{', '.join(map(repr, known[:5])) or 'none'}. Make one below {root} and put the "
            "pictures into it."
        )

    def output_folder(self, name: str) -> Path:
        """A folder inside the output folder, which may not exist yet.

        Raises:
            FilesError: the name leads out of it.
        """
        return _inside(self._places["output"], name)

    def state_file(self, room: str, name: str) -> Path:
        """Where a node stores what it needs to resume after a crash; below the user's folder."""
        return self._settings.user_directory / room / name

    def locate(self, kind: str, name: str) -> Path | None:
        """The file of that kind and name, or None; lists no folder. Of a pipeline: its index.

        Raises:
            FilesError: the name leads out of the folder.
        """
        if kind == VAE_CHOICES:
            tiny = self.tiny_autoencoder(name)
            return self.locate("vae", name) or (tiny[0] if tiny else None)
        if kind == DIFFUSERS_FOLDERS:
            name = f"{name}/{DIFFUSERS_INDEX}"
        for folder in self.folders(kind):
            # The literal spelling comes first: a backslash may be part of a listed name.
            spelled = as_spelled(folder.resolve(), name)
            if spelled is not None and _is(spelled.is_file):
                return spelled
            if _is((path := _inside(folder, name)).is_file):
                return path
        return None

    def tiny_autoencoder(self, name: str) -> list[Path]:
        """The files of a tiny autoencoder, see `tiny_files`; empty where there is none."""
        return [self.find("vae_approx", each) for each in tiny_files(name, self.list("vae_approx"))]

    def has(self, kind: str, name: str) -> bool:
        """Whether there is a file of that kind and name inside its folders."""
        try:
            return self.locate(kind, name) is not None
        except FilesError:
            return False

    def find_annotated(self, name: str, *, place: str = "input") -> Path:
        """A file in the input folder, or where a suffix says: `x.png [output]`, `x.png [temp]`.

        Raises:
            FilesError: there is none, or the name leads out of the folder.
        """
        plain, chosen = split_annotation(name)
        if chosen is None or self.has(place, name):  # a file may be called `x [output]`
            return self.find(place, name)
        return self.find(chosen, plain)

    def _walk(self, folder: Path) -> Iterator[str]:
        """Names of files below a folder, with `/`, but for hidden ones.

        Links are followed, but never in a cycle. Works with strings: a Path is made for each folder
        only, as one may hold a hundred thousand files.
        """
        seen: set[str] = set()
        pending = [(folder, "")]
        while pending:
            current, prefix = pending.pop()
            real = os.path.realpath(current)
            if real in seen:
                continue
            seen.add(real)
            inner: list[str] = []
            for entry in _entries(current):
                name = entry.name
                if name.startswith("."):
                    continue
                if not is_sendable(name):
                    self._leave_out(current / name, "its name is not UTF-8; rename it")
                elif _is(entry.is_dir):
                    inner.append(name)
                elif _is(entry.is_file):
                    yield prefix + name
                elif entry.is_symlink():
                    self._leave_out(current / name, "it is a link to nothing")
            pending += [
                (current / each, f"{prefix}{each}/") for each in sorted(inner, reverse=True)
            ]

    def _leave_out(self, path: Path, why: str) -> None:
        if path not in self._left_out:
            self._left_out.add(path)
            shown = str(path).encode("utf-8", "backslashreplace").decode()
            _LOGGER.warning("%s is left out of the lists: %s", shown, why)

    def has_shown(self, item: Mapping[str, object]) -> bool:
        """Whether a file that a node showed exists; an item that names no file of ours counts too.

        Args:
            item: what `NewFile.shown` gives.
        """
        name, place = item.get("filename"), item.get("type", "output")
        if not isinstance(name, str) or not isinstance(place, str) or place not in self._places:
            return True
        try:
            folder = inside(self._places[place], str(item.get("subfolder") or ""))
            return inside(folder, name).is_file()
        except (BadNameError, OSError):
            return True

    def new_output(
        self, prefix: str, suffix: str, *, place: str = "output", width: int = 0, height: int = 0
    ) -> NewFile:
        """Claim the next free `prefix_00001_.png`; the empty file exists when this returns.

        What `prefix` may hold: see `engine/prefixes.py`; what is too long is cut. Numbers continue
        after the highest one present at first, those of previews restart, and two processes never
        get the same one.

        Raises:
            FilesError: the prefix leads out of the folder, or it cannot be written.
        """
        if fault := prefix_fault(prefix):
            raise FilesError(fault)
        inner, stem = split_prefix(prefix, suffix, width=width, height=height)
        folder = _inside(self._places[place], inner)
        with refusals(stem):
            make_folder(folder, durable=place != "temp")
            number = self._last.get((folder, stem))
            if number is None:
                number = 0 if place == "temp" else _highest(folder, stem)
            while True:
                number += 1
                path = folder / f"{stem}_{number:05}_{suffix}"
                try:
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
                    break
                except FileExistsError:
                    number = max(number, _highest(folder, stem))
            if place != "temp":  # each preview has its own stem
                self._last[folder, stem] = number
        subfolder = folder.relative_to(self._places[place]).as_posix()
        return NewFile(path, path.name, "" if subfolder == "." else subfolder, place)

    def write(self, new: NewFile, content: bytes) -> None:
        """Fill a claimed file with these bytes: whole, or not at all.

        Raises:
            DiskError: the disk refused; the claim is released.
        """
        self.fill(new, lambda stream: stream.write(content))

    def fill(self, new: NewFile, write: Callable[[BinaryIO], object]) -> None:
        """Fill a claimed file by writing to a stream: whole, or not at all.

        A preview is written in place: its name is not known before, and a crash or a power cut may
        take it, since the folder is emptied at the next start.

        Raises:
            DiskError: the disk refused; the claim is released, as for whatever `write` raises.
        """
        try:
            if new.place == "temp":
                with refusals(new.filename), new.path.open("wb") as stream:
                    write(stream)
            else:
                stream_atomically(new.path, write)
        except BaseException:
            with contextlib.suppress(OSError):
                new.path.unlink(missing_ok=True)
            raise


def file_identity(path: Path) -> tuple[str | int, ...]:
    """What identifies one state of a file: its path, times and size, and a small one's content.

    A copy may have the time and the size of what it replaces, but not the time of that change.

    Raises:
        FilesError: there is no such file.
    """
    try:
        found = path.stat()
        digest = ""
        if found.st_size <= _HASHED_BYTES:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "blake2b").hexdigest()
    except OSError as error:
        raise FilesError(f"{path.name}: {error.strerror}") from error
    times = found.st_mtime_ns, found.st_ctime_ns
    return (str(path), *times, found.st_dev, found.st_ino, found.st_size, digest)


def _entries(folder: Path) -> Sequence[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return ()  # as for a missing folder: there is nothing to choose


def _is(question: Callable[[], bool]) -> bool:
    """A check of a path; links in a cycle and names that are too long count as no file."""
    try:
        return question()
    except OSError:
        return False


def _inside(folder: Path, name: str) -> Path:
    try:
        return inside(folder, name)
    except BadNameError as error:
        raise FilesError(f"{name!r} leads out of {folder.name}/; name a file inside it") from error


def _highest(folder: Path, stem: str) -> int:
    pattern = re.compile(re.escape(stem) + r"_([0-9]{5,9})_\.[^.]+$", re.IGNORECASE)
    return max(
        (int(match[1]) for path in folder.iterdir() if (match := pattern.match(path.name))),
        default=0,
    )
