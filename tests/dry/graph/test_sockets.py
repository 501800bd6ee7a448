"""Which types may be joined."""

import pytest

from engine.graph.sockets import joins


class AnyType(str):
    """As plugins write it: equal to everything."""

    __slots__ = ()

    def __ne__(self, other):
        return False

    __hash__ = str.__hash__


@pytest.mark.parametrize(
    ("output", "wanted", "expected"),
    [
        ("IMAGE", "IMAGE", True),
        ("IMAGE", "MASK", False),
        ("IMAGE", "IMAGE,MASK", True),
        ("IMAGE,MASK", "LATENT, MASK", True),
        ("IMAGE,MASK", "LATENT,MODEL", False),
        ("image", "IMAGE", True),
        ("*", "MODEL", True),
        ("MODEL", "*", True),
        ("", "MODEL", True),
        ("MODEL", 0, True),
        ("COMFY_MATCHTYPE_V3", "MODEL", True),
        ("MODEL", "COMFY_MATCHTYPE_V3", True),
        (AnyType("x"), "MODEL", True),
        ("MODEL", AnyType("x"), True),
        (["a", "b"], "COMBO", True),
        ("COMBO", ["a", "b"], True),
        (["a"], ["b"], True),
        (["a"], "STRING", False),
        ("STRING", "COMBO", False),
        ("INT", "FLOAT", False),
    ],
)
def test_joins(output, wanted, expected):
    assert joins(output, wanted) is expected
