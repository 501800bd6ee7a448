"""UniPC, in its two variants."""

from engine.compat.sampling.k_samplers import FUNCTIONS

sample_unipc = FUNCTIONS["sample_uni_pc"]
sample_unipc_bh2 = FUNCTIONS["sample_uni_pc_bh2"]
