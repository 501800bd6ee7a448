"""Classes that declare garbage; the last one is a good one."""

import sys

_circle = {}
_circle["again"] = _circle


class Good:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "test/faults"
    OUTPUT_NODE = True
    declared = {"required": {"text": ("STRING", {"default": ""})}}

    @classmethod
    def INPUT_TYPES(cls):
        return cls.declared() if callable(cls.declared) else cls.declared

    def run(self, text="", **_):
        return {"ui": {"text": [text]}, "result": (text,)}


def _declaring(declared, **more):
    return type(
        "Declares",
        (Good,),
        {"declared": staticmethod(declared) if callable(declared) else declared, **more},
    )


def _raise(error):
    raise error


class _Hostile:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__

    def __iter__(self):
        while True:
            yield 1


def _required(entry):
    return {"required": {"text": entry}}


NODE_CLASS_MAPPINGS = {
    "FaultNone": _declaring(None),
    "FaultList": _declaring(["required"]),
    "FaultRequiredList": _declaring({"required": ["text"]}),
    "FaultSet": _declaring(_required({"a", "b"})),
    "FaultCycle": _declaring(_required(("STRING", {"more": _circle}))),
    "FaultDeep": _declaring(lambda: _required(("STRING", {"more": _deep()}))),
    "FaultNaN": _declaring(_required(("FLOAT", {"default": float("nan"), "max": float("inf")}))),
    "FaultLong": _declaring(_required(("STRING", {"default": "x" * 10_000_000}))),
    "FaultGenerator": _declaring(_required(((str(n) for n in range(3)),))),
    "FaultNumbers": _declaring({"required": {1: ("STRING",), None: (2,), "c": ([3, None, {}],)}}),
    "FaultObjects": _declaring(_required(([_Hostile()], {"default": _Hostile()}))),
    "FaultExit": _declaring(lambda: _raise(SystemExit(3))),
    "FaultInterrupt": _declaring(lambda: _raise(KeyboardInterrupt())),
    "FaultNoText": _declaring(lambda: _raise(RuntimeError(_Hostile()))),
    "FaultHalf": _declaring(_required(("STRING", {"tooltip": "\ud800"}))),
    "FaultNoFunction": _declaring(Good.declared, FUNCTION=None),
    "FaultFunctionMissing": _declaring(Good.declared, FUNCTION="nowhere"),
    "FaultReturnsNumber": _declaring(Good.declared, RETURN_TYPES=5),
    "FaultReturnsText": _declaring(Good.declared, RETURN_TYPES="STRING"),
    "FaultReturnsNames": _declaring(Good.declared, RETURN_NAMES=(1, None)),
    "FaultCategory": _declaring(Good.declared, CATEGORY=None, DESCRIPTION=_Hostile()),
    "FaultInstance": Good(),
    "FaultModule": sys,
    "FaultText": "a text",
    "Fault/slash\\ 😀 <b onclick=alert(1)>": Good,
    "Fault\ud800": Good,
    "": Good,
    5: Good,
    "FaultGood": Good,
}
NODE_DISPLAY_NAME_MAPPINGS = {"FaultNaN": _circle, "FaultGood": "<script>alert(1)</script>"}


def _deep():
    found = []
    for _ in range(5000):
        found = [found]
    return found
