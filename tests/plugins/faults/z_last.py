"""A pack that does no harm, imported after all that do."""

import json

import torch


class Last:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "test/faults"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""})}}

    def run(self, text):
        made = torch.zeros(2) + 0.5
        shown = [text, json.dumps([str(made.dtype), str(made.device), made.sum().item()])]
        return {"ui": {"text": shown}, "result": (text,)}


NODE_CLASS_MAPPINGS = {"FaultLast": Last}
