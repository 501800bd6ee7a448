"""Loaded first: the script of a later pack has run all the same."""

import os

if os.environ.get("CALOTYPE_TEST_PRESTARTED") != "yes":
    raise RuntimeError("prestartup_script.py of another pack has not run yet")


class Early:
    RETURN_TYPES = ()
    FUNCTION = "run"
    CATEGORY = "test/loading"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}


NODE_CLASS_MAPPINGS = {"LoadingEarly": Early}
