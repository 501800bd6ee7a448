"""Seconds per step of Stable Diffusion's UNets, guided (batch 2), against diffusers.

    python tests/bench/unet.py [--model sd15] [--sizes 256 512] [--rounds 5] [--dtypes bf16 fp32]
                               [--threads 2] [--compiled] [--cpu-time]

Everything is measured in turn in one process. `--cpu-time` compares the process's own time, for
machines that are busy with other things. `--model sdxl` takes 11 GB in bf16.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack

import torch
from networks import DTYPES, diffusers_unet, interleaved, machine, our_unet, ratio

from engine.nets.unet import UNet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("sd15", "sdxl"), default="sd15")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtypes", choices=DTYPES, nargs="+", default=list(DTYPES))
    parser.add_argument("--threads", type=int)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--cpu-time", action="store_true")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    machine()
    nets = {}
    with ExitStack() as stack:
        for name in asked.dtypes:
            nets[f"ours {name}"] = stack.enter_context(our_unet(DTYPES[name], asked.model))
            nets[f"diffusers {name}"] = diffusers_unet(DTYPES[name], asked.model)
        if asked.compiled:
            compile_blocks(nets)
        measure(nets, asked)


def measure(nets, asked) -> None:
    for size in asked.sizes:
        print(f"{size} px")
        runs = {name: step(net, size, asked.model) for name, net in nets.items()}
        seconds = interleaved(runs, asked.rounds)
        limit = 0.95 if asked.compiled or asked.model == "sdxl" else 1.0
        for name in asked.dtypes:
            ratio(seconds, f"ours {name}", f"diffusers {name}", limit)
        if {"bf16", "fp32"} <= set(asked.dtypes):
            ratio(seconds, "ours bf16", "ours fp32", 0.65)


def step(net, size, model):
    dtype = next(net.parameters()).dtype
    x = torch.randn(2, 4, size // 8, size // 8).to(dtype)
    timesteps = torch.tensor([500, 500])
    if model == "sd15":
        context = torch.randn(2, 77, 768).to(dtype)
        return lambda: net(x, timesteps, context)
    context, pooled = torch.randn(2, 77, 2048).to(dtype), torch.randn(2, 1280).to(dtype)
    if isinstance(net, UNet):
        vector = torch.cat((pooled, torch.randn(2, 1536).to(dtype)), dim=1)
        return lambda: net(x, timesteps, context, vector)
    sizes = torch.tensor([[size, size, 0, 0, size, size]] * 2, dtype=dtype)
    more = {"text_embeds": pooled, "time_ids": sizes}
    return lambda: net(x, timesteps, context, added_cond_kwargs=more)


def compile_blocks(nets) -> None:
    """Only the transformer blocks: whole networks take longer to compile than they save."""
    for net in nets.values():
        for module in net.modules():
            if type(module).__name__ in ("TransformerBlock", "BasicTransformerBlock"):
                module.compile()


if __name__ == "__main__":
    main()
