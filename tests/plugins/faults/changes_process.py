"""Changes the whole process while it is imported, and again in its node."""

import locale
import logging
import os
import signal
import sys
import warnings

import torch


def change():
    os.environ.clear()
    os.environ["PATH"] = "/nowhere"
    os.environ["TMPDIR"] = "/nowhere"
    os.environ["HOME"] = "/nowhere"
    os.chdir("/")
    os.umask(0o777)
    locale.setlocale(locale.LC_ALL, "C")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    warnings.simplefilter("error")
    logging.disable(logging.CRITICAL)
    sys.stdout = sys.stderr = None
    sys.setrecursionlimit(150)


class ChangesProcess:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "test/faults"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""})}}

    def run(self, text):
        change()
        return (text,)


change()
NODE_CLASS_MAPPINGS = {"FaultChangesProcess": ChangesProcess}
