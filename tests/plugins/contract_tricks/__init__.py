"""A pack with the tricks that plugins of the V1 dialect play."""

import asyncio


class AnyType(str):
    def __ne__(self, _):
        return False

    __eq__ = str.__eq__
    __hash__ = str.__hash__


class AnyOutputs(tuple):
    def __getitem__(self, index):
        return AnyType("*") if index >= len(self) else super().__getitem__(index)


class Flexible(dict):
    def __contains__(self, _):
        return True

    def __getitem__(self, key):
        return super().get(key, (AnyType("*"),))


class TakesAnything:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "optional": Flexible({"first": ("INT", {"default": 1})})}

    RETURN_TYPES = AnyOutputs(("STRING",))
    RETURN_NAMES = ("names",)
    FUNCTION = "go"

    def go(self, **given):
        return (",".join(sorted(given)), *sorted(map(str, given.values())))


class Counts:
    def __init__(self):
        self.calls = 0

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"start": ("INT", {"default": 0})}}

    @classmethod
    def IS_CHANGED(cls, **_):
        return float("nan")

    RETURN_TYPES = ("INT",)
    FUNCTION = "go"

    def go(self, start):
        self.calls += 1
        return (start + self.calls,)


class Lists:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"values": ("INT", {"forceInput": True}), "times": ("INT", {})}}

    INPUT_IS_LIST = True
    OUTPUT_IS_LIST = (True, False)
    RETURN_TYPES = ("INT", "INT")
    FUNCTION = "go"

    def go(self, values, times):
        return (values * times[0], len(values))


class Lazy:
    @classmethod
    def INPUT_TYPES(cls):
        lazy = {"lazy": True}
        return {"required": {"a": ("INT", lazy), "b": ("INT", lazy), "first": ("BOOLEAN", {})}}

    def check_lazy_status(self, first, a=None, b=None):
        wanted = "a" if first else "b"
        return [wanted] if {"a": a, "b": b}[wanted] is None else []

    RETURN_TYPES = ("INT",)
    FUNCTION = "go"

    async def go(self, first, a=None, b=None):
        await asyncio.sleep(0)
        return (a if first else b,)


class Checks:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"name": (["a", "b"],)}}

    @classmethod
    def VALIDATE_INPUTS(cls, name):
        return True if len(name) == 1 else f"{name} is too long"

    RETURN_TYPES = ("STRING",)
    FUNCTION = "go"

    def go(self, name):
        return (name,)


class Tells:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"value": (AnyType("*"), {"forceInput": True})},
            "hidden": {"me": "UNIQUE_ID", "prompt": "PROMPT", "png": "EXTRA_PNGINFO"},
        }

    INPUT_IS_LIST = True
    OUTPUT_NODE = True
    RETURN_TYPES = ()
    FUNCTION = "go"

    def go(self, value, me=None, prompt=None, png=None):
        return {"ui": {"value": value, "me": me if isinstance(me, list) else [me]}}


class HiddenStart:
    """Loops give a hidden input of a type of their own to the nodes of the next round."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"count": ("INT", {"default": 1})},
            "hidden": {"start": ("*",), "nobody": ("SOMETHING",), "token": "AUTH_TOKEN_COMFY_ORG"},
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "go"

    def go(self, **given):
        return (str(sorted(given.items())),)


NODE_CLASS_MAPPINGS = {
    "TrickHiddenStart": HiddenStart,
    "TrickTakesAnything": TakesAnything,
    "TrickCounts": Counts,
    "TrickLists": Lists,
    "TrickLazy": Lazy,
    "TrickChecks": Checks,
    "TrickTells": Tells,
}
NODE_DISPLAY_NAME_MAPPINGS = {"TrickTells": "Tells"}
