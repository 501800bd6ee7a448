"""A module of a name that two packs use."""

OWNER = "b"
