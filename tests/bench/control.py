"""A step with a ControlNet against the plain step plus the ControlNet's own pass, guided.

    python tests/bench/control.py [--size 512] [--rounds 5] [--dtype fp32] [--threads 2]
                                  [--cpu-time]

Stable Diffusion 1 at full size with random weights, both networks resident. The step is what a run
does: it picks the control networks of the entries, converts their inputs, scales and adds the
residuals. What it costs beyond the two networks is to stay under a tenth. The picture's features
are computed once per run and are in none of the three. About two minutes; takes 5 GB in fp32.
"""

from __future__ import annotations

import argparse

import torch
from networks import DTYPES, interleaved, machine, random_weights, ratio

from engine.control.original import OriginalControlNet
from engine.families.detect import detect
from engine.families.family import Run
from engine.inference.control import Control, ControlNet, controlled
from engine.inference.control_run import ControlRun
from engine.inference.entries import prepared
from engine.inference.load import model_of, module_weights
from engine.inference.values import Model
from engine.nets.controlnet import ControlNet as Network
from engine.nets.controlnet import ControlNetConfig
from engine.nets.layouts import stable_diffusion_1
from engine.nets.unet import UNet
from engine.residency.carriers import Wants
from engine.residency.manager import DeviceResidency
from engine.weights.state_dict import StateDict

TARGET = 1.1
HINTS = (3, 16, 16, 32, 32, 96, 96, 256, 320)


def networks(dtype: torch.dtype) -> tuple[Model, ControlNet]:
    """Stable Diffusion 1 and a ControlNet for it."""
    unet = stable_diffusion_1()[0]
    config = ControlNetConfig(4, 320, 1280, None, unet.input_blocks, unet.middle_block, HINTS)
    own = random_weights(lambda: UNet(unet), dtype).state_dict()
    weights = StateDict.of({f"model.diffusion_model.{name}": each for name, each in own.items()})
    model = model_of(*detect(weights), weights)
    kind, tensors = OriginalControlNet(), random_weights(lambda: Network(config), dtype)
    given = StateDict.of(tensors.state_dict())
    found = kind.detect(given)
    net = module_weights("benchmark", lambda: kind.build(found), given, Wants(packed=True))
    return model, ControlNet(kind, found, net)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--cpu-time", action="store_true")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    machine()
    model, net = networks(DTYPES[asked.dtype])
    with torch.inference_mode():
        measure(model, net, DTYPES[asked.dtype], asked.size // 8, asked.rounds)


def measure(model: Model, net: ControlNet, dtype: torch.dtype, cells: int, rounds: int) -> None:
    residency = DeviceResidency(torch.device("cpu"), dtype)
    texts = [[torch.randn(1, 77, 768), {}]], [[torch.randn(1, 77, 768), {}]]
    picture = Control(net, torch.rand(1, 8 * cells, 8 * cells, 3), 0.8)
    both = controlled(texts, picture, also_negative=False)
    run = Run((1, 4, cells, cells))
    entries = [prepared(each, model, run)[0] for each in both]
    conditionings = {"positive": both[0], "negative": both[1]}
    controls = ControlRun(conditionings, model.net, lambda _: 0.0, residency, lambda: None)
    x, timestep = torch.randn(2, 4, cells, cells).to(dtype), torch.tensor([500.0, 500.0])
    inputs = {"context": torch.randn(2, 77, 768).to(dtype)}
    with residency.use(model.net, *controls.weights):
        module = net.weights.module
        features = net.kind.features(
            net.config, module, torch.rand(1, 3, 8 * cells, 8 * cells).to(dtype)
        )

        def step(control):
            return model.family.predict(
                model.net.module, x, timestep, inputs, control=control, hooks=None,
                checkpoint=lambda: None,
            )  # fmt: skip

        def with_control():
            return step(controls.residuals(entries, x, timestep, torch.ones(2), inputs))

        seconds = interleaved(
            {
                "plain step": lambda: step(None),
                "the ControlNet's own pass": lambda: module(
                    x, timestep, features[0].to(dtype), inputs["context"]
                ),
                "step with a ControlNet": with_control,
            },
            rounds,
        )
    pairs = zip(seconds["plain step"], seconds["the ControlNet's own pass"], strict=True)
    seconds["both networks"] = [one + other for one, other in pairs]
    ratio(seconds, "step with a ControlNet", "both networks", TARGET)


if __name__ == "__main__":
    main()
