"""Strings joined, cut, compared and searched: the category `utils/string`."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from string import Formatter
from typing import Annotated, Any, Literal

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Autogrow, InOptionalSection, Range, Text
from nodes.regular_expressions import Pattern, PatternError

Lines = Annotated[str, Text(multiline=True)]
Line = Annotated[str, Text(multiline=False)]
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
MOST_WIDTH = 10_000
"""Characters that a value is padded to at most."""


@node("StringConcatenate", category="utils/string", display="Concatenate")
def string_concatenate(string_a: Lines, string_b: Lines, delimiter: Line = "") -> str:
    """Join two texts, with a delimiter between them."""
    return delimiter.join((string_a, string_b))


@node("StringSubstring", category="utils/string", display="Substring")
def string_substring(string: Lines, start: int, end: int) -> str:
    """Cut a text from `start` to before `end`; negative values count from the end."""
    return string[start:end]


@node("StringLength", category="utils/string", display="Length", output_names=("length",))
def string_length(string: Lines) -> int:
    """The number of characters of a text."""
    return len(string)


@node("CaseConverter", category="utils/string", display="Case Converter")
def case_converter(
    string: Lines, mode: Literal["UPPERCASE", "lowercase", "Capitalize", "Title Case"]
) -> str:
    """Change the case of a text."""
    match mode:
        case "UPPERCASE":
            return string.upper()
        case "lowercase":
            return string.lower()
        case "Capitalize":
            return string.capitalize()
        case "Title Case":
            return string.title()


@node("StringTrim", category="utils/string", display="Trim")
def string_trim(string: Lines, mode: Literal["Both", "Left", "Right"]) -> str:
    """Remove whitespace at the ends of a text."""
    match mode:
        case "Both":
            return string.strip()
        case "Left":
            return string.lstrip()
        case "Right":
            return string.rstrip()


@node("StringReplace", category="utils/string", display="Replace")
def string_replace(string: Lines, find: Lines, replace: Lines) -> str:
    """Replace every `find` in a text."""
    return string.replace(find, replace)


@node("StringContains", category="utils/string", display="Contains", output_names=("contains",))
def string_contains(string: Lines, substring: Lines, case_sensitive: bool = True) -> bool:
    """Check whether a text contains another."""
    if case_sensitive:
        return substring in string
    return substring.lower() in string.lower()


@node("StringCompare", category="utils/string", display="Compare")
def string_compare(
    string_a: Lines,
    string_b: Lines,
    mode: Literal["Starts With", "Ends With", "Equal"],
    case_sensitive: bool = True,
) -> bool:
    """Check whether a text starts with, ends with or equals another."""
    if not case_sensitive:
        string_a, string_b = string_a.lower(), string_b.lower()
    match mode:
        case "Starts With":
            return string_a.startswith(string_b)
        case "Ends With":
            return string_a.endswith(string_b)
        case "Equal":
            return string_a == string_b


class _Filled(Formatter):
    """Python's format language without access to attributes, and with bounded widths."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:  # noqa: ARG002 - the library's
        if not field_name.isidentifier():
            raise NodeError(
                f"{{{field_name[:40]}}} is no placeholder; use the letters of the inputs: {{a}}"
            )
        if field_name not in kwargs:
            given = ", ".join(f"{{{name}}}" for name in kwargs) or "nothing"
            raise NodeError(f"{{{field_name}}} has no value: joined are {given}")
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> Any:
        widths = [int(each) for each in re.findall(r"[0-9]{1,9}", format_spec)]
        if max(widths, default=0) > MOST_WIDTH:
            raise NodeError(f"the width in {format_spec[:40]!r} is above {MOST_WIDTH:,}")
        return super().format_field(value, format_spec)


@node("StringFormat", category="utils/string", display="Format Text")
def string_format(
    f_string: Annotated[str, Text(multiline=True)] = "{a}",
    values: Annotated[
        Mapping[str, Any] | None, Autogrow("value", "*", 0, 26, names=LETTERS)
    ] = None,
) -> str:
    """Put values into a text with placeholders: `{a}, {b:.2f}, {c:>8}`.

    Python's format language, but for attributes and items of values.
    """
    given = {name: value for name, value in (values or {}).items() if value is not None}
    try:
        return _Filled().vformat(f_string, (), given)
    except (ValueError, TypeError, RecursionError) as error:
        raise NodeError(f"the text cannot be formatted: {str(error)[:100]}") from error


@node("RegexMatch", category="utils/string", display="Regex Match", output_names=("matches",))
def regex_match(
    string: Lines,
    regex_pattern: Lines,
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
) -> bool:
    """Check whether a regular expression matches anywhere in a text.

    An invalid regular expression matches nothing; the log says what is wrong with it.
    """
    pattern = _pattern_or_none(
        regex_pattern, ignore_case=case_insensitive, multiline=multiline, dot_all=dotall
    )
    return pattern is not None and pattern.search(string) is not None


@node("RegexExtract", category="utils/string", display="Regex Extract")
def regex_extract(
    string: Lines,
    regex_pattern: Lines,
    mode: Literal["First Match", "All Matches", "First Group", "All Groups"],
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
    group_index: Annotated[int, Range(0, 100)] = 1,
) -> str:
    """Extract what a regular expression matches in a text; several matches on separate lines.

    The group modes return the group of that index, 0 the whole match, which `All Groups` returns
    only for a pattern with groups. `All Matches` returns the first group if the pattern has any,
    else the whole match. An invalid regular expression matches nothing; the log says what is wrong.
    """
    pattern = _pattern_or_none(
        regex_pattern, ignore_case=case_insensitive, multiline=multiline, dot_all=dotall
    )
    if pattern is None:
        return ""
    wanted = 0 if mode == "First Match" else group_index
    if mode == "All Matches":
        wanted = min(pattern.groups, 1)
    if wanted > pattern.groups or (mode == "All Groups" and not pattern.groups):
        return ""
    if mode.startswith("First"):
        found = pattern.search(string)
        return (found[wanted] or "") if found else ""
    return "\n".join(found[wanted] or "" for found in pattern.search_all(string))


def _pattern_or_none(
    source: str, *, ignore_case: bool, multiline: bool, dot_all: bool
) -> Pattern | None:
    """The pattern; None, and a line in the log, where the text is not one."""
    try:
        return Pattern(source, ignore_case=ignore_case, multiline=multiline, dot_all=dot_all)
    except PatternError as error:
        logging.getLogger(__name__).warning("%s; nothing was searched for", error)
        return None


@node("RegexReplace", category="utils/string", display="Regex Replace")
def regex_replace(
    string: Lines,
    regex_pattern: Lines,
    replace: Lines,
    case_insensitive: Annotated[bool, InOptionalSection()] = True,
    multiline: Annotated[bool, InOptionalSection()] = False,
    dotall: Annotated[bool, InOptionalSection()] = False,
    count: Annotated[int, Range(0, 100), InOptionalSection()] = 0,
) -> str:
    r"""Replace what a regular expression matches in a text, at most `count` times (0: always).

    The replacement may refer to groups: `\1`, `\g<name>`.
    """
    pattern = Pattern(
        regex_pattern, ignore_case=case_insensitive, multiline=multiline, dot_all=dotall
    )
    return pattern.replace(string, replace, count=count)
