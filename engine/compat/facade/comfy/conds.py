"""The inputs of a network from one entry of a conditioning."""

from engine.compat.models.conds import (
    CONDConstant,
    CONDCrossAttn,
    CONDList,
    CONDNoiseShape,
    CONDRegular,
)
