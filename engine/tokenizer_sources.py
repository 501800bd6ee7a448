"""Tokenizers that may not be part of this program: which file each text encoder needs, and whose.

Many files of text encoders bring their tokenizer; these are for those that do not. Names,
repositories and places only: nothing is read or downloaded here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

TOKENIZERS = "tokenizers"
"""Their folder among those of models; below it, one folder for each text encoder."""
_HOST = "huggingface.co"
FILES = ("tokenizer.json", "tekken.json", "spiece.model", "tokenizer.model")
FOLDERS_UP = 4
"""So many folders above a file are searched for a folder `tokenizers`."""


class TokenizerFile(NamedTuple):
    """A file of a repository on Hugging Face, and its licence where that is known."""

    file: str
    repository: str
    license: str | None = None

    @property
    def url(self) -> str:
        """Where the file is."""
        return f"https://{_HOST}/{self.repository}/resolve/main/{self.file}"

    @property
    def wanted(self) -> str:
        """The file in words."""
        return f"{self.file} of {self.repository} ({_HOST})"


SOURCES: Mapping[str, TokenizerFile] = MappingProxyType(
    {
        "umt5xxl": TokenizerFile("spiece.model", "google/umt5-xxl"),
        "pile_t5xl": TokenizerFile("tokenizer.json", "EleutherAI/pile-t5-xl"),
        "mistral3_24b": TokenizerFile(
            "tekken.json", "mistralai/Mistral-Small-3.2-24B-Instruct-2506", "apache-2.0"
        ),
        "ministral3_3b": TokenizerFile(
            "tekken.json", "mistralai/Ministral-3-3B-Instruct-2512", "apache-2.0"
        ),
        "gemma2_2b": TokenizerFile("tokenizer.model", "google/gemma-2-2b", "gemma"),
        "llama3_8b": TokenizerFile(
            "tokenizer.json", "xtuner/llava-llama-3-8b-v1_1-transformers", "llama3"
        ),
        # words are split alike; the further tokens of LLaVA are none of Llama 3.1's
        "llama31_8b": TokenizerFile(
            "tokenizer.json", "xtuner/llava-llama-3-8b-v1_1-transformers", "llama3"
        ),
    }
)
"""By the name of the text encoder."""


def source_of(name: str) -> TokenizerFile | None:
    """The source of a file below the folder of tokenizers, `umt5xxl/spiece.model`, if it is one."""
    encoder, _, file = name.partition("/")
    found = SOURCES.get(encoder)
    return found if found is not None and found.file == file else None


def candidates(path: Path, encoder: str) -> Iterator[Path]:
    """Where the tokenizer of a file of weights may be: beside it by its name, `tokenizers/NAME`."""
    for file in FILES:
        yield path.with_suffix("") / file
        yield path.with_name(f"{path.stem}.{file}")
    for folder in list(path.parents)[:FOLDERS_UP]:
        for file in FILES:
            yield folder / TOKENIZERS / encoder / file
