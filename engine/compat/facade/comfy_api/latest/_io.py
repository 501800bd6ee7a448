"""The same as `comfy_api.latest.io`."""

from engine.compat.v3.io import *
