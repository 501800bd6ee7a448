"""Compiling parts of a model with torch."""

from engine.compat.v3.torch_compile import set_torch_compile_wrapper
