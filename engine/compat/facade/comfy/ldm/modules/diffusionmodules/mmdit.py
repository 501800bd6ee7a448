"""The denoiser of Stable Diffusion 3."""

from engine.compat.blocks.network_classes import JointBlock, MMDiT, OpenAISignatureMMDITWrapper
