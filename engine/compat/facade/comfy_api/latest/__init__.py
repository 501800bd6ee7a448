"""The newest version of the V3 interface."""

from comfy_api.latest import io, ui
from comfy_api.latest import io as IO
from comfy_api.latest import ui as UI
from engine.compat.v3.api import ComfyAPI, ComfyAPISync, ComfyExtension
from engine.compat.v3.namespaces import Input, InputImpl, Types
