"""The union control networks of Z-Image, which change a model's tokens after some of its layers.

Layers like the model's own read the encoded picture and the model's tokens (after Jiang et al.
2025, "VACE"); published as Z-Image-Turbo-Fun-Controlnet-Union by alibaba-pai.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from engine.errors import WeightsError
from engine.families.other_layouts import original_layout
from engine.families.shapes import count, matrix
from engine.families.zimage.keys import diffusers_names
from engine.families.zimage.network import PATCH, Layer, NextDiTConfig
from engine.nets.layers import Linear
from engine.nets.transformer_layers import patches
from engine.weights.state_dict import StateDict

STACKS = ("control_layers", "control_noise_refiner")
MARK = "control_all_x_embedder.2-1.weight"
REFINER_OUT = "control_noise_refiner.0.after_proj.weight"
PLAIN_CHANNELS, INPAINT_CHANNELS = 16, 33
"""A latent; or a latent, a mask and the latent of a picture with a hole."""


@dataclass(frozen=True, slots=True)
class ControlConfig:
    """The sizes of one control network.

    Attributes:
        net: those of its layers.
        layers, refiners: their numbers.
        channels: of the encoded picture.
        refines: whether it changes the model's noise refiner, too (version 2).
        repeats: whether it does so by its main layers, its own being empty (version 2.0).
    """

    net: NextDiTConfig
    layers: int
    refiners: int
    channels: int
    refines: bool
    repeats: bool = False

    def places(self, layers: int) -> list[int]:
        """The layers of a model of so many after which it adds."""
        return list(range(0, layers, max(layers // self.layers, 1)))[: self.layers]


class ZImageControl(nn.Module):
    """Layers whose results are added to the tokens of a model."""

    def __init__(self, config: ControlConfig) -> None:
        super().__init__()
        self.config = config
        values, width = PATCH**2 * config.channels, config.net.width
        # The name is that of a patch of 2 x 2 cells and 1 frame.
        self.control_all_x_embedder = nn.ModuleDict({"2-1": Linear(values, width)})
        self.control_layers = nn.ModuleList(
            ControlLayer(config.net, first=place == 0) for place in range(config.layers)
        )
        self.control_noise_refiner = nn.ModuleList(
            ControlLayer(config.net, first=place == 0) if config.refines else Layer(config.net)
            for place in range(config.refiners)
        )

    def forward(self, picture: Tensor) -> Tensor:
        """An encoded picture [B, channels, h, w] as tokens [B, N, D]."""
        tokens = patches(picture, PATCH, channels_last=True)
        return self.control_all_x_embedder["2-1"](tokens)

    def refined(
        self, tokens: Tensor, image: Tensor, table: Tensor, vec: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """The picture's tokens, and what is added after the model's noise refiners.

        Args:
            tokens: [B, N, D], of the picture.
            image: [B, N, D], the model's before its refiners.
            table: their rotations.
            vec: what modulates the layers.
        """
        if not self.config.refines:
            for layer in self.control_noise_refiner:
                tokens = layer(tokens, table, vec)
            return tokens, []
        layers = self.control_layers if self.config.repeats else self.control_noise_refiner
        tokens, added = _through(layers, tokens, image, table, vec)
        return tokens, added[: self.config.refiners]

    def added(self, tokens: Tensor, together: Tensor, table: Tensor, vec: Tensor) -> list[Tensor]:
        """What is added to all tokens after the model's layers, see `ControlConfig.places`.

        Args:
            tokens: [B, T + N, D], the model's text and the picture's tokens.
            together: [B, T + N, D], the model's text and picture before its layers.
            table: their rotations.
            vec: what modulates the layers.
        """
        return _through(self.control_layers, tokens, together, table, vec)[1]


def _through(
    layers: nn.ModuleList, tokens: Tensor, model: Tensor, table: Tensor, vec: Tensor
) -> tuple[Tensor, list[Tensor]]:
    added: list[Tensor] = []
    for layer in layers:
        tokens, result = layer(tokens, table, vec, model)
        added.append(result)
    return tokens, added


class ControlLayer(Layer):
    """A layer, and a projection of its result for the model; the first takes the model's tokens."""

    def __init__(self, config: NextDiTConfig, *, first: bool) -> None:
        super().__init__(config)
        self.before_proj = Linear(config.width, config.width) if first else None
        self.after_proj = Linear(config.width, config.width)

    def forward(  # type: ignore[override] - it returns what is added, too
        self, tokens: Tensor, table: Tensor, vec: Tensor, model: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens and the model's [B, N, D] -> the next layer's tokens, and what is added."""
        if self.before_proj is not None:
            tokens = self.before_proj(tokens) + model
        tokens = super().forward(tokens, table, vec)
        return tokens, self.after_proj(tokens)


def control_config(weights: StateDict) -> ControlConfig | None:
    """The sizes from tensors under the module's names; None if there is no such control network.

    Raises:
        WeightsError: a tensor is missing or has another number of axes.
    """
    if MARK not in weights:
        return None
    width, values = matrix(weights, MARK)
    norm = weights.shape("control_layers.0.attention.q_norm.weight")
    channels = values // PATCH**2
    if norm is None or len(norm) != 1 or width % norm[0]:
        raise WeightsError("its control_layers.0.attention.q_norm.weight does not fit its width")
    if channels not in (PLAIN_CHANNELS, INPAINT_CHANNELS):
        raise WeightsError(
            f"it takes {channels} channels of a picture, expected {PLAIN_CHANNELS} or "
            f"{INPAINT_CHANNELS}"
        )
    head = norm[0]
    third = 3 * head // 8
    net = NextDiTConfig(
        width=width,
        layers=0,
        noise_refiners=0,
        context_refiners=0,
        head=head,
        key_heads=width // head,
        feed_forward=matrix(weights, "control_layers.0.feed_forward.w1.weight")[0],
        channels=PLAIN_CHANNELS,
        context=0,
        time=matrix(weights, "control_layers.0.adaLN_modulation.0.weight")[1],
        time_inner=0,
        axes=(head - 2 * third, third, third),
        period=256.0,
        time_scale=1000.0,
        multiple=32,
        activated=False,
    )
    refines = REFINER_OUT in weights
    return ControlConfig(
        net=net,
        layers=count(weights, "control_layers."),
        refiners=count(weights, "control_noise_refiner."),
        channels=channels,
        refines=refines,
        repeats=refines and not weights[REFINER_OUT].count_nonzero(),
    )


def control_tensors(weights: StateDict) -> StateDict:
    """The tensors under the module's names; files have diffusers' names of projections."""
    width, _ = matrix(weights, MARK)
    stacks = {stack: count(weights, f"{stack}.") for stack in STACKS}
    names = diffusers_names(stacks, width, width)
    names["control_all_x_embedder.2-1"] = "control_all_x_embedder.2-1"
    for stack, many in stacks.items():
        for number in range(many):
            for part in ("before_proj", "after_proj", "attention.qkv", "attention.out"):
                names[f"{stack}.{number}.{part}"] = f"{stack}.{number}.{part}"
            for part in ("attention.q_norm", "attention.k_norm"):
                names[f"{stack}.{number}.{part}"] = f"{stack}.{number}.{part}"
    return original_layout(weights, names).refuse_empty()
