"""The workflow inside SVG files: JSON in a CDATA section of `<metadata>`."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping

from engine.errors import MediaError

_NAME = re.compile(rb"<svg", re.IGNORECASE)
_MOST_STARTS = 10
"""Tags that are tried: each may lack its end, and be looked through to the end of the file."""
_START = re.compile(
    rb"""<svg(?=[\s/>]) (?: [^"'>] | "[^"]*" | '[^']*' )* (?<!/)>""", re.VERBOSE | re.IGNORECASE
)
"""The start tag of the picture, whose attributes may hold `>` within quotes."""


def with_texts(svg: bytes, texts: Mapping[str, str]) -> bytes:
    """An SVG file that carries texts of JSON, by keyword (`prompt`, `workflow`).

    Raises:
        MediaError: there is no `<svg ...>` element to hold them.
    """
    starts = itertools.islice(_NAME.finditer(svg), _MOST_STARTS)
    found = next(filter(None, (_START.match(svg, start.start()) for start in starts)), None)
    if found is None:
        raise MediaError(
            f"this is no SVG file: in its {len(svg)} bytes there is no <svg> element with content"
        )
    if not texts:
        return svg
    values = {name: json.loads(text) for name, text in texts.items()}
    # `>` is escaped, because `]]>` would end the section.
    written = json.dumps(values).replace(">", "\\u003e").encode()
    metadata = b"<metadata><![CDATA[" + written + b"]]></metadata>"
    return svg[: found.end()] + metadata + svg[found.end() :]
