"""Types that plugins annotate with."""

from engine.compat.host.node_typing import (
    IO,
    CheckLazyMixin,
    ComfyNodeABC,
    FileLocator,
    InputTypeDict,
    UnetApplyConds,
    UnetApplyFunction,
    UnetParams,
    UnetWrapperFunction,
)
