"""What nodes of the V3 interface show."""

from engine.compat.v3.ui import *
