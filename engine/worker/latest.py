"""The prompt that ran last: the same one again is neither decoded nor signed again."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from engine.graph.prompt import PLAIN, Link, Prompt, parse
from engine.graph.signature import Signature, is_repeatable


class LatestPrompt:
    """A prompt by its text, with the signatures that a run of it found."""

    def __init__(self) -> None:
        self._text = b""
        self._prompt: Prompt | None = None
        self._signatures: Mapping[str, Signature] = {}

    def read(self, text: bytes) -> Prompt:
        """A prompt from its JSON.

        Raises:
            PromptError: it is none.
        """
        if self._prompt is not None and text == self._text:
            return self._prompt
        prompt = parse(msgspec.json.decode(text))
        # A node may change a list or object that it is given: such prompts are read each time.
        plain = all(
            type(each) in PLAIN or type(each) is Link
            for node in prompt.nodes.values()
            for each in node.inputs.values()
        )
        self._text, self._prompt, self._signatures = text, prompt if plain else None, {}
        return prompt

    def signatures_of(self, prompt: Prompt) -> Mapping[str, Signature]:
        """The signatures of its nodes, as far as they are known."""
        return self._signatures if prompt is self._prompt else {}

    def note(self, prompt: Prompt, signatures: Mapping[str, Signature]) -> None:
        """Note what a run found; only of a prompt whose nodes have no fingerprints."""
        if prompt is self._prompt and all(map(is_repeatable, signatures.values())):
            self._signatures = signatures
