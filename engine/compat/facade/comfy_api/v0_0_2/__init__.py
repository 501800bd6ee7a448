"""A version of the V3 interface; the newest one reads all that was declared for it."""

from comfy_api.latest import *
from comfy_api.latest import (
    IO,
    UI,
    ComfyAPI,
    ComfyAPISync,
    ComfyExtension,
    Input,
    InputImpl,
    Types,
    io,
    ui,
)
