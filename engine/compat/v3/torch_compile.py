"""`set_torch_compile_wrapper`: compile parts of a model where it is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from engine.errors import NodeError


def set_torch_compile_wrapper(
    model: Any,
    backend: str = "inductor",
    options: Any = None,
    mode: str | None = None,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    keys: Sequence[str] = ("diffusion_model",),
    *_: Any,
    **__: Any,
) -> None:
    """Have a plugin's MODEL compiled: the modules of these names become compiled ones.

    Args:
        model: the object that plugins have for a MODEL.
        backend, options, mode, fullgraph, dynamic: as for `torch.compile`.
        keys: names of modules in the model, such as `diffusion_model`.

    Raises:
        NodeError: a name is that of no module.
    """
    for key in keys:
        module = model.get_model_object(key)
        if not isinstance(module, torch.nn.Module):
            raise NodeError(
                f"torch.compile was requested for {key!r}, which is a {type(module).__name__} and "
                "no module; name a module of the model, such as diffusion_model"
            )
        compiled = torch.compile(
            module,
            backend=backend,
            options=options,
            mode=mode,
            fullgraph=fullgraph,
            dynamic=dynamic,
        )
        model.add_object_patch(key, compiled)
