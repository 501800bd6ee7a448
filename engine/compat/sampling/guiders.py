"""The engine's own guiders as objects that plugins expect."""

# ruff: noqa: N801 - names that plugins import
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.compat.sampling.cond_batch import evaluate_of, wrapped_hooks
from engine.compat.sampling.guider import CFGGuider
from engine.inference.values import (
    BasicGuider,
    DualCfgGuider,
    PerpNegGuider,
)
from engine.inference.values import Guider as AnyGuider

Options = Mapping[str, Any]


class NativeGuider(CFGGuider):
    """A guider whose predictions one of the engine's own combines."""

    def native(self) -> AnyGuider:
        """The engine's guider with these settings; its conditionings are not used."""
        raise NotImplementedError

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: Options = {},  # noqa: B006 - as the base's
        seed: int | None = None,
    ) -> Tensor:
        """The guided clean image."""
        del seed
        hooks = wrapped_hooks(self.inner_model, model_options, self.conds)
        evaluate = evaluate_of(self.inner_model, self.conds, x, timestep, model_options)
        guide = self.native().guide

        def guided() -> tuple[Tensor, Tensor]:
            return guide(evaluate, x, timestep, hooks, both=False)

        for around in hooks.around:
            inner = guided
            guided = lambda around=around, inner=inner: around(x, timestep, inner)  # noqa: E731
        return guided()[0]


class Guider_Basic(NativeGuider):
    """One conditioning, no guidance."""

    def set_conds(self, positive: Any) -> None:  # type: ignore[override]
        """Set the conditioning."""
        self.inner_set_conds({"positive": positive})

    def native(self) -> AnyGuider:
        """See `NativeGuider`."""
        return BasicGuider(self.model_patcher.to_value(), ())


class Guider_DualCFG(NativeGuider):
    """Guidance by two conditionings, and their negative."""

    def set_cfg(  # type: ignore[override]
        self, cfg1: float, cfg2: float, nested: bool = False
    ) -> None:
        """Set the scales: the first away from the second, the second away from the negative."""
        self.cfg1, self.cfg2, self.nested = cfg1, cfg2, nested

    def set_conds(self, positive: Any, middle: Any, negative: Any) -> None:  # type: ignore[override]
        """Set the conditionings."""
        self.inner_set_conds({"positive": positive, "middle": middle, "negative": negative})

    def native(self) -> AnyGuider:
        """See `NativeGuider`."""
        return DualCfgGuider(
            self.model_patcher.to_value(),
            (),
            (),
            (),
            scale=self.cfg1,
            middle_scale=self.cfg2,
            nested=self.nested,
        )


class Guider_PerpNeg(NativeGuider):
    """Guidance by the part of the negative that stands against the positive."""

    def set_conds(  # type: ignore[override]
        self, positive: Any, negative: Any, empty_negative_prompt: Any
    ) -> None:
        """Set the conditionings; the last is an empty prompt."""
        self.inner_set_conds(
            {"positive": positive, "negative": negative, "empty": empty_negative_prompt}
        )

    def set_cfg(self, cfg: float, neg_scale: float) -> None:  # type: ignore[override]
        """Set the scale of guidance and that of the negative."""
        self.cfg, self.neg_scale = cfg, neg_scale

    def native(self) -> AnyGuider:
        """See `NativeGuider`."""
        model = self.model_patcher.to_value()
        return PerpNegGuider(model, (), (), (), self.cfg, self.neg_scale)
