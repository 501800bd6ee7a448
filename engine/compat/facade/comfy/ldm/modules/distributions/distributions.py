"""A normal distribution from an autoencoder's output."""

from engine.compat.blocks.autoencoder_parts import DiagonalGaussianDistribution
