"""The version of the incumbent whose interface this is."""

from engine.serving import COMPATIBLE_WITH

__version__ = COMPATIBLE_WITH
