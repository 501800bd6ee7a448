"""Texts, and regular expressions that must not hang."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NodeError
from nodes import regular_expressions
from nodes.strings import (
    case_converter,
    regex_extract,
    regex_match,
    regex_replace,
    string_compare,
    string_concatenate,
    string_contains,
    string_length,
    string_replace,
    string_substring,
    string_trim,
)


def test_plain_texts():
    assert string_concatenate("a", "b", ", ") == "a, b"
    assert string_concatenate("a", "b") == "ab"
    assert string_substring("landscape", 4, 9) == "scape"
    assert string_substring("landscape", 0, -5) == "land"
    assert string_length("grün 🌲") == 6
    assert string_replace("a red red sun", "red", "blue") == "a blue blue sun"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("UPPERCASE", "A RED SUN"),
        ("lowercase", "a red sun"),
        ("Capitalize", "A red sun"),
        ("Title Case", "A Red Sun"),
    ],
)
def test_cases(mode: str, expected: str):
    assert case_converter("a rEd sun", mode) == expected


@pytest.mark.parametrize(("mode", "expected"), [("Both", "x"), ("Left", "x \n"), ("Right", "\t x")])
def test_trimming(mode: str, expected: str):
    assert string_trim("\t x \n", mode) == expected


def test_containing():
    assert string_contains("A Red Sun", "Red")
    assert not string_contains("A Red Sun", "red")
    assert string_contains("A Red Sun", "red", case_sensitive=False)


@pytest.mark.parametrize("mode", ["Starts With", "Ends With", "Equal"])
def test_comparing(mode: str):
    other = {"Starts With": "Red", "Ends With": "Sun", "Equal": "Red Sun"}[mode]
    assert string_compare("Red Sun", other, mode)
    assert not string_compare("Red Sun", other.lower(), mode)
    assert string_compare("Red Sun", other.lower(), mode, case_sensitive=False)
    assert not string_compare("Red Sun", "moon", mode)


def test_flags_of_a_match():
    text = "first\nSECOND"
    assert regex_match(text, "second")
    assert not regex_match(text, "second", case_insensitive=False)
    assert not regex_match(text, "^second")
    assert regex_match(text, "^second", multiline=True)
    assert not regex_match(text, "first.second")
    assert regex_match(text, "first.second", dotall=True)


SIZES = "512x768, 1024x640"


@pytest.mark.parametrize(
    ("pattern", "mode", "index", "expected"),
    [
        (r"\d+", "First Match", 1, "512"),
        (r"\d+", "All Matches", 1, "512\n768\n1024\n640"),
        (r"(\d+)x(\d+)", "All Matches", 1, "512\n1024"),
        (r"(\d+)x(\d+)", "First Group", 2, "768"),
        (r"(\d+)x(\d+)", "First Group", 0, "512x768"),
        (r"(\d+)x(\d+)", "All Groups", 2, "768\n640"),
        (r"(\d+)x(\d+)", "First Group", 3, ""),
        (r"(\d+)x(\d+)", "All Groups", 3, ""),
        (r"cat", "First Match", 1, ""),
        (r"cat", "All Matches", 1, ""),
        (r"512(y)?", "First Group", 1, ""),
        (r"(\d+)x(\d+)", "All Groups", 0, "512x768\n1024x640"),
        (r"\d+", "All Groups", 0, ""),
        (r"\d+", "First Group", 0, "512"),
    ],
)
def test_extracting(pattern: str, mode: str, index: int, expected: str):
    assert regex_extract(SIZES, pattern, mode, group_index=index) == expected


def test_replacing():
    assert regex_replace(SIZES, r"(\d+)x(\d+)", r"\2 by \1") == "768 by 512, 640 by 1024"
    assert regex_replace(SIZES, r"\d+", "N", count=2) == "NxN, 1024x640"
    assert regex_replace("Sun sun", "sun", "moon", case_insensitive=False) == "Sun moon"
    assert regex_replace("abc", r"(?P<first>a)", r"<\g<first>>") == "<a>bc"


@pytest.mark.parametrize(
    "pattern",
    [
        "a{1000000000}",
        "(?:a{1000}){1000}",
        "(?:(?:a?){1000}){1000}",
        "x{" + "9" * 5000 + "}",
        "(?:[)(]{400}b){400}",
    ],
)
def test_counts_that_would_fill_the_memory_are_refused(pattern: str):
    with pytest.raises(NodeError, match="more than 100,000 elements"):
        regex_match("aaa", pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\d{4}-\d{2}", "2026-11"),
        ("(?:a{300}){300}", "a" * 90_000),
        ("[a{99999999}]", "{"),
        (r"\{99999999}", "{99999999}"),
        ("[]a{99999999}]", "]"),
        ("a{2,99999999}", "aa"),
    ],
)
def test_honest_counts_are_not(pattern: str, text: str):
    assert regex_match(text, pattern)


def test_a_pattern_that_nests_too_deeply_is_said():
    with pytest.raises(NodeError, match="too deep"):
        regex_replace("a", "(" * 3000 + ")" * 3000, "")


def test_what_is_no_regular_expression_is_said(caplog):
    """It matches nothing, and cannot be replaced."""
    assert regex_match("x", "(unclosed") is False
    assert "'(unclosed' is no regular expression: missing )" in caplog.text
    for mode in ("First Match", "All Matches", "First Group", "All Groups"):
        assert not regex_extract("x", "(unclosed", mode)
    with pytest.raises(NodeError, match=r"'\(unclosed' is no regular expression"):
        regex_replace("x", "(unclosed", "")
    for replacement in (r"\7", r"\g<missing>"):
        with pytest.raises(NodeError, match="does not work"):
            regex_replace("x", "x", replacement)


@pytest.mark.parametrize(
    "search",
    [
        regex_match,
        lambda text, pattern: regex_extract(text, pattern, "All Matches"),
        lambda text, pattern: regex_replace(text, pattern, ""),
    ],
)
def test_a_catastrophic_pattern_ends(monkeypatch: pytest.MonkeyPatch, search):
    monkeypatch.setattr(regular_expressions, "SECONDS", 0.05)
    with pytest.raises(NodeError, match=r"nests repetitions.*in one way only"):
        search("a" * 60 + "!", r"^(a|a|aa)+$")


@given(
    text=st.text("abAB1 .\n", max_size=30),
    pattern=st.sampled_from([r"a+", r"(a)(b)?", r"^\w", r".", r"a|B", r"[^a]*", r"\b", r"(?i:b)$"]),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_the_language_is_python_s(text: str, pattern: str, flags: tuple[bool, bool, bool]):
    names = (re.IGNORECASE, re.MULTILINE, re.DOTALL)
    chosen = sum(name for name, wanted in zip(names, flags, strict=True) if wanted)
    assert regex_match(text, pattern, *flags) == bool(re.search(pattern, text, chosen))
    replaced = re.sub(pattern, "<>", text, flags=chosen)
    assert regex_replace(text, pattern, "<>", *flags) == replaced
    found = [each.group() for each in re.finditer(pattern, text, chosen)]
    if "(" not in pattern:
        assert regex_extract(text, pattern, "All Matches", *flags) == "\n".join(found)
