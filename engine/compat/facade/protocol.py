"""The kinds of binary messages to a browser."""

from engine.compat.serving.events import BinaryEventTypes
