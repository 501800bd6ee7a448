"""A module with the name of the host's."""

from .utils import shown


class Same:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "test/faults"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""})}}

    def run(self, text):
        import folder_paths

        import nodes

        assert hasattr(nodes, "NODE_CLASS_MAPPINGS")
        assert folder_paths.get_output_directory()
        return {"ui": {"text": [shown(text)]}, "result": (text,)}
