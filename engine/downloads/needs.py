"""What a workflow needs, with what can be done about it: the list of the API and the commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from engine.downloads.addresses import AddressError, read_address
from engine.downloads.pack_versions import FindPack, find_nothing, pack_json, pack_line
from engine.downloads.targets import Target, models_folder, plan_target
from engine.downloads.tokenizers import lacking_tokenizers, refuse_other_tokenizers
from engine.errors import FilesError
from engine.files import Files
from engine.graph.needs import ModelNeed, Needs, find_needs
from engine.graph.schema import Catalog
from engine.graph.workflow import Conversion
from engine.settings import Settings


class List(Protocol):
    """Lists the files of a kind."""

    def __call__(self, kind: str) -> Sequence[str]:
        """Their names."""
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """A missing model that can be downloaded.

    Attributes:
        need: what the workflow says.
        url: from there.
        host: which has to be allowed.
        target: where it goes.
    """

    need: ModelNeed
    url: str
    host: str
    target: Target


def describe_needs(
    document: object,
    conversion: Conversion,
    catalog: Catalog,
    files: Files,
    settings: Settings,
    list_folder: List | None = None,
    find_pack: FindPack = find_nothing,
) -> dict[str, Any]:
    """The needs of a document as JSON; `docs/http_api.md` has its form. Contacts nobody.

    Args:
        document: decoded JSON, from which `conversion` was made.
        conversion: its prompt and its missing classes.
        catalog: the schemas of the classes.
        files: the user's folders.
        settings: where they are.
        list_folder: lists files of a kind, if not `files`.
        find_pack: finds an installed pack.
    """
    found = find_needs(document, conversion, catalog, list_folder or files.list, files.has)
    models = (*found.models, *lacking_tokenizers(found.models, files))
    return {
        "models": [model_json(each, files, settings) for each in models],
        "packs": [pack_json(each, find_pack) for each in found.packs],
        "unknown": {name: list(ids) for name, ids in found.unknown.items()},
        "omitted": found.omitted,
    }


def offers_of(found: Needs, files: Files, settings: Settings) -> list[Offer]:
    """The missing models that can be downloaded."""
    missing = [each for each in found.models if not each.is_here]
    missing += lacking_tokenizers(found.models, files)
    offers = [offer_of(each, files, settings) for each in missing]
    return [each for each in offers if isinstance(each, Offer)]


def lines_of(
    found: Needs,
    files: Files,
    settings: Settings,
    find_pack: FindPack = find_nothing,
    absences: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """What is missing and cannot be downloaded, a line each, with what to do.

    Args:
        found: what the document needs.
        files: the user's folders.
        settings: where they are.
        find_pack: finds an installed pack.
        absences: why classes are missing, where that is known.
    """
    lines: list[str] = []
    for need in found.models:
        offer = None if need.is_here else offer_of(need, files, settings)
        if isinstance(offer, str):
            lines.append(f"{need.name}: missing ({need.kind or 'folder unknown'}); {offer}")
    lines += filter(None, (pack_line(each, find_pack) for each in found.packs))
    unknown = "{}: missing; the file does not say which pack has it"
    lines += [absences.get(name, unknown.format(name)) for name in found.unknown]
    return lines


def offer_of(need: ModelNeed, files: Files, settings: Settings) -> Offer | str:
    """How a model can be downloaded, or a sentence why not."""
    url = need.declared.url if need.declared else None
    if url is None:
        return "the workflow does not say where it can be downloaded"
    try:
        address = read_address(url)
        target = plan_target(need.kind, need.name, files, settings)
        refuse_other_tokenizers(target.kind, target.name, str(address.url))
    except (AddressError, FilesError) as error:
        return str(error)
    return Offer(need, str(address.url), address.host, target)


def model_json(need: ModelNeed, files: Files, settings: Settings) -> dict[str, Any]:
    """One model of the list."""
    declared = need.declared
    found: dict[str, Any] = {
        "name": need.name,
        "kind": need.kind,
        "here": need.is_here,
        "nodes": [list(each) for each in need.users],
        "offers": list(need.offers),
        "url": declared.url if declared else None,
        "sha256": declared.sha256 if declared else None,
        "size": declared.size if declared else None,
        "license": declared.license if declared else None,
        "host": None,
        "folder": None,
        "warning": None,
        "problem": None,
    }
    if need.is_here:
        return found
    offer = offer_of(need, files, settings)
    if isinstance(offer, Offer):
        more = {"url": offer.url, "host": offer.host, "warning": offer.target.warning}
        return {**found, **more, "folder": str(offer.target.path.parent)}
    return {**found, "problem": offer, "folder": _folder(need.kind, files, settings)}


def _folder(kind: str | None, files: Files, settings: Settings) -> str | None:
    """Where a file goes that is fetched by hand."""
    try:
        return str(models_folder(kind, files, settings))
    except FilesError:
        return None
