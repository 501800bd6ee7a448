"""What stands for objects of other processes passes the boundary unchanged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from engine.compat.isolation.stand_ins import StandIn


def _same(value: Any) -> Any:
    return value


ADAPTERS: Mapping[type, Callable[[Any], Any]] = MappingProxyType({StandIn: _same})
