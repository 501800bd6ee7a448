"""Control networks."""

from engine.compat.parts.control_base import ControlBase, StrengthType, broadcast_image_to
from engine.compat.parts.control_loading import (
    load_controlnet,
    load_controlnet_state_dict,
    load_t2i_adapter,
)
from engine.compat.parts.control_nets import (
    ControlLora,
    ControlNet,
    ControlNetSD35,
    QwenFunControlNet,
    T2IAdapter,
)
