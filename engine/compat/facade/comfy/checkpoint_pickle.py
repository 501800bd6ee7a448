"""A pickle module for `torch.load` that builds tensors and nothing else."""

import pickle

from engine.compat.host.small_modules import Unpickler, load
