"""A pack that ends the program as Python does."""

import sys

sys.exit("I want to go")
