"""A text of their own for control networks: what each network reads."""

import torch

from engine.diffusion.samplers.table import SAMPLERS
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, RandomNoise, Sampler
from nodes.control import control_net_apply_advanced, load_control_net
from nodes.control_text import clip_text_encode_controlnet
from nodes.loaders import load_checkpoint_file
from tests.wet.nodes.test_control import IMAGE, context, shown, text

__all__ = ["context", "shown"]


class Watching:
    """A control network's kind that notes the text of each call."""

    def __init__(self, kind, seen):
        self._kind, self._seen = kind, seen

    def __getattr__(self, name):
        return getattr(self._kind, name)

    def residuals(self, config, module, call):
        self._seen.append((call.inputs["context"].clone(), sorted(call.inputs)))
        return self._kind.residuals(config, module, call)


def run(model, positive, negative):
    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    guider = CfgGuider(model, positive, negative, 2.0)
    sigmas = torch.tensor([3.0, 0.0])
    return sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), sigmas, latent).samples


def test_only_the_control_network_reads_it(context, tiny_clip, cpu_residency):
    from dataclasses import replace

    model, _, _ = load_checkpoint_file("small.safetensors", context)
    net, seen = load_control_net("lines.safetensors", context), []
    told = clip_text_encode_controlnet(tiny_clip, text(0.3), "a house", context)
    assert told[0][0] is not None
    own = told[0][1]["cross_attn_controlnet"]
    assert own.shape == (1, 77, 64)
    assert torch.equal(told[0][0], text(0.3)[0][0])
    positive, negative = control_net_apply_advanced(told, text(0.5), net, IMAGE, 1.0, ctx=context)
    link = positive[0][1]["control"]
    watched = replace(link, net=replace(link.net, kind=Watching(link.net.kind, seen)))
    positive = [[positive[0][0], {**positive[0][1], "control": watched}]]
    negative = [[negative[0][0], {**negative[0][1], "control": watched}]]
    run(model, positive, negative)
    texts = [each for each, names in seen for each in each]
    assert all(set(names) <= {"context", "vector"} for _, names in seen)
    assert any(torch.allclose(each[:77], own[0], atol=1e-5) for each in texts)
    assert not any(torch.allclose(each[:4], text(0.3)[0][0][0]) for each in texts)


def test_without_a_control_network_nothing_changes(context, tiny_clip, cpu_residency):
    model, _, _ = load_checkpoint_file("small.safetensors", context)
    told = clip_text_encode_controlnet(tiny_clip, text(0.3), "a house", context)
    assert torch.equal(run(model, told, text(0.5)), run(model, text(0.3), text(0.5)))
