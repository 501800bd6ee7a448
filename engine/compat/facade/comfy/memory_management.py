"""Memory of weights that is managed outside of Python, which Calotype has no use for."""

aimdo_enabled = False
