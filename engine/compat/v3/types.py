"""All V3 types without options of their own, by the name that plugins use."""

from __future__ import annotations

from typing import Any

from engine.compat.v3.sockets import Input, SocketType, WidgetInput, comfytype, made_type

_NAMES = {
    "Mask": "MASK",
    "Latent": "LATENT",
    "Conditioning": "CONDITIONING",
    "Sampler": "SAMPLER",
    "Sigmas": "SIGMAS",
    "Noise": "NOISE",
    "Guider": "GUIDER",
    "Clip": "CLIP",
    "ControlNet": "CONTROL_NET",
    "Vae": "VAE",
    "Model": "MODEL",
    "ModelPatch": "MODEL_PATCH",
    "ClipVision": "CLIP_VISION",
    "ClipVisionOutput": "CLIP_VISION_OUTPUT",
    "StyleModel": "STYLE_MODEL",
    "Gligen": "GLIGEN",
    "UpscaleModel": "UPSCALE_MODEL",
    "LatentUpscaleModel": "LATENT_UPSCALE_MODEL",
    "Audio": "AUDIO",
    "Video": "VIDEO",
    "SVG": "SVG",
    "LoraModel": "LORA_MODEL",
    "LossMap": "LOSS_MAP",
    "Voxel": "VOXEL",
    "Mesh": "MESH",
    "File3DAny": "FILE_3D",
    "File3DGLB": "FILE_3D_GLB",
    "File3DGLTF": "FILE_3D_GLTF",
    "File3DFBX": "FILE_3D_FBX",
    "File3DOBJ": "FILE_3D_OBJ",
    "File3DSTL": "FILE_3D_STL",
    "File3DUSDZ": "FILE_3D_USDZ",
    "Hooks": "HOOKS",
    "HookKeyframes": "HOOK_KEYFRAMES",
    "TimestepsRange": "TIMESTEPS_RANGE",
    "LatentOperation": "LATENT_OPERATION",
    "FlowControl": "FLOW_CONTROL",
    "Accumulation": "ACCUMULATION",
    "Load3DCamera": "LOAD3D_CAMERA",
    "Load3D": "LOAD_3D",
    "Load3DAnimation": "LOAD_3D_ANIMATION",
    "Photomaker": "PHOTOMAKER",
    "Point": "POINT",
    "FaceAnalysis": "FACE_ANALYSIS",
    "BBOX": "BBOX",
    "SEGS": "SEGS",
    "AudioEncoder": "AUDIO_ENCODER",
    "AudioEncoderOutput": "AUDIO_ENCODER_OUTPUT",
    "Tracks": "TRACKS",
    "WanCameraEmbedding": "WAN_CAMERA_EMBEDDING",
    "ImageCompare": "IMAGECOMPARE",
    "Range": "RANGE",
    "Histogram": "HISTOGRAM",
}

TYPES: dict[str, Any] = {name: made_type(name, kind) for name, kind in _NAMES.items()}


@comfytype("IMAGE")
class Image(SocketType):
    """Pictures: float tensors [B, H, W, C] between 0 and 1."""

    class Input(Input):
        """A batch of pictures."""


@comfytype("WEBCAM")
class Webcam(SocketType):
    """A picture from the user's camera."""

    Type = str

    class Input(WidgetInput):
        """The field that takes the picture."""


TYPES |= {"Image": Image, "Webcam": Webcam}
