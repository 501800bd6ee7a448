"""Runs before any pack is imported."""

import os

os.environ["CALOTYPE_TEST_PRESTARTED"] = "yes"
