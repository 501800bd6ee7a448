"""A family whose network is a class of diffusers, called directly: no pipeline, no loader of its.

An entry says how its files are recognised, which names its tensors have there, and what the class
is called with. Loading, residency, patches of weights, sampling, text encoders and autoencoders are
those of every other family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from engine.adapters.rows import Rows
from engine.errors import NodeError
from engine.families.family import Checkpoint
from engine.families.transformer_family import TransformerFamily
from engine.nets import foreign_networks
from engine.nets.diffusers_classes import network_class
from engine.nets.hooks import NetHooks, Residuals


@dataclass(frozen=True, slots=True)
class BridgedConfig:
    """The sizes of one network.

    Attributes:
        arguments: of the class, by name.
        channels: of a token inside.
        inner: channels inside a feed-forward.
        context_channels: of the text encoders' tokens.
        further: sizes of parts that are added to the class, by name.
        single_first: whether the positions of a video's cells count its first as one frame.
    """

    arguments: tuple[tuple[str, Any], ...]
    channels: int
    inner: int
    context_channels: int
    single_first: bool = False
    further: tuple[tuple[str, Any], ...] = ()

    def argument(self, name: str) -> Any:
        """One of the arguments or further sizes; None if the network is built without it."""
        return dict((*self.arguments, *self.further)).get(name)


class BridgedFamily(TransformerFamily):
    """The part of `engine.families.family.ModelFamily` that bridged families share.

    Attributes:
        via: the package that the network is from.
        network_name: the class in diffusers.
        blocks: names of the classes of its blocks.
        place: the part under which plugins replace blocks, see `through_block`; empty: none.
        block_arguments: the names of a block's arguments there, in their order.
    """

    via = "diffusers"
    network_name: str
    blocks: tuple[str, ...]
    place = ""
    block_arguments: tuple[str, ...] = ()

    def class_of(self, config: BridgedConfig) -> str:
        """The name of the class in diffusers for a network of these sizes."""
        del config
        return self.network_name

    def build(self, config: BridgedConfig) -> nn.Module:
        """The denoiser with its parameters on the meta device, under the class's own names.

        Raises:
            WeightsError: diffusers is not installed, or has no such class.
        """
        made = network_class(self.class_of(config), self.name)
        return foreign_networks.built(
            lambda: self.completed(made(**dict(config.arguments)), config)
        )

    def completed(self, net: nn.Module, config: BridgedConfig) -> nn.Module:
        """The network with parts that the class lacks; of most families, it lacks none."""
        del config
        return net

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
        """One call of the denoiser; see `ModelFamily`.

        Raises:
            NodeError: a control network or patches inside the network are asked for.
        """
        if control is not None:
            raise NodeError(
                f"{self.name} takes no ControlNet, because its network is that of another "
                "package; remove the ControlNet from the workflow"
            )
        hooks = hooks or NetHooks()
        of_blocks = all(
            kind == "dit" and self.place and place[0] == self.place
            for kind, place in hooks.replacements
        )
        if hooks.patches or not of_blocks:
            raise NodeError(
                f"{self.name} takes no patches of attention, because its network is that of "
                "another package; remove the node that makes one (LoRAs do work)"
            )
        foreign_networks.tables_on(net, x.device)
        with (
            foreign_networks.checked(net, self.blocks, checkpoint),
            foreign_networks.replaced(net, self.blocks, self.place, self.block_arguments, hooks),
        ):
            return self.call(net, x, timestep, inputs)

    def call(
        self, net: nn.Module, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]
    ) -> Tensor:
        """Call the class with its own arguments: x [B, C, ...], timestep [B] -> like x."""
        raise NotImplementedError

    def names(self, config: BridgedConfig) -> Mapping[str, str | Rows]:
        """Modules in files of the original layout to the class's own, or to rows of them."""
        del config
        return {}

    def lora_names(self, config: BridgedConfig) -> Mapping[str, str | Rows]:
        """See `names`."""
        return self.names(config)

    def tokens(self, config: BridgedConfig, shape: Sequence[int]) -> int:
        """The tokens of one row of x of that shape, text included."""
        raise NotImplementedError

    def activation_bytes(
        self, config: BridgedConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """The tensors of one block, some of them in float32."""
        width = 20 * config.channels + 6 * config.inner
        return shape[0] * self.tokens(config, shape) * width * dtype_bytes
