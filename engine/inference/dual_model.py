"""A guider of two models: one predicts the positive, another the negative."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from engine.diffusion.guidance import Evaluate, Hooks, guided
from engine.errors import NodeError
from engine.inference.values import Conditioning, Guider, Model
from engine.residency.handles import Weights


@dataclass(frozen=True, slots=True)
class DualModelGuider:
    """Classifier-free guidance whose negative another model predicts."""

    model: Model
    positive: Conditioning
    negative_model: Model
    negative: Conditioning
    scale: float

    def conditionings(self) -> Mapping[str, Conditioning]:
        """See `Guider`."""
        return {"positive": self.positive, "negative": self.negative}

    def guide(
        self, evaluate: Evaluate, x: Tensor, sigma: Tensor, hooks: Hooks, *, both: bool
    ) -> tuple[Tensor, Tensor]:
        """See `Guider`."""
        return guided(evaluate, x, sigma, self.scale, hooks, both=both)

    @property
    def shares_weights(self) -> bool:
        """Whether both are one file, whose weights on the device each patches in its own way."""
        first, other = self.model.net, self.negative_model.net
        return other.base is first.base and other is not first

    def check(self) -> None:
        """Refuse models whose latents differ, with a `NodeError`."""
        first, other = self.model.latent, self.negative_model.latent
        if (first.channels, first.dims) != (other.channels, other.dims):
            raise NodeError(
                f"the model of the negative works on latents of {other.channels} channels and "
                f"{other.dims} axes, the other on {first.channels} channels and {first.dims} "
                "axes; connect two models of one family"
            )


def conditionings_by_model(
    guider: Guider,
) -> tuple[Mapping[str, Conditioning], Mapping[str, Conditioning]]:
    """The conditionings that the guider's model predicts, and those that another one does."""
    found = guider.conditionings()
    if not isinstance(guider, DualModelGuider):
        return found, {}
    return {"positive": found["positive"]}, {"negative": found["negative"]}


def weights_beside(guider: Guider) -> tuple[Weights, ...]:
    """The weights that a run needs on the device beside those of the guider's model."""
    if not isinstance(guider, DualModelGuider) or guider.shares_weights:
        return ()
    return (guider.negative_model.net,)
