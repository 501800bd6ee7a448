"""Tokenizers that are fetched on request: the list, and the rule that no others are downloaded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace

from engine.downloads.encoder_headers import lacking_encoder
from engine.errors import FilesError
from engine.files import Files
from engine.graph.declared import DeclaredModel
from engine.graph.needs import ModelNeed
from engine.tokenizer_sources import SOURCES, TOKENIZERS, source_of

_HOLDERS = frozenset({"text_encoders", "checkpoints"})


def tokenizer_needs(files: Files) -> list[ModelNeed]:
    """The tokenizers that text encoders may need, each with whether it is here."""
    found: list[ModelNeed] = []
    for encoder, source in SOURCES.items():
        name = f"{encoder}/{source.file}"
        said = DeclaredModel(name, TOKENIZERS, source.url, license=source.license)
        is_here = files.has(TOKENIZERS, name)
        found.append(ModelNeed(name, TOKENIZERS, (), is_here=is_here, declared=said))
    return found


def lacking_tokenizers(models: Iterable[ModelNeed], files: Files) -> list[ModelNeed]:
    """The tokenizers that files of text encoders which are here lack, before a run says so.

    Checkpoints may hold such a text encoder, too. The users are the nodes that load the file.
    """
    lacking: dict[str, list[tuple[str, str]]] = {}
    for each in models:
        if not each.is_here or each.kind not in _HOLDERS:
            continue
        with contextlib.suppress(FilesError):
            encoder = lacking_encoder(files.find(each.kind, each.name))
            if encoder is not None:
                lacking.setdefault(encoder, []).extend(each.users)
    by_encoder = {each.name.partition("/")[0]: each for each in tokenizer_needs(files)}
    return [replace(by_encoder[name], users=tuple(users)) for name, users in lacking.items()]


def refuse_other_tokenizers(kind: str, name: str, url: str) -> None:
    """Refuse a tokenizer that is not in the list, or is said to be elsewhere.

    Raises:
        FilesError: a workflow names it, perhaps to change what every prompt becomes.
    """
    if kind != TOKENIZERS:
        return
    source = source_of(name)
    if source is None or source.url != url:
        raise FilesError(
            f"{name}: only the tokenizers that this program names are downloaded, each from its "
            f"own repository ({', '.join(SOURCES)}); put another one there by hand"
        )
