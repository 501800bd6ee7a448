"""Small functions that nodes share."""

from engine.compat.host.node_values import (
    conditioning_set_values,
    conditioning_set_values_with_timestep_range,
    hasher,
    image_alpha_fix,
    pillow,
    string_to_torch_dtype,
)
