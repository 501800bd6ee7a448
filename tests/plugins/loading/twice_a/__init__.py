"""A pack with a class that another one has, too, and one of a built-in name."""


class Twice:
    RETURN_TYPES = ()
    FUNCTION = "run"
    CATEGORY = "test/twice_a"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}


NODE_CLASS_MAPPINGS = {"LoadingTwice": Twice, "EmptyImage": Twice}
