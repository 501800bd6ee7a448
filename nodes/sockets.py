"""The wire types of the built-in nodes, as annotations: `def f(image: Image) -> Mask`.

Shapes are stated once, here.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch

from engine.audiovisual.video import VideoInput
from engine.inference import (
    control,
    gligen,
    ip_adapter,
    model_patches,
    style,
    upscale_model,
    values,
    vision,
)
from engine.meshes import values as meshes
from engine.nodekit.markers import Socket

Image = Annotated[torch.Tensor, Socket("IMAGE")]
"""float32 [B, H, W, C], 0..1, C = 3 or 4, on the CPU."""
Mask = Annotated[torch.Tensor, Socket("MASK")]
"""float32 [B, H, W] (or [H, W]), 0..1."""
Audio = Annotated[Any, Socket("AUDIO")]
"""`waveform` float32 [B, channels, samples], -1..1, and `sample_rate`."""
Video = Annotated[VideoInput, Socket("VIDEO")]
"""See `engine.audiovisual.video`."""
Latent = Annotated[dict[str, Any], Socket("LATENT")]
"""`samples` [B, C, h, w], and maybe `noise_mask`, `batch_index`, `type`; unknown keys are kept."""
Conditioning = Annotated[list[Any], Socket("CONDITIONING")]
"""A list of `[tensor [1, T, D], dict]`."""
Model = Annotated[values.Model, Socket("MODEL")]
Clip = Annotated[values.Clip, Socket("CLIP")]
Vae = Annotated[values.Vae, Socket("VAE")]
IpAdapter = Annotated[ip_adapter.OpenIpAdapter, Socket("IP_ADAPTER")]
Gligen = Annotated[gligen.GligenModel, Socket("GLIGEN")]
ControlNet = Annotated[control.ControlNet, Socket("CONTROL_NET")]
ModelPatch = Annotated[model_patches.ModelPatch, Socket("MODEL_PATCH")]
ClipVision = Annotated[vision.ClipVision, Socket("CLIP_VISION")]
StyleModel = Annotated[style.StyleModel, Socket("STYLE_MODEL")]
ClipVisionOutput = Annotated[vision.ClipVisionOutput, Socket("CLIP_VISION_OUTPUT")]
Sigmas = Annotated[torch.Tensor, Socket("SIGMAS")]
"""1-D float32, steps + 1, falling, the last one usually 0."""
Noise = Annotated[values.Noise, Socket("NOISE")]
Sampler = Annotated[values.Sampler, Socket("SAMPLER")]
Guider = Annotated[values.Guider, Socket("GUIDER")]
UpscaleModel = Annotated[upscale_model.UpscaleModel, Socket("UPSCALE_MODEL")]
LoraModel = Annotated[values.LoraModel, Socket("LORA_MODEL")]
LossMap = Annotated[dict[str, Any], Socket("LOSS_MAP")]
"""`loss`: the loss of every step."""
LatentOperation = Annotated[values.LatentOperation, Socket("LATENT_OPERATION")]
Hooks = Annotated[values.HookGroup, Socket("HOOKS")]
HookKeyframes = Annotated[tuple[values.Keyframe, ...], Socket("HOOK_KEYFRAMES")]
"""By their starts."""
TimestepsRange = Annotated[tuple[float, float], Socket("TIMESTEPS_RANGE")]
"""(start, end), 0 the beginning of sampling and 1 its end."""
Mesh = Annotated[meshes.Mesh, Socket("MESH")]
Voxel = Annotated[meshes.Voxel, Socket("VOXEL")]
File3D = Annotated[meshes.File3D, Socket("FILE_3D")]
Glb = Annotated[meshes.File3D, Socket("FILE_3D_GLB")]
FILES_3D = "FILE_3D_GLB,FILE_3D_GLTF,FILE_3D_FBX,FILE_3D_OBJ,FILE_3D_STL,FILE_3D_USDZ,FILE_3D"
AnyFile3D = Annotated[meshes.File3D, Socket(FILES_3D)]
Camera = Annotated[dict[str, Any], Socket("LOAD3D_CAMERA")]
"""See `engine.meshes.camera`."""
Placement = Annotated[list[Any], Socket("LOAD3D_MODEL_INFO")]
"""Of each model in a scene `position`, `rotation` (radians around x, then y, then z) and `scale`,
each with x, y and z."""
Anything = Annotated[Any, Socket("*")]
