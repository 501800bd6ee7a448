"""Which family the weights of a file are."""

from engine.compat.models.model_detection import (
    convert_config,
    count_blocks,
    detect_unet_config,
    model_config_from_unet,
    model_config_from_unet_config,
    unet_prefix_from_state_dict,
)
