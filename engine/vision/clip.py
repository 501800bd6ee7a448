"""CLIP's image encoders: ViT-L, ViT-H and ViT-bigG, and smaller ones of the same architecture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.vision import clip_keys
from engine.vision.clip_network import ClipVision, ClipVisionConfig, clip_vision_config
from engine.vision.encoder import Checkpoint, Seen
from engine.vision.pictures import squares
from engine.weights.state_dict import StateDict

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of the colours of CLIP's training pictures, github.com/openai/CLIP."""


class ClipImageEncoder:
    """See `engine.vision.encoder.ImageEncoder`, which this implements."""

    name = "CLIP image encoder"
    examples = (
        "ViT-L/14 (huggingface.co/openai/clip-vit-large-patch14, and at 336 pixels), ViT-H/14 and "
        "ViT-bigG/14 (huggingface.co/laion), in the layout of transformers or of OpenCLIP"
    )

    def detect(self, weights: StateDict) -> ClipVisionConfig | None:
        """The configuration of one in a separate file or in a checkpoint."""
        found = clip_keys.tensors(weights)
        return clip_vision_config(found.shapes) if found else None

    def tensors(self, weights: StateDict) -> StateDict:
        """See `ImageEncoder`."""
        found = clip_keys.tensors(weights)
        if found is None:
            raise ValueError("these are no CLIP image encoder's tensors")
        return found

    def build(self, config: ClipVisionConfig) -> nn.Module:
        """See `ImageEncoder`."""
        with torch.device("meta"):
            return ClipVision(config).eval()

    def dtypes(self, config: ClipVisionConfig) -> Sequence[torch.dtype]:
        """Any."""
        del config
        return ()

    def prepare(self, config: ClipVisionConfig, pictures: Tensor, *, crop: bool) -> Tensor:
        """Resized (bicubic), cropped, rounded to 8 bits, normalised by CLIP's mean and deviation.

        A picture of the right size is not resized.
        """
        return squares(pictures, config.side, MEAN, DEVIATION, crop=crop)

    def encode(self, module: nn.Module, pixels: Tensor, checkpoint: Checkpoint) -> Seen:
        """See `ImageEncoder`."""
        return module(pixels, checkpoint)

    def activation_bytes(self, config: ClipVisionConfig, pictures: int, dtype_bytes: int) -> int:
        """Bytes of a few tensors of the feed-forward width, and the attention scores."""
        tokens = (config.side // config.patch) ** 2 + 1
        wide = 4 * config.feed_forward + 8 * config.channels
        return pictures * tokens * (wide + config.heads * tokens) * max(dtype_bytes, 4)
