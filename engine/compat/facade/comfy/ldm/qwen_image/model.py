"""The denoiser of Qwen-Image."""

from engine.compat.blocks.network_classes import QwenImageTransformer2DModel
