"""What the tests of bridged families give to a network of each kind."""

from types import SimpleNamespace

import torch

from engine.families import reference_latents
from engine.families.family import Entry
from tests.wet import bridge_files


def drawn(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def given(name):
    """(x, the entry) of a run."""
    if name.startswith("flux3"):
        pictures = [drawn(1, 128, 2, 3, seed=5), drawn(1, 128, 3, 2, seed=6)]
        text = drawn(1, 7, 8 * bridge_files.WIDTH, seed=2)
        return drawn(2, 128, 3, 4), Entry(text, {reference_latents.REFERENCES: pictures})
    if name == "ernie":
        return drawn(2, 128, 3, 4), Entry(drawn(1, 5, 3072, seed=2), {})
    if name == "ltxv":
        mask = torch.ones(1, 9, dtype=torch.long)
        mask[:, 6:] = 0
        extras = {
            "attention_mask": mask,
            "frame_rate": 24.0,
            "keyframe_idxs": torch.arange(60).reshape(1, 3, 20),
        }
        return drawn(2, 128, 3, 4, 5), Entry(drawn(1, 9, bridge_files.WIDTH, seed=2), extras)
    if name == "wan22_5b":
        return drawn(2, 48, 3, 6, 5), Entry(drawn(1, 512, bridge_files.WIDTH, seed=2), {})
    mask = torch.ones(1, 1, 3, 6, 5)
    mask[:, :, :1] = 0
    text = drawn(1, 512, bridge_files.WIDTH, seed=2)
    if name == "wan22_fun_control":
        extras = {
            "concat_latent_image": drawn(1, 96, 3, 6, 5, seed=3),
            "concat_mask": mask,
            "reference_latents": [drawn(1, 48, 1, 6, 5, seed=4)],
        }
        return drawn(2, 48, 3, 6, 5), Entry(text, extras)
    x = drawn(2, 16, 3, 6, 5)
    if name == "wan_fun_camera":
        rays = drawn(1, 24, 3, 48, 40, seed=4)
        begun = drawn(1, 16, 3, 6, 5, seed=3)
        return x, Entry(text, {"concat_latent_image": begun, "camera_conditions": rays})
    if name == "wan_vace":
        extras = {
            "vace_frames": [drawn(1, 32, 3, 6, 5, seed=3)],
            "vace_mask": [(drawn(1, 64, 3, 6, 5, seed=4) > 0).float()],
            "vace_strength": [0.7],
        }
        return x, Entry(text, extras)
    tokens = 34 if name == "wan21_flf2v" else 17
    seen = SimpleNamespace(
        penultimate_hidden_states=drawn(1, tokens, bridge_files.SEEN, seed=4), image_embeds=None
    )
    channels = 32 if name == "wan_fun_control" else 16
    extras = {"concat_latent_image": drawn(1, channels, 3, 6, 5, seed=3), "concat_mask": mask}
    return x, Entry(text, extras | {"clip_vision_output": seen})
