"""A pack that needs a version of a module which another pack cannot use."""

import apart_thing


class WantsThing:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "go"
    CATEGORY = "test/apart"
    OUTPUT_NODE = True

    def go(self):
        return {"ui": {"text": [apart_thing.VERSION]}, "result": (apart_thing.VERSION,)}


NODE_CLASS_MAPPINGS = {"Wants_one": WantsThing}
