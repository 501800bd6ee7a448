"""A step of FLUX.1's blocks at full width on a CPU, against diffusers' FluxTransformer2DModel.

    python tests/bench/flux.py [--dtype bf16] [--rounds 5] [--size 512] [--threads 1]

One double and one single block of the published sizes with the same random weights, in one process,
in turns, each first in every second round; processor time of the process. Ours has its weights from
the residency as in a run of 20 steps, so in bf16 they are packed for oneDNN.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from engine.adapters.rows import Rows
from engine.families.flux.keys import diffusers_names
from engine.families.flux.network import Flux, FluxConfig
from engine.residency.carriers import Wants
from engine.residency.handles import LazyWeights
from engine.residency.manager import DeviceResidency

LOGGER = logging.getLogger("bench")
CONFIG = FluxConfig(
    in_channels=64,
    out_channels=64,
    context_channels=4096,
    vector_channels=768,
    channels=3072,
    inner=12288,
    double=1,
    single=1,
    guidance=True,
)
TEXT = 256
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def ours(dtype: torch.dtype) -> Flux:
    """Our network with random weights."""
    with torch.device("meta"):
        net = Flux(CONFIG)
    net = net.to(dtype).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        parameter.requires_grad_(requires_grad=False)
        parameter.normal_(std=0.02, generator=generator)
    return net.eval()


def theirs(net: Flux) -> torch.nn.Module:
    """Diffusers' network with the same weights: views of ours."""
    from diffusers import FluxTransformer2DModel

    with torch.device("meta"):
        twin = FluxTransformer2DModel(
            patch_size=1,
            in_channels=CONFIG.in_channels,
            num_layers=CONFIG.double,
            num_single_layers=CONFIG.single,
            guidance_embeds=True,
        )
    have = dict(net.named_parameters())
    state: dict[str, Tensor] = {}
    for their, our in diffusers_names(CONFIG).items():
        for kind in ("weight", "bias"):
            name = our.module if isinstance(our, Rows) else our
            found = have.get(f"{name}.{kind}")
            found = have.get(f"{name}.scale") if found is None and kind == "weight" else found
            if found is not None:
                state[f"{their}.{kind}"] = our.of(found) if isinstance(our, Rows) else found
    twin.load_state_dict(state, assign=True)
    return twin.eval()


def seconds(call: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """Processor time of this process."""
    begun = time.process_time()
    found = call()
    return time.process_time() - begun, found


def main() -> None:
    """Print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(given.threads)
    dtype = DTYPES[given.dtype]
    side = given.size // 8
    with torch.inference_mode():
        net = ours(dtype)
        twin = theirs(net)
        x = torch.randn(1, 16, side, side).to(dtype)
        context = torch.randn(1, TEXT, 4096).to(dtype)
        vector, tokens = (
            torch.randn(1, 768).to(dtype),
            torch.randn(1, side * side // 4, 64).to(dtype),
        )
        now, strength = torch.tensor([0.5]), torch.tensor([3.5])
        rows = torch.arange(side // 2)
        places = torch.cartesian_prod(torch.tensor([0]), rows, rows).to(dtype)
        calls = {
            "ours": lambda: net(x, now, context, vector, strength.to(dtype)),
            "diffusers": lambda: (
                twin(
                    hidden_states=tokens,
                    encoder_hidden_states=context,
                    pooled_projections=vector,
                    timestep=now.to(dtype),
                    guidance=strength.to(dtype),
                    img_ids=places,
                    txt_ids=torch.zeros(TEXT, 3, dtype=dtype),
                ).sample
            ),
        }
        weights = LazyWeights("benchmark", 1, lambda: net, wants=Wants(packed=True))
        residency = DeviceResidency(torch.device("cpu"), dtype, budget=8 * 10**9)
        begun = time.process_time()
        with residency.use(weights, calls=20):
            LOGGER.info("brought in %.2f s", time.process_time() - begun)
            times: dict[str, list[float]] = {name: [] for name in calls}
            for turn in range(given.rounds + 1):
                for name, call in sorted(calls.items(), reverse=turn % 2 == 1):
                    times[name].append(seconds(call)[0])
    found = {name: median(many[1:]) for name, many in times.items()}
    for name, value in found.items():
        LOGGER.info("%s: %.2f s", name, value)
    LOGGER.info("ratio: %.3f", found["ours"] / found["diffusers"])
    pairs = zip(times["ours"][1:], times["diffusers"][1:], strict=True)
    LOGGER.info("median of the rounds' ratios: %.3f", median(a / b for a, b in pairs))


if __name__ == "__main__":
    main()
