"""HunyuanVideo (Tencent 2024): videos of text, and of a first picture in three ways.

The first release for pictures has the picture beside the noisy latent, the second one has it in the
place of the first frame, SkyReels V1 (Skywork) beside the latent without a mask. HunyuanVideo 1.5
is another network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.errors import NodeError
from engine.families.family import Checkpoint, Entry, Run, check_tokens
from engine.families.hunyuan_video import keys, text
from engine.families.hunyuan_video.network import HunyuanVideo, HunyuanVideoConfig
from engine.families.latent_format import LatentFormat
from engine.families.picture_channels import MASK, PICTURE
from engine.families.transformer_family import TransformerFamily
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.transformer_layers import patch_grid
from engine.weights.state_dict import StateDict

LATENT = LatentFormat(16, (4, 8, 8), scale=0.476986, causal_frames=True)
SHIFT = 7.0
GUIDANCE = 6.0
"""Told to the model where the conditioning has none."""
GUIDING_FRAME = "guiding_frame_index"
"""The key of a conditioning entry: the frame that is a picture without noise; only 0, the first."""
USUAL_TOKENS = 256


class HunyuanVideoFamily(TransformerFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "HunyuanVideo"
    examples = (
        "HunyuanVideo text to video and image to video (huggingface.co/tencent), FastHunyuan, "
        "SkyReels V1"
    )
    text = text.PLAN
    tensors = staticmethod(keys.tensors)
    configure = staticmethod(keys.config)
    network = HunyuanVideo
    latent_format = LATENT

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """CLIP L and Llama within a checkpoint."""
        return text.within(weights, name)

    def parameterization(self, config: HunyuanVideoConfig) -> Parameterization:
        """A flow of time 0..1000 with one shift."""
        del config
        return flow(SHIFT)

    def inputs(
        self, config: HunyuanVideoConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text, the pooled text, the strength of guidance, and a given picture.

        Raises `NodeError` if the conditioning is for another model.
        """
        del role
        check_tokens(
            entry,
            config.context_channels,
            advice="Encode the prompt with CLIP L and Llama 3: DualCLIPLoader, type hunyuan_video.",
        )
        inputs = {
            "context": Input(entry.embedding, Join.PAD_WITH_MASK),
            "vector": Input(text.pooled(entry, config.vector_channels)),
        }
        guidance = entry.extras.get("guidance", GUIDANCE)
        if config.guidance and guidance is not None:
            inputs["guidance"] = Input(torch.tensor([float(guidance)]))
        beside = config.in_channels - LATENT.channels
        if beside:
            given = _beside(entry, run, with_mask=beside > LATENT.channels)
            inputs["beside"] = Input(given, Join.CROP_TO_AREA)
        if entry.extras.get(GUIDING_FRAME) is not None:
            inputs["frame"] = Input(_first_frame(entry, run), Join.CROP_TO_AREA)
        return inputs

    def predict(
        self,
        net: nn.Module,
        x: Tensor,
        timestep: Tensor,
        inputs: Mapping[str, Tensor],
        *,
        control: Residuals | None,
        hooks: NetHooks | None,
        checkpoint: Checkpoint,
    ) -> Tensor:
        """One call of the denoiser; see `ModelFamily`."""
        frame, beside = inputs.get("frame"), inputs.get("beside")
        if frame is not None:
            x = torch.cat((frame[:, :, :1], x[:, :, 1:]), dim=2)
        return net(
            x if beside is None else torch.cat((x, beside), dim=1),
            timestep,
            inputs["context"],
            inputs["vector"],
            inputs.get("guidance"),
            mask=inputs.get("context_mask"),
            first_is_given=frame is not None,
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )

    def lora_names(self, config: HunyuanVideoConfig) -> Mapping[str, str | Rows]:
        """See `engine.families.hunyuan_video.keys`."""
        return keys.lora_names(config)

    def activation_bytes(
        self, config: HunyuanVideoConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """The tensors of one block: tokens of the width, and of a feed-forward beside."""
        rows, columns = patch_grid(shape[-2], shape[-1])
        tokens = shape[0] * (shape[-3] * rows * columns + USUAL_TOKENS)
        return tokens * (14 * config.channels + 3 * config.inner) * dtype_bytes


def _beside(entry: Entry, run: Run, *, with_mask: bool) -> Tensor:
    """[1, 16 or 17, t, h, w]: the latent of given frames, and 1 where a cell is given.

    An entry has `PICTURE` [1, 16, t, h, w] as the autoencoder encodes it, and `MASK` [1, 1, t, h,
    w], 0 where a cell is given. Without a picture nothing is given, and all is zero.

    Raises:
        NodeError: the picture is no latent of a video, or has another size than x.
    """
    size, found = tuple(run.shape[2:]), entry.extras.get(PICTURE)
    channels = LATENT.channels + with_mask
    if not isinstance(found, Tensor):
        return torch.zeros(1, channels, *size)
    if found.ndim != 5 or found.shape[1] != LATENT.channels or found.shape[3:] != size[1:]:
        raise NodeError(
            f"the picture in the conditioning has the shape {list(found.shape)}, the latent has 16 "
            f"channels of {size[1]} x {size[2]} cells; encode it with HunyuanVideo's VAE, and take "
            "both from the same node"
        )
    latent = _as_long(LATENT.into(found.float().cpu()), size[0])
    if not with_mask:
        return latent
    mask = entry.extras.get(MASK)
    given = torch.zeros(1, 1, *size)
    if isinstance(mask, Tensor):
        given = _as_long(1.0 - mask.float().cpu().reshape(1, 1, *mask.shape[-3:]), size[0])
    return torch.cat((latent, given.expand(len(latent), 1, *size)), dim=1)


def _as_long(value: Tensor, cells: int) -> Tensor:
    """[B, C, t, h, w] with so many cells of time: cut, or with zeros behind."""
    missing = max(0, cells - value.shape[2])
    return functional.pad(value[:, :, :cells], (0, 0, 0, 0, 0, missing))


def _first_frame(entry: Entry, run: Run) -> Tensor:
    """The run's latent, whose first frame is given.

    Raises:
        NodeError: another frame is asked for.
    """
    index = entry.extras[GUIDING_FRAME]
    if index != 0:
        raise NodeError(
            f"the conditioning gives frame {index} as a picture, HunyuanVideo takes the first, 0"
        )
    return torch.zeros(1, *run.shape[1:]) if run.clean is None else run.clean.float().cpu()
