"""Muon for matrices and convolutions, Adam for the rest; a moving average; atomic saving."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


@torch.no_grad()
def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Roughly the nearest (semi-)orthogonal matrices, by Newton-Schulz iteration."""
    x = matrices.bfloat16()
    flip = x.shape[-2] > x.shape[-1]
    if flip:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.mT if flip else x).float()


class Muon:
    """The learning rate has Adam's scale: the root mean square of an update is 0.2 of it.

    Parameters with fewer than two axes, or whose name contains one of `adam_names`, are left to
    Adam.
    """

    def __init__(
        self, named: Iterable[tuple[str, nn.Parameter]], rate: float, adam_names: Sequence[str] = ()
    ) -> None:
        trained = [(name, p) for name, p in named if p.requires_grad]
        matrices = [
            p for name, p in trained if p.ndim >= 2 and not any(part in name for part in adam_names)
        ]
        taken = {id(p) for p in matrices}
        groups: dict[tuple[int, int], list[nn.Parameter]] = {}
        for p in matrices:
            groups.setdefault((p.shape[0], p[0].numel()), []).append(p)
        self.groups = list(groups.values())
        self.momentum = {id(p): torch.zeros_like(p) for group in self.groups for p in group}
        self.adam = torch.optim.Adam(
            [p for _, p in trained if id(p) not in taken], rate, betas=(0.9, 0.98), fused=True
        )

    @torch.no_grad()
    def step(self, rate: float, adam_scale: float = 0.5) -> None:
        """Apply and clear the gradients."""
        for group in self.groups:
            updates = []
            for p in group:
                momentum = self.momentum[id(p)]
                momentum.lerp_(p.grad, 0.05)
                updates.append(p.grad.lerp(momentum, 0.95).flatten(1))
            update = orthogonalise(torch.stack(updates))
            scale = 0.2 * max(update.shape[-2:]) ** 0.5
            for p, change in zip(group, update, strict=True):
                p.add_(change.view_as(p), alpha=-rate * scale)
                p.grad = None
        for settings in self.adam.param_groups:
            settings["lr"] = rate * adam_scale
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """The state needed to resume."""
        return {
            "m": [self.momentum[id(p)] for group in self.groups for p in group],
            "adam": self.adam.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a saved state."""
        for p, momentum in zip(
            (p for group in self.groups for p in group), state["m"], strict=True
        ):
            self.momentum[id(p)].copy_(momentum)
        self.adam.load_state_dict(state["adam"])


class Average:
    """An exponential moving average of the trained parameters; it warms up over its first steps."""

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        self.parameters, self.decay = [p for p in parameters if p.requires_grad], decay
        self.shadow = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the parameters."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.shadow, [p.detach() for p in self.parameters], 1 - decay)

    def load(self, shadow: Sequence[Tensor]) -> None:
        """Resume from a saved average."""
        for mine, saved in zip(self.shadow, shadow, strict=True):
            mine.copy_(saved)

    @torch.no_grad()
    def swap(self) -> None:
        """Swap the parameters and their average; a second call swaps back."""
        for p, shadow in zip(self.parameters, self.shadow, strict=True):
            kept = p.clone()
            p.copy_(shadow)
            shadow.copy_(kept)


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a temporary file, then replace: an interrupted run leaves the last whole state."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)
