"""Types, schemas and nodes of the V3 interface."""

from engine.compat.v3.io import *
