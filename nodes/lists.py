"""Lists and dictionaries: made, read and written as text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import (
    Autogrow,
    InOptionalSection,
    ListOutput,
    MatchType,
    Range,
    Socket,
)
from nodes.sockets import Anything

Indent = Annotated[int, Range(0, 8), InOptionalSection()]
_MOST_INPUTS = 50


@node(
    "CreateList",
    category="utils/list",
    display="Create List",
    input_is_list=True,
    output_names=("list",),
)
def create_list(
    inputs: Annotated[
        Mapping[str, Sequence[Any]], Autogrow("input", MatchType("list"), 1, _MOST_INPUTS)
    ],
) -> Annotated[list[Any], MatchType("list"), ListOutput()]:
    """Join the items of all inputs to one list, in their order; the nodes behind run for each."""
    return [item for given in inputs.values() if given is not None for item in given]


@node(
    "GetItemFromList",
    category="utils/list",
    display="Get Item From List",
    input_is_list=True,
    output_names=("OUTPUT",),
)
def get_item_from_list(
    list: Annotated[Sequence[Any], Socket("*")],  # noqa: A002 - the incumbent's name
    index: Annotated[Sequence[int], Range(-(2**31), 2**31 - 1)] = (0,),
) -> Anything:
    """The item at that place of a list, from 0; negative places count from the end."""
    place = index[0]
    if not -len(list) <= place < len(list):
        raise NodeError(f"the list has {len(list)} items, from 0 on; there is none at {place}")
    return list[place]


@node("ConvertArrayToString", category="utils/string", display="Convert Array to String")
def convert_array_to_string(
    array: Annotated[Sequence[Any], Socket("ARRAY")], indent: Indent = 2
) -> str:
    """An array as JSON; an indent of 0 writes it on one line."""
    return as_json(array, indent)


@node("ConvertDictionaryToString", category="utils/string", display="Convert Dictionary to String")
def convert_dictionary_to_string(
    dictionary: Annotated[Mapping[str, Any], Socket("DICT")], indent: Indent = 2
) -> str:
    """A dictionary as JSON; an indent of 0 writes it on one line."""
    return as_json(dictionary, indent)


def as_json(value: Any, indent: int) -> str:
    """A value as JSON.

    Raises:
        NodeError: it holds something that JSON does not know.
    """
    try:
        return json.dumps(value, indent=indent or None, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise NodeError(f"this cannot be written as JSON: {str(error)[:100]}") from error
