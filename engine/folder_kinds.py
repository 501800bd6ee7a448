"""The kinds of files that a user has: which folders hold them, and which suffixes they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

INPUT_FOLDERS = "input_folders"
"""The kind whose names are folders of the input folder, as datasets are."""
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".ogv", ".gif"}
)
AUDIO_SUFFIXES = frozenset(
    {".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aiff", ".wma"}
)
MODEL_3D_SUFFIXES = frozenset({".glb", ".gltf", ".obj", ".fbx", ".stl"})
INPUT_MEDIA: Mapping[str, frozenset[str]] = {
    "input_video": VIDEO_SUFFIXES,
    "input_audio": AUDIO_SUFFIXES | (VIDEO_SUFFIXES - {".gif"}),
    "input_3d": MODEL_3D_SUFFIXES,
}
"""The kinds whose names are files of the input folder with these suffixes."""
LISTED_SUFFIXES: Mapping[str, frozenset[str]] = {
    **INPUT_MEDIA,
    "configs": frozenset({".yaml", ".yml"}),
}
"""The suffixes of the files that are listed of kinds that hold no weights."""
VAE_CHOICES = "vae_choices"
"""The kind whose names are the files of `vae`, and the tiny autoencoders among `vae_approx`."""
DIFFUSERS_FOLDERS = "diffusers_folders"
"""The kind whose names are the folders below `diffusers` that hold a pipeline, and its index."""
DIFFUSERS_INDEX = "model_index.json"
OFFERED: Mapping[str, tuple[str, ...]] = {
    VAE_CHOICES: ("vae", "vae_approx"),
    DIFFUSERS_FOLDERS: ("diffusers",),
}
"""The kinds whose files a kind of names comes from."""
MODEL_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "checkpoints": ("checkpoints",),
    "configs": ("configs",),
    "loras": ("loras",),
    "vae": ("vae",),
    "text_encoders": ("text_encoders", "clip"),
    "diffusion_models": ("diffusion_models", "unet"),
    "clip_vision": ("clip_vision",),
    "style_models": ("style_models",),
    "embeddings": ("embeddings",),
    "diffusers": ("diffusers",),
    "vae_approx": ("vae_approx",),
    "controlnet": ("controlnet", "t2i_adapter"),
    "gligen": ("gligen",),
    "ipadapter": ("ipadapter",),
    "upscale_models": ("upscale_models",),
    "latent_upscale_models": ("latent_upscale_models",),
    "hypernetworks": ("hypernetworks",),
    "photomaker": ("photomaker",),
    "classifiers": ("classifiers",),
    "model_patches": ("model_patches",),
    "audio_encoders": ("audio_encoders",),
}
"""Kinds of weights and the folders below `models/` that hold them."""
ALIASES: Mapping[str, str] = {"clip": "text_encoders", "unet": "diffusion_models"}
WEIGHTS_SUFFIXES = frozenset(
    {".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl", ".gguf"}
)


def pipeline_folders(names: Iterable[str]) -> list[str]:
    """The folders that hold the index of a pipeline of diffusers, among names of files."""
    ending = f"/{DIFFUSERS_INDEX}"
    found = {name.removesuffix(ending) for name in names if name.endswith(ending)}
    return sorted(found, key=lambda name: (name.lower(), name))
