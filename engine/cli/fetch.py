"""`fetch`: download the models that a workflow needs, after asking; without a server."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.cli.document import read_document
from engine.cli.pack_loading import quiet_output, worker_with_packs
from engine.cli.report import DONE, FAILED, INVALID
from engine.downloads.manager import Downloads
from engine.downloads.needs import Offer, lines_of, offer_of, offers_of
from engine.downloads.records import WAITING, Download
from engine.downloads.tokenizers import tokenizer_needs
from engine.errors import CalotypeError, FilesError, PromptError, WorkflowError
from engine.files import Files
from engine.graph.needs import find_needs
from engine.record.hashes import FileHashes
from engine.settings import Settings

_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """The options of the command line.

    Attributes:
        paths: the workflows.
        tokenizers: text encoders whose tokenizer is wanted.
        yes: answer the questions for hosts and files.
        allow_pickled: also take formats that can hold programs.
        allow_private: also ask hosts of the user's own network.
    """

    paths: Sequence[Path]
    tokenizers: frozenset[str] = frozenset()
    yes: bool = False
    allow_pickled: bool = False
    allow_private: bool = False


def fetch(options: FetchOptions, settings: Settings) -> int:
    """List what workflows need, ask, and download it; returns the exit code."""
    try:
        with quiet_output():
            offers, lines = _list(options, settings)
    except (WorkflowError, PromptError) as error:
        sys.stderr.write(f"{error}\n")
        return INVALID
    except CalotypeError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    for line in lines:
        sys.stderr.write(f"{plain(line)}\n")
    if not offers:
        sys.stderr.write("" if lines else "nothing is missing\n")
        return INVALID if lines else DONE
    for offer in offers:
        sys.stdout.write(f"{offer.target.path}\n    from {offer.url}\n")
        if offer.target.warning and not options.allow_pickled:
            sys.stdout.write(f"    {offer.target.warning} (--allow-pickled)\n")
    sys.stdout.flush()
    wanted = [each for each in offers if options.allow_pickled or not each.target.warning]
    count = f"{len(wanted)} file{'' if len(wanted) == 1 else 's'}"
    if not wanted or not _is_yes(f"Download {count}?", yes=options.yes):
        return FAILED
    done = asyncio.run(_Fetching(options, settings).run(wanted))
    return DONE if done and len(wanted) == len(offers) and not lines else FAILED


def _list(options: FetchOptions, settings: Settings) -> tuple[list[Offer], list[str]]:
    """What is missing and can be downloaded; a line for all else that is missing."""
    offers: dict[Path, Offer] = {}
    lines: dict[str, None] = {}
    files = Files(settings)
    for need in tokenizer_needs(files):
        if need.name.partition("/")[0] in options.tokenizers and not need.is_here:
            offer = offer_of(need, files, settings)
            if isinstance(offer, Offer):
                offers[offer.target.path] = offer
            else:
                lines[f"{need.name}: {offer}"] = None
    if not options.paths:
        return list(offers.values()), list(lines)
    worker = worker_with_packs(settings)
    for path in options.paths:
        source = read_document(path)
        document = source.document
        conversion = source.convert(worker.catalog, worker.files, None)
        found = find_needs(
            document, conversion, worker.catalog, worker.files.list, worker.files.has
        )
        for offer in offers_of(found, worker.files, settings):
            offers.setdefault(offer.target.path, offer)
        said = lines_of(
            found, worker.files, settings, worker.recorder.installed, conversion.absences
        )
        lines.update(dict.fromkeys(said))
    return list(offers.values()), list(lines)


class _Fetching:
    """Downloads in this process; another server's queue is not touched."""

    def __init__(self, options: FetchOptions, settings: Settings) -> None:
        self._options = options
        self._is_terminal = sys.stderr.isatty()
        self._hashes = FileHashes(settings)
        self._downloads = Downloads(
            settings.user_directory / "downloads", queue="fetch", on_change=self._show
        )

    async def run(self, offers: Sequence[Offer]) -> bool:
        """Download these; whether all of them are here at the end."""
        downloads = self._downloads
        for each in downloads.list():  # of an earlier command that ended
            if each.state != "done":
                await downloads.pause(each.id)
        try:
            ends = [await self._get(each) for each in offers]
        finally:
            await downloads.stop()
        return all(ends)

    async def _get(self, offer: Offer) -> bool:
        need, downloads = offer.need, self._downloads
        declared = need.declared
        try:
            found = await downloads.add(
                offer.url,
                offer.target,
                sha256=declared.sha256 if declared else None,
                confirmed=self._options.allow_pickled,
            )
            while found.state in WAITING or (found.state == "asks" and await self._allow(found)):
                await asyncio.sleep(_LOOK_SECONDS)
                found = downloads.find(found.id) or found
        except CalotypeError as error:
            self._say(str(error))
            return False
        if found.state != "done":
            self._say(f"{found.name}: {found.message}")
            return False
        checked = "" if found.sha256 else "; nobody states its hash"
        self._say(f"{found.name}: here, SHA-256 {found.found_sha256}{checked}")
        await downloads.cancel(found.id)  # the list of a command ends with it
        return True

    async def _allow(self, found: Download) -> bool:
        """Ask for a host; whether it was allowed."""
        host = found.asks_host or ""
        self._say(found.message or "")
        if found.asks_private and not self._options.allow_private:
            self._say("--allow-private allows hosts of your own network")
            return False
        question = f"Allow {host}, from now on?"
        if not await asyncio.to_thread(_is_yes, question, yes=self._options.yes):
            return False
        # What nobody was asked about is allowed for this command only.
        remember = not self._options.yes
        await self._downloads.allow(host, private=found.asks_private, remember=remember)
        return True

    def _show(self, changed: Sequence[Download], _: Sequence[str]) -> None:
        for each in changed:
            if each.state == "done" and each.found_sha256 and each.size is not None:
                with contextlib.suppress(FilesError):  # deleted at once
                    self._hashes.take_over(Path(each.path), each.found_sha256, each.size)
            if self._is_terminal and each.state == "running":
                of = f" of {each.size / 1e9:.2f}" if each.size else ""
                text = f"{each.name}: {each.received / 1e9:.2f}{of} GB, {each.speed / 1e6:.1f} MB/s"
                sys.stderr.write(f"\r\x1b[K{text[:200]}")
                sys.stderr.flush()

    def _say(self, text: str) -> None:
        start = "\r\x1b[K" if self._is_terminal else ""
        sys.stderr.write(f"{start}{plain(text)}\n")


def _is_yes(question: str, *, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        sys.stderr.write(f"{question} There is no terminal to ask on; --yes answers yes\n")
        return False
    try:
        return input(f"{question} [y/n] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


def plain(text: str) -> str:
    """A text from a stranger without characters that would command a terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)
