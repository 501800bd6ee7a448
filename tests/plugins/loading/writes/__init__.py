"""A pack that writes into the host's table itself, over a built-in class, too."""

import nodes


class Written:
    RETURN_TYPES = ()
    FUNCTION = "run"
    CATEGORY = "test/loading"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"others": (sorted(nodes.NODE_CLASS_MAPPINGS),)}}


nodes.NODE_CLASS_MAPPINGS["LoadingWritten"] = Written
nodes.NODE_CLASS_MAPPINGS["SaveImage"] = Written
