"""DEIS; see `comfy.k_diffusion.sampling`."""

from engine.compat.sampling.k_samplers import FUNCTIONS

sample_deis = FUNCTIONS["sample_deis"]
