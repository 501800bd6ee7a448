"""The same as `comfy_api.latest.ui`."""

from engine.compat.v3.ui import *
