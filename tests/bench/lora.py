"""Changing a LoRA's strength between two runs, against loading the model again: bytes and time.

    python tests/bench/lora.py [FILE] [--rank 16] [--modules 32] [--loras 5] [--prompts 20]

A LoRA of random numbers on the cross-attention of as many modules. Both sides are the residency's
own `use`: the first loads every tensor of the denoiser, later ones those whose patches changed.
Bytes are counted where tensors are loaded. Targets: under 5 % of a reload in bytes; the memory of
the process stays flat over prompts with changing LoRAs. Without a file it uses load.py's.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from load import checkpoint  # also puts the project on the path
from memory import status
from safetensors.torch import save_file

from engine.inference.adapters import adapter_file, matched_with, patched_model
from engine.inference.load import load_checkpoint
from engine.inference.values import Model
from engine.residency.carriers import HostCarrier
from engine.residency.manager import DeviceResidency

TARGET = 0.05


class Counting(HostCarrier):
    """Counts the bytes that it loads."""

    def __init__(self) -> None:
        super().__init__(torch.float32, packed=True)
        self.brought = 0

    def bring(self, source, patches=()):
        tensor = super().bring(source, patches)
        self.brought += tensor.numel() * tensor.element_size()
        return tensor


def random_lora(folder: Path, model: Model, number: int, rank: int, modules: int) -> Path:
    """A file that changes the projections of the cross-attention in this many modules."""
    generator = torch.Generator().manual_seed(number)
    names = [name for name in model.net.sources if ".attn2.to_" in name and "weight" in name]
    tensors = {}
    for name in names[:modules]:
        out, inner = model.net.sources[name].shape
        key = "diffusion_model." + name.removesuffix(".weight")
        tensors[f"{key}.lora_A.weight"] = torch.randn(rank, inner, generator=generator)
        tensors[f"{key}.lora_B.weight"] = torch.randn(out, rank, generator=generator) * 1e-3
    path = folder / f"{number}.safetensors"
    save_file(tensors, path)
    return path


def with_loras(model: Model, paths: list[Path], strengths: list[float]) -> Model:
    """The model with these files, as the LoRA node returns it."""
    for path, strength in zip(paths, strengths, strict=True):
        model = patched_model(model, matched_with(adapter_file(path), model, None), strength)
    return model


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--modules", type=int, default=32)
    parser.add_argument("--loras", type=int, default=5)
    parser.add_argument("--prompts", type=int, default=20)
    given = parser.parse_args()
    carrier = Counting()
    residency = DeviceResidency(torch.device("cpu"), torch.float32, carriers=lambda _: carrier)
    model, _, _ = load_checkpoint(given.file or checkpoint())

    def bring(wanted: Model) -> tuple[int, float]:
        carrier.brought, begun = 0, time.perf_counter()
        with residency.use(wanted.net):
            return carrier.brought, time.perf_counter() - begun

    with tempfile.TemporaryDirectory() as folder:
        paths = [
            random_lora(Path(folder), model, i, given.rank, given.modules)
            for i in range(given.loras)
        ]
        bring(model)
        residency.release(10**12)
        whole, whole_time = bring(with_loras(model, paths[:1], [0.5]))
        changed, changed_time = bring(with_loras(model, paths[:1], [0.6]))
        same, _ = bring(with_loras(model, paths[:1], [0.6]))
        print(f"reload           {whole / 1e6:9.1f} MB  {whole_time:7.3f} s")
        print(
            f"another strength {changed / 1e6:9.1f} MB  {changed_time:7.3f} s  "
            f"{changed / whole:.1%} of the bytes, {changed_time / whole_time:.1%} of the time "
            f"(target for the bytes: under {TARGET:.0%})"
        )
        print(f"the same again   {same / 1e6:9.1f} MB")
        held = []
        for turn in range(given.prompts):
            strengths = [0.1 * ((turn + i) % 7) for i in range(given.loras)]
            bring(with_loras(model, paths, strengths))
            held.append(status("RssAnon"))
        print(
            f"{given.prompts} prompts with {given.loras} changing LoRAs: anonymous memory "
            f"{held[1]:.3f} GB after the second, {held[-1]:.3f} GB after the last"
        )


if __name__ == "__main__":
    main()
