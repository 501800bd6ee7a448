# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
"""Text encoders, autoencoders and the loaders of models."""

from comfy import model_detection
from engine.compat.live import live
from engine.compat.parts.clip import CLIP
from engine.compat.parts.control_loading import load_controlnet
from engine.compat.parts.loading import (
    CLIPType,
    TEModel,
    load_bypass_lora_for_models,
    load_checkpoint,
    load_checkpoint_guess_config,
    load_clip,
    load_diffusion_model,
    load_diffusion_model_state_dict,
    load_gligen,
    load_lora_for_models,
    load_state_dict_guess_config,
    load_style_model,
    load_text_encoder_state_dicts,
    load_unet,
    load_unet_state_dict,
    save_checkpoint,
    t5xxl_detect,
)
from engine.compat.parts.vae import VAE
from engine.compat.parts.vision import StyleModel

live("comfy.sd.load_state_dict_guess_config")
