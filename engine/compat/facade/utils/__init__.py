"""Small functions of the host."""
