"""Several tensors that pass as one."""

import torch

from engine.compat.host.nested_tensor import NestedTensor, cat_nested
