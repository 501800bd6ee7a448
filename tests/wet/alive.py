"""How much memory the tensors take that a computation has at once."""

import weakref
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


class Alive(TorchDispatchMode):
    """Counts the bytes of the tensors that operations make, as long as they live.

    Attributes:
        most: bytes that were alive at once.
    """

    def __init__(self, *modules: nn.Module) -> None:
        """Leave the modules' own weights, of which operations make views, out."""
        super().__init__()
        self.weights = [each.untyped_storage() for one in modules for each in one.parameters()]
        self.sizes: dict[int, int] = dict.fromkeys((each._cdata for each in self.weights), 0)
        self.now = self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in tree_flatten(result)[0]:
            if isinstance(each, torch.Tensor):
                storage = each.untyped_storage()
                key = storage._cdata
                if key not in self.sizes:
                    self.sizes[key] = storage.nbytes()
                    self.now += self.sizes[key]
                    weakref.finalize(storage, self._died, key)
        self.most = max(self.most, self.now)
        return result

    def _died(self, key: int) -> None:
        self.now -= self.sizes.pop(key, 0)
