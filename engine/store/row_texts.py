"""Rows as the API's JSON, assembled by SQLite from the stored texts.

A damaged row must not break the list it is in: columns that are not JSON are left out, and the
outcome says so.
"""

from __future__ import annotations

DAMAGED_OUTCOME = (
    '{"outputs":{},"meta":{},"status":{"status_str":"error","completed":false,"messages":[]}}'
)
"""What history shows of a prompt whose record cannot be read."""


def _json_or(column: str, kind: str, other: str) -> str:
    """A column where it is JSON of this kind, else another text."""
    return (
        f"CASE WHEN json_valid({column}) AND json_type({column}) = '{kind}'"
        f" THEN {column} ELSE '{other}' END"
    )


_NUMBER = (
    "CASE WHEN number = round(number) AND abs(number) < 1e15"
    " THEN CAST(CAST(number AS INTEGER) AS TEXT) ELSE CAST(number AS TEXT) END"
)
ITEM_TEXT = (
    f"'[' || {_NUMBER} || ',' || json_quote(id) || ',' || {_json_or('prompt', 'object', '{}')}"
    f" || ',' || {_json_or('extra', 'object', '{}')} || ',' || {_json_or('wanted', 'array', '[]')}"
    " || ']'"
)
"""SQL: `[number, id, prompt, extra, outputs]`."""
_OUTCOME = _json_or("outcome", "object", DAMAGED_OUTCOME)
ENTRY_TEXT = (
    f"json_quote(id) || ':{{\"prompt\":' || {ITEM_TEXT}"
    f" || CASE WHEN outcome = '{{}}' THEN '}}' ELSE ',' || substr({_OUTCOME}, 2) END"
)
"""SQL: a member of the object that history is."""
