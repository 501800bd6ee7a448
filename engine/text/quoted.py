"""What a prompt has in quotation marks: the words that a picture shall show, for a glyph encoder.

The form is that of HunyuanImage 2.1 and HunyuanVideo 1.5 (diffusers 0.42, Apache-2.0): `Text "A".
Text "B". ` for the prompt `"A" beside "B"`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quotations:
    """Which quotations of a prompt are taken; none goes beyond its line.

    Attributes:
        marks: groups of kinds of marks, each kind two characters that open and close a quotation.
            Those of a group are taken in the order of the text, one group after the other.
        once: whether one that is repeated is taken once.
    """

    marks: tuple[tuple[str, ...], ...]
    once: bool = False

    def of(self, text: str) -> str:
        """The quotations of a text in the form of the models; empty without any."""
        found: list[str] = []
        for group in self.marks:
            kinds = (f"{re.escape(first)}(.*?){re.escape(last)}" for first, last in group)
            matches = re.finditer("|".join(kinds), text)
            found += ["".join(each or "" for each in match.groups()) for match in matches]
        kept = dict.fromkeys(found) if self.once else found
        return "".join(f'Text "{each}". ' for each in kept)
