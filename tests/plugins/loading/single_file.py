"""A pack that is one file."""


class Single:
    RETURN_TYPES = ()
    FUNCTION = "run"
    CATEGORY = "test/loading"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}


NODE_CLASS_MAPPINGS = {"LoadingSingle": Single}
