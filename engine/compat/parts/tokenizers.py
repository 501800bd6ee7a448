"""The tokenizers of CLIP objects: prompts to chunks of `(token, weight)`, as plugins take them.

A chunk's tokens are numbers, or vectors [D] in place of a textual inversion; with word ids a third
item counts the words of a prompt from 1, and is 0 for what is not part of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from engine.compat.parts.embeddings import Directories, load_embed
from engine.text.tokens import END, START, ChunkFormat, TextTokenizer, grouped, in_chunks
from engine.text.tokens import clip_tokenizer as engine_tokenizer

LONG = 99999999
"""The `max_length` of a tokenizer without chunks."""


class HostTokenizer:
    """CLIP's vocabulary with the interface of a tokenizer of transformers."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] | None = None

    def __call__(self, text: str | Sequence[str], **_: Any) -> dict[str, Any]:
        """`{"input_ids": [...], "attention_mask": [...]}`, with start and end."""
        if isinstance(text, str):
            numbers = [START, *engine_tokenizer().numbers(text), END]
            return {"input_ids": numbers, "attention_mask": [1] * len(numbers)}
        each = [self(one) for one in text]
        return {key: [one[key] for one in each] for key in ("input_ids", "attention_mask")}

    def get_vocab(self) -> dict[str, int]:
        """Every token and its number."""
        if self._tokens is None:
            self._tokens = engine_tokenizer().vocabulary()
        return dict(self._tokens)

    def __len__(self) -> int:
        return len(self.get_vocab())

    def encode(self, text: str, **_: Any) -> list[int]:
        """Numbers with start and end."""
        return self(text)["input_ids"]

    def tokenize(self, text: str, **_: Any) -> list[str]:
        """The tokens of a text, without start and end."""
        return self.convert_ids_to_tokens(engine_tokenizer().numbers(text))

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        """The tokens of numbers, or the token of one."""
        names = {number: token for token, number in self.get_vocab().items()}
        return names.get(ids) if isinstance(ids, int) else [names.get(int(each)) for each in ids]

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The numbers of tokens, or the number of one."""
        known = self.get_vocab()
        if isinstance(tokens, str):
            return known.get(tokens, END)
        return [known.get(each, END) for each in tokens]

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False, **_: Any) -> str:
        """The text of numbers."""
        if skip_special_tokens:
            ids = [each for each in ids if int(each) not in (START, END)]
        return engine_tokenizer().text([int(each) for each in ids])


class _Numbers(TextTokenizer):
    """A tokenizer of transformers as ours, which gives no start and end."""

    def __init__(self, owner: SDTokenizer) -> None:
        self._owner = owner

    def numbers(self, text: str) -> list[int]:
        """See `TextTokenizer`."""
        if not text:
            return []
        owner = self._owner
        numbers: list[int] = list(owner.tokenizer(text)["input_ids"])
        return numbers[owner.tokens_start : owner.tokens_end]


class SDTokenizer:
    """The tokenizer of one text encoder.

    Attributes:
        tokenizer: text to `{"input_ids": [...]}` with start and end; may be replaced.
        max_length: of a chunk.
        start_token, end_token, pad_token: their numbers, or None.
        tokens_start, tokens_end: the range of the text in `input_ids`.
        pad_to_max_length: whether prompts are cut into chunks and filled up to `max_length`.
    """

    def __init__(
        self,
        tokenizer_path: str | None = None,
        max_length: int = 77,
        pad_with_end: bool = True,
        embedding_directory: Directories = None,
        embedding_size: int = 768,
        embedding_key: str = "clip_l",
        tokenizer_class: Any = None,
        has_start_token: bool = True,
        has_end_token: bool = True,
        pad_to_max_length: bool = True,
        min_length: int | None = None,
        pad_token: int | None = None,
        end_token: int | None = None,
        min_padding: int | None = None,
        pad_left: bool = False,
        disable_weights: bool = False,
        tokenizer_data: Mapping[str, Any] | None = None,
        tokenizer_args: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        data = dict(tokenizer_data or {})
        args = dict(tokenizer_args or {})
        if tokenizer_path is None and tokenizer_class is None:
            self.tokenizer: Any = HostTokenizer()
        else:
            self.tokenizer = tokenizer_class.from_pretrained(tokenizer_path, **args)
        self.max_length = data.get(f"{embedding_key}_max_length", max_length)
        self.min_length = data.get(f"{embedding_key}_min_length", min_length)
        self.min_padding = min_padding
        empty = self.tokenizer("")["input_ids"]
        self.tokenizer_adds_end_token = has_end_token
        self.tokens_start = 1 if has_start_token else 0
        self.start_token = empty[0] if has_start_token and empty else None
        self.tokens_end = -1 if has_end_token else None
        self.end_token = end_token
        if end_token is None and has_end_token and len(empty) > self.tokens_start:
            self.end_token = empty[self.tokens_start]
        self.pad_token = pad_token
        if pad_token is None:
            self.pad_token = self.end_token if pad_with_end else 0
        self.pad_with_end = pad_with_end
        self.pad_to_max_length = pad_to_max_length
        self.pad_left = pad_left
        self.disable_weights = disable_weights
        self.embedding_directory = embedding_directory
        self.embedding_identifier = "embedding:"
        self.embedding_size = embedding_size
        self.embedding_key = embedding_key
        self.max_word_length = 8

    @property
    def inv_vocab(self) -> dict[int, str]:
        """Every token by its number."""
        return {number: token for token, number in self.tokenizer.get_vocab().items()}

    def _try_get_embedding(self, embedding_name: str) -> tuple[Tensor | None, str]:
        """(the vectors of an embedding, or None; the rest of the text behind its name)."""
        found = self._embedding(embedding_name)
        stripped = embedding_name.strip(",")
        if found is None and len(stripped) < len(embedding_name):
            return self._embedding(stripped), embedding_name[len(stripped) :]
        return found, ""

    def _embedding(self, name: str) -> Tensor | None:
        return load_embed(name, self.embedding_directory, self.embedding_size, self.embedding_key)

    def tokenize_with_weights(
        self,
        text: str,
        return_word_ids: bool = False,
        tokenizer_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[list[Any]]:
        """A prompt as chunks of `(token, weight)`, or `(token, weight, word id)`."""
        options = tokenizer_options or {}
        plain = options.get("disable_weights", kwargs.get("disable_weights", self.disable_weights))
        if plain:
            text = text.replace("(", "\\(").replace(")", "\\)")
        words = grouped(_Numbers(self), text, embeddings=self._embedding)
        numbered = [
            [(token, (weight, number)) for token in group]
            for number, (group, weight) in enumerate(words, 1)
        ]
        chunks = self._chunks(numbered, options)
        return [[_item(token, mark, return_word_ids) for token, mark in chunk] for chunk in chunks]

    def _chunks(self, words: Any, options: Mapping[str, Any]) -> Any:
        if self.pad_to_max_length and self.start_token is not None and self.end_token is not None:
            form = ChunkFormat(
                self.max_length, int(self.pad_token or 0), self.start_token, self.end_token
            )
            return in_chunks(words, form)
        chunk: list[Any] = [] if self.start_token is None else [(self.start_token, 1.0)]
        chunk += [token for word in words for token in word]
        if self.end_token is not None:
            chunk.append((self.end_token, 1.0))
        chunk += [(self.pad_token, 1.0)] * (options.get("min_padding", self.min_padding) or 0)
        least = options.get(f"{self.embedding_key}_min_length", self.min_length) or 0
        least = options.get("min_length", least)
        padding = [(self.pad_token, 1.0)] * max(least - len(chunk), 0)
        return [[*padding, *chunk] if self.pad_left else [*chunk, *padding]]

    def untokenize(self, token_weight_pair: Sequence[Any]) -> list[tuple[Any, str | None]]:
        """Each item of a chunk with its token."""
        names = self.inv_vocab
        return [
            (each, names.get(each[0]) if _is_number(each[0]) else None)
            for each in token_weight_pair
        ]

    def state_dict(self) -> dict[str, Any]:
        """Nothing, because the vocabulary is not part of a checkpoint."""
        return {}


def _is_number(token: Any) -> bool:
    return isinstance(token, int)


def _item(token: Any, mark: Any, with_word: bool) -> tuple[Any, ...]:
    weight, word = mark if isinstance(mark, tuple) else (mark, 0)
    return (token, weight, word) if with_word else (token, weight)


class SDXLClipGTokenizer(SDTokenizer):
    """The tokenizer of CLIP bigG, which fills chunks with zeros."""

    def __init__(
        self,
        tokenizer_path: str | None = None,
        embedding_directory: Directories = None,
        tokenizer_data: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        defaults = {"pad_with_end": False, "embedding_size": 1280, "embedding_key": "clip_g"}
        super().__init__(
            tokenizer_path,
            embedding_directory=embedding_directory,
            tokenizer_data=tokenizer_data,
            **(defaults | kwargs),
        )


class SD2ClipHTokenizer(SDTokenizer):
    """The tokenizer of CLIP H, which fills chunks with zeros."""

    def __init__(
        self,
        tokenizer_path: str | None = None,
        embedding_directory: Directories = None,
        tokenizer_data: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        defaults = {"pad_with_end": False, "embedding_size": 1024, "embedding_key": "clip_h"}
        super().__init__(
            tokenizer_path,
            embedding_directory=embedding_directory,
            tokenizer_data=tokenizer_data,
            **(defaults | kwargs),
        )


class SD1Tokenizer:
    """The tokenizer of a model with one text encoder."""

    def __init__(
        self,
        embedding_directory: Directories = None,
        tokenizer_data: Mapping[str, Any] | None = None,
        clip_name: str = "l",
        tokenizer: Callable[..., Any] = SDTokenizer,
        name: str | None = None,
        **_: Any,
    ) -> None:
        self.clip_name = name or clip_name
        self.clip = name or f"clip_{clip_name}"
        made = tokenizer(embedding_directory=embedding_directory, tokenizer_data=tokenizer_data)
        setattr(self, self.clip, made)

    def tokenize_with_weights(
        self, text: str, return_word_ids: bool = False, **kwargs: Any
    ) -> dict[str, list[list[Any]]]:
        """Chunks by the encoder's short name, see `SDTokenizer`."""
        own = getattr(self, self.clip)
        return {self.clip_name: own.tokenize_with_weights(text, return_word_ids, **kwargs)}

    def untokenize(self, token_weight_pair: Sequence[Any]) -> list[tuple[Any, str | None]]:
        """See `SDTokenizer`."""
        return getattr(self, self.clip).untokenize(token_weight_pair)

    def state_dict(self) -> dict[str, Any]:
        """See `SDTokenizer`."""
        return getattr(self, self.clip).state_dict()


class SD2Tokenizer(SD1Tokenizer):
    """The tokenizer of Stable Diffusion 2."""

    def __init__(
        self,
        embedding_directory: Directories = None,
        tokenizer_data: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        super().__init__(embedding_directory, tokenizer_data, "h", SD2ClipHTokenizer)


class SDXLTokenizer:
    """The tokenizers of Stable Diffusion XL, and of its refiner, which uses one of them."""

    def __init__(
        self,
        embedding_directory: Directories = None,
        tokenizer_data: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        self.clip_l: Any = SDTokenizer(
            embedding_directory=embedding_directory, tokenizer_data=tokenizer_data
        )
        self.clip_g: Any = SDXLClipGTokenizer(
            embedding_directory=embedding_directory, tokenizer_data=tokenizer_data
        )

    def tokenize_with_weights(
        self, text: str, return_word_ids: bool = False, **kwargs: Any
    ) -> dict[str, list[list[Any]]]:
        """Chunks for each encoder, `g` and `l`."""
        return {
            "g": self.clip_g.tokenize_with_weights(text, return_word_ids, **kwargs),
            "l": self.clip_l.tokenize_with_weights(text, return_word_ids, **kwargs),
        }

    def untokenize(self, token_weight_pair: Sequence[Any]) -> list[tuple[Any, str | None]]:
        """See `SDTokenizer`."""
        return self.clip_g.untokenize(token_weight_pair)

    def state_dict(self) -> dict[str, Any]:
        """See `SDTokenizer`."""
        return {}
