"""A pack with a kind of files of its own, and choices that change."""

# ruff: noqa: PTH118, PTH120, PTH208, RUF005 - written as plugins are

import os

import folder_paths

HERE = os.path.dirname(__file__)
folder_paths.add_model_folder_path("test_things", os.path.join(HERE, "things"))
extensions = folder_paths.supported_pt_extensions
folder_paths.folder_names_and_paths["test_more"] = ([os.path.join(HERE, "more")], {".txt"})


class AnyType(str):
    def __ne__(self, other):
        return False


class ChoosesFiles:
    """Choices of a folder, with one before it, and choices that the pack lists itself."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "thing": (folder_paths.get_filename_list("test_things"),),
                "maybe": (["None"] + folder_paths.get_filename_list("test_more"),),
                "own": (sorted(os.listdir(os.path.join(HERE, "own"))),),
            },
            "optional": {"any": (AnyType("anything"),)},
        }

    RETURN_TYPES = (AnyType("anything"),)
    FUNCTION = "run"
    OUTPUT_NODE = True
    CATEGORY = "tests"

    def run(self, thing, maybe, own, any=None):
        return {"ui": {"text": [thing, maybe, own]}, "result": (thing,)}


class ChecksItself:
    """Refuses odd numbers."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"number": ("INT", {"default": 2})}}

    @classmethod
    def VALIDATE_INPUTS(cls, number):
        return True if number % 2 == 0 else f"{number} is odd; choose an even number"

    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True
    CATEGORY = "tests"

    def run(self, number):
        return {"ui": {"text": [str(number)]}}


NODE_CLASS_MAPPINGS = {"ChoosesFiles": ChoosesFiles, "ChecksItself": ChecksItself}
