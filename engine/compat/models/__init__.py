"""MODEL as plugins see it: patchers, models by family, noise levels, latent formats."""
