"""Replaces functions and classes of Python, of libraries and of the host while it is imported."""

import builtins
import json
import sys

import aiohttp.web
import torch

import nodes


def refuse(*_, **__):
    raise RuntimeError("patched by a pack")


class Patched:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "test/faults"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""})}}

    def run(self, text):
        return (text,)


builtins.print = sys.exit = torch.load = refuse
json.JSONEncoder.default = refuse
aiohttp.web.json_response = refuse
nodes.KSampler = nodes.EmptyImage = nodes.SaveImage = Patched
nodes.NODE_CLASS_MAPPINGS["KSampler"] = Patched
nodes.NODE_CLASS_MAPPINGS.pop("LoadImage")
NODE_CLASS_MAPPINGS = {"FaultPatched": Patched, "SaveImage": Patched}
