"""A pack that installs what it lacks, in every way that packs do."""

import os
import subprocess
import sys


class Installs:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "test/loading"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"count": ("INT", {"default": 0})}}

    def run(self, count):
        return {"ui": {"text": refused}, "result": (str(count),)}


def tried(install):
    try:
        install()
    except OSError as error:
        return str(error)
    return "installed"


def pip_here():
    import pip

    pip.main(["install", "not-there-three", "--no-deps"])


refused = [
    tried(lambda: subprocess.check_call([sys.executable, "-m", "pip", "install", "not-there-one"])),
    tried(lambda: os.system("python -m pip install -q not-there-two")),
    tried(pip_here),
    tried(lambda: subprocess.run("uv pip install not-there-four", shell=True, check=True)),
    str(subprocess.run([sys.executable, "-c", "print(1)"], check=True)),
]
NODE_CLASS_MAPPINGS = {"LoadingInstalls": Installs}
