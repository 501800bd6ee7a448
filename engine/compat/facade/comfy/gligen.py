"""GLIGEN."""

from engine.compat.parts.gligen import Gligen
