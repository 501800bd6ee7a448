"""HunyuanVideo (Tencent 2024): videos of text, and of a first picture in three ways.

The first release for pictures has the picture beside the noisy latent, the second one has it in the
place of the first frame, SkyReels V1 (Skywork) beside the latent without a mask. HunyuanVideo 1.5
is another network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.errors import NodeError
from engine.families.family import Checkpoint, Entry, Run, check_tokens
from engine.families.hunyuan_video import keys, text
from engine.families.hunyuan_video.frames_beside import frames_beside
from engine.families.hunyuan_video.network import HunyuanVideo, HunyuanVideoConfig
from engine.families.latent_format import LatentFormat
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
            given = frames_beside(
                entry,
                run,
                LATENT,
                with_mask=beside > LATENT.channels,
                advice="encode it with HunyuanVideo's VAE",
            )
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
