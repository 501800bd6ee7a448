"""Denoisers that are no UNets, as plugins see them."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from engine.compat.boundary import plugin_boundary
from engine.compat.models.patcher_extension import WrappersMP
from engine.diffusion.conditioning import Input, Join
from engine.diffusion.parameterization import flow
from engine.diffusion.shifts import MuShift
from engine.families.latent_format import LatentFormat
from engine.inference.values import Model
from engine.nets.hooks import through_block
from engine.residency.handles import LazyWeights

WIDTH = 4


@dataclass(frozen=True)
class Sizes:
    width: int = WIDTH
    double: int = 2


class Blocks(nn.Module):
    """Two blocks that add a projection of the text."""

    def __init__(self):
        super().__init__()
        self.double_blocks = nn.ModuleList(nn.Linear(48, WIDTH) for _ in range(2))

    def forward(self, tokens, time, context, hooks, control):
        for number, block in enumerate(self.double_blocks):

            def original(given, block=block):
                return {"img": given["img"] + block(given["txt"]).mean(1, keepdim=True)}

            given = {"img": tokens, "txt": context, "vec": time}
            tokens = through_block(hooks, ("double_block", number), given, original)["img"]
            if control is not None and control.input[number] is not None:
                tokens = tokens + control.input[number]
        return tokens


class Family:
    """A family whose network takes tokens."""

    name = "Test"

    def latent(self, config):
        return LatentFormat(channels=WIDTH, downscale=(8, 8))

    def parameterization(self, config):
        return flow(MuShift(1.15), multiplier=1.0, levels=10_000)

    def inputs(self, config, entry, *, run, role):
        return {
            "context": Input(entry.embedding, Join.SAME),
            "guidance": Input(torch.tensor([3.5]), Join.SAME),
        }

    def predict(self, net, x, timestep, inputs, *, control, hooks, checkpoint):
        checkpoint()
        tokens = x.flatten(2).transpose(1, 2)
        out = net(tokens, timestep, inputs["context"], hooks, control)
        out = out * inputs["guidance"][:, None, None].to(out)
        return out.transpose(1, 2).unflatten(2, x.shape[2:])

    def lora_names(self, config):
        return {}

    def dtypes(self, config):
        return ()

    def activation_bytes(self, config, shape, dtype_bytes):
        return 0


@pytest.fixture
def model(cpu_residency, fill):
    net = fill(Blocks)
    family = Family()
    weights = LazyWeights("net", 1, lambda: net)
    return Model(family, Sizes(), weights, family.latent(None), family.parameterization(None))


@pytest.fixture
def patcher(model):
    return plugin_boundary().to_object(model)


def test_it_passes_through_a_plugins_node_unchanged(model):
    boundary = plugin_boundary()
    shown = boundary.given({"model": model})["model"]
    assert boundary.returned((shown.clone(),))[0] is model


def test_the_network_shows_its_blocks_and_sizes(patcher):
    assert len(patcher.model.diffusion_model.double_blocks) == 2
    assert patcher.model.model_config.unet_config["hidden_size"] == WIDTH
    assert patcher.model.model_config.unet_config["depth"] == 2


def test_a_block_is_replaced_with_the_arguments_that_plugins_expect(model, patcher, run):
    plain = run(model)
    seen = []

    def replacement(args, extra):
        seen.append((sorted(args), sorted(extra)))
        found = extra["original_block"](args)
        return {**found, "img": found["img"] * 2}

    patcher.set_model_patch_replace(replacement, "dit", "double_block", 1)
    changed = run(patcher.to_value())
    assert seen[0] == (["img", "transformer_options", "txt", "vec"], ["original_block"])
    assert not torch.equal(plain, changed)
    patcher.set_model_patch_replace(
        lambda args, extra: extra["original_block"](args), "dit", "double_block", 1
    )
    assert torch.equal(run(patcher.to_value()), plain)


def test_a_wrapper_of_the_network_sees_the_latent_and_named_inputs(model, patcher, run):
    plain = run(model)
    seen = []

    def wrapper(executor, x, timestep, context, y, guidance, control, options, **kwargs):
        seen.append((x.shape[1:], context.shape[1:], guidance.shape[1:], options is not None))
        return executor(x, timestep, context, y, guidance, control, options, **kwargs)

    patcher.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "test", wrapper)
    assert torch.equal(run(patcher.to_value()), plain)
    assert seen[0] == ((WIDTH, 8, 8), (5, 48), (), True)


def test_the_network_can_be_called_by_a_plugin(patcher):
    x, context = torch.ones(1, WIDTH, 8, 8), torch.ones(1, 5, 48)
    guidance = torch.tensor([2.0])
    net = patcher.model.diffusion_model
    found = net(x, torch.tensor([0.5]), context=context, guidance=guidance)
    twice = net(x, torch.tensor([0.5]), context, None, 2 * guidance)
    assert found.shape == x.shape
    assert torch.allclose(twice, 2 * found)


def test_a_function_around_the_model_gets_guidance(model, patcher, run):
    plain = run(model)
    names = []

    def around(apply_model, args):
        names.append(sorted(args["c"]))
        return apply_model(args["input"], args["timestep"], **args["c"])

    patcher.set_model_unet_function_wrapper(around)
    assert torch.equal(run(patcher.to_value()), plain)
    assert {"c_crossattn", "guidance", "transformer_options"} <= set(names[0])
