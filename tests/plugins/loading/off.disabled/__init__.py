"""A pack that its name switches off."""

raise RuntimeError("imported although it is disabled")
