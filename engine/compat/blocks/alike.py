"""Classes of plugins' names that our own networks' modules count as instances of."""

from __future__ import annotations

from typing import Any


class Alike(type):
    """The class of such classes: `alike` names ours."""

    alike: tuple[type, ...]

    def __instancecheck__(cls, instance: Any) -> bool:
        return super().__instancecheck__(instance) or isinstance(
            instance, cls.__dict__.get("alike", ())
        )
