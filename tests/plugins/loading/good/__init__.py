"""A pack that loads: a class, one without a schema, a folder of browser files, output on stdout."""

import sys

sys.stdout.write("good says hello\n")
WEB_DIRECTORY = "./js"


class Good:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "test/loading"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""})}}

    def run(self, text):
        key = next(name for name, each in sys.modules.items() if each.__dict__.get("Good") is Good)
        shown = [text, key, self.RELATIVE_PYTHON_MODULE]
        return {"ui": {"text": shown}, "result": (text,)}


class Unreadable(Good):
    @classmethod
    def INPUT_TYPES(cls):
        raise OSError("the list cannot be read")


NODE_CLASS_MAPPINGS = {"LoadingGood": Good, "LoadingUnreadable": Unreadable}
NODE_DISPLAY_NAME_MAPPINGS = {"LoadingGood": "A good one"}
