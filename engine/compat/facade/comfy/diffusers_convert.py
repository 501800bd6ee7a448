"""Layouts of diffusers, which are read as they are."""

from engine.compat.parts.other_layouts import (
    convert_text_enc_state_dict,
    convert_text_enc_state_dict_v20,
    convert_vae_state_dict,
)
