"""The SA solver; see `comfy.k_diffusion.sampling`."""

from engine.compat.sampling.k_samplers import FUNCTIONS

sample_sa_solver = FUNCTIONS["sample_sa_solver"]
sample_sa_solver_pece = FUNCTIONS["sample_sa_solver_pece"]
