"""Prompt syntax and tokens against the reference's 23 prompts, and our own rules."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.text.prompt_syntax import EMPHASIS, weighted_spans
from engine.text.tokens import END, START, ChunkFormat, clip_tokenizer, tokenize


def text_tokens(chunk):
    """The tokens of a chunk without start, end and padding."""
    return [token for token, _ in chunk if not isinstance(token, int) or token not in (START, END)]


def test_all_reference_prompts_give_the_same_tokens_and_weights(reference_folder):
    cases = json.loads((reference_folder / "tokens.json").read_text(encoding="utf-8"))
    assert len(cases) == 23
    for name, case in cases.items():
        expected = [[tuple(token) for token in chunk] for chunk in case["tokens"]["l"]]
        assert tokenize(clip_tokenizer(), case["text"]) == expected, name


def test_a_word_is_what_clip_published():
    assert clip_tokenizer().numbers("a photo of a cat") == [320, 1125, 539, 320, 2368]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("a (b) c", [("a ", 1.0), ("b", 1.1), (" c", 1.0)]),
        ("(a:1.3)", [("a", 1.3)]),
        ("((a:1.3))", [("a", 1.3)]),
        ("((a) b:1.5)", [("a", 1.5 * 1.1), (" b", 1.5)]),
        ("(a:b:0.5)", [("a:b", 0.5)]),
        ("(:1.2)", [(":1.2", 1.1)]),
        ("(a:nan)", [("a:nan", 1.1)]),
        (r"\(a\) (b\):2)", [("(a) ", 1.0), ("b)", 2.0)]),
        ("a) (b:1.3)", [("a) (b:1.3)", 1.0)]),
        ("a (b (c", [("a ", 1.0), ("(b (c", 1.0)]),
        ("()", []),
        ("[a]", [("[a]", 1.0)]),
        ("(" * 3000 + "a" + ")" * 3000, [("a", pytest.approx(1.1**3000))]),
    ],
)
def test_weights_are_read_as_people_write_them(text, spans):
    assert weighted_spans(text) == spans


DEPTH = 100_000


def test_depth_costs_no_more_than_length():
    """A hundred thousand levels, each read once."""
    nested = weighted_spans("(" * DEPTH + "a:0.5" + ")" * DEPTH)
    assert nested == [("a", 0.5)]
    weighted = weighted_spans("(a" * DEPTH + ":1.5" + ")" * DEPTH)
    assert len(weighted) == DEPTH
    assert weighted[-1] == ("a", 1.5)
    uneven = weighted_spans("(" * DEPTH + "a" + ")" * (DEPTH // 2))
    assert len(uneven) == 1
    assert uneven[0][0] == "(" * (DEPTH // 2) + "a"


def by_definition(text, weight=1.0):
    """The syntax by its definition, level by level."""
    found = []
    for part in by_level(text):
        if part.startswith("(") and part.endswith(")"):
            before, colon, number = part[1:-1].rpartition(":")
            try:
                given = float(number) if colon and before else math.nan
            except ValueError:
                given = math.nan
            if math.isfinite(given):
                found += by_definition(before, given)
            else:
                found += by_definition(part[1:-1], weight * EMPHASIS)
        else:
            found.append((part, weight))
    return found


def by_level(text):
    depth = start = 0
    for i, letter in enumerate(text):
        if letter == "(":
            if depth == 0 and i > start:
                yield text[start:i]
                start = i
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth == 0:
                yield text[start : i + 1]
                start = i + 1
    if start < len(text):
        yield text[start:]


@given(st.text(alphabet="(()):1.a", max_size=24))
def test_every_nesting_reads_as_its_definition_says(text):
    assert weighted_spans(text) == by_definition(text)


def test_an_embedding_takes_the_place_of_its_words(caplog):
    vectors = torch.arange(6.0).reshape(2, 3)
    asked = []

    def embeddings(name):
        asked.append(name)
        return vectors if name == "style" else None

    (chunk,) = tokenize(
        clip_tokenizer(), "a (embedding:style, cat:1.5) embedding:lost dog", embeddings=embeddings
    )
    assert asked == ["style,", "style", "lost"]
    assert [token for token, _ in chunk[1:2]] == [320]
    assert torch.equal(torch.stack([token for token, _ in chunk[2:4]]), vectors)
    assert [weight for _, weight in chunk[2:6]] == [1.5] * 4
    assert [token for token, _ in chunk[4:7]] == [267, 2368, 1929]
    assert chunk[7:] == [(END, 1.0)] * 70
    said = ["embedding:lost is left out: there is none of that name that can be used"]
    assert caplog.messages == said
    caplog.clear()
    tokenize(clip_tokenizer(), "embedding:lost " * 50, embeddings=embeddings)
    assert caplog.messages == said


def test_a_short_span_is_not_cut_in_two_but_a_long_one_is():
    words = "cat " * 73
    first, second = tokenize(clip_tokenizer(), f"{words}(dog dog dog:1.2)")
    assert len(text_tokens(first)) == 73
    assert len(text_tokens(second)) == 3
    first, second = tokenize(clip_tokenizer(), f"{words}({'dog ' * 8}:1.2)")
    assert len(text_tokens(first)) == 75
    assert len(text_tokens(second)) == 6


def test_a_chunk_that_is_just_full_stays_alone():
    assert len(tokenize(clip_tokenizer(), "cat " * 75)) == 1
    assert len(tokenize(clip_tokenizer(), "cat " * 76)) == 2


def test_another_encoder_pads_with_another_token():
    (chunk,) = tokenize(clip_tokenizer(), "cat", chunks=ChunkFormat(length=5, pad=0))
    assert chunk == [(START, 1.0), (2368, 1.0), (END, 1.0), (0, 1.0), (0, 1.0)]


def test_lower_case_is_pythons():
    assert clip_tokenizer().numbers("ΣΑΣ") == clip_tokenizer().numbers("σας")


def test_half_a_surrogate_pair_is_no_reason_to_fail():
    assert clip_tokenizer().numbers("a \ud83c cat") == clip_tokenizer().numbers("a ? cat")
