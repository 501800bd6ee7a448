"""The tokens of BERT: words in pieces (Wu et al. 2016; Devlin et al. 2019), lower case.

The vocabulary is in `data/` (origin and licence: NOTICE).
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from engine.text.tokens import ChunkFormat

PAD, UNKNOWN, START, END = 0, 100, 101, 102
CHUNKS = ChunkFormat(pad=PAD, start=START, end=END)
LONGEST_WORD = 100
"""Characters; a longer word is unknown."""
_VOCABULARY = Path(__file__).parent / "data" / "bert_uncased_vocabulary.txt.gz"


class WordPieces:
    """BERT's uncased vocabulary of 30,522 pieces."""

    def __init__(self) -> None:
        pieces = gzip.decompress(_VOCABULARY.read_bytes()).decode().splitlines()
        vocabulary = {piece: number for number, piece in enumerate(pieces)}
        self.size = len(pieces)
        self._tokenizer = Tokenizer(
            models.WordPiece(
                vocabulary, unk_token=pieces[UNKNOWN], max_input_chars_per_word=LONGEST_WORD
            )
        )
        self._tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        self._tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def numbers(self, text: str) -> list[int]:
        """Token numbers of a text, without start and end."""
        # An unpaired surrogate, which JSON can hold, has no UTF-8 form.
        text = text.encode("utf-8", "replace").decode()
        return self._tokenizer.encode(text, add_special_tokens=False).ids


@cache
def word_pieces() -> WordPieces:
    """The tokenizer, built on first use."""
    return WordPieces()
