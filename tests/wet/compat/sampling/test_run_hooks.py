"""Hooks that control objects bring, and blocks that a plugin replaces one by one for a run."""

import pytest
import torch

from engine.compat.install import host_module
from engine.compat.sampling.values import to_value
from engine.nets import attention, unet
from nodes.sampling import ksampler

SAME = {"steps": 2, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal", "seed": 7}


@pytest.fixture(autouse=True)
def clean(path):
    yield
    attention.blocks_by(None)
    unet.forward_by(None)


def forward(self, x, context=None, transformer_options={}):  # noqa: B006 - as plugins write it
    """A block as a plugin writes it, with attention to twice the tokens."""
    assert (self.ff_in, self.is_res, self.disable_self_attn) == (None, True, False)
    assert self.n_heads * self.d_head == x.shape[-1]
    self.seen.append(transformer_options["block"])
    normal = self.norm1(x)
    x = x + self.attn1(normal, context=torch.cat((normal, normal), dim=1), value=None)
    x = x + self.attn2(self.norm2(x), context=context)
    return self.ff(self.norm3(x)) + x


def control_with(wrapper, should=None):
    """A plugin's control that adds nothing, and brings a wrapper of whole runs."""
    hooks, extension = host_module("comfy.hooks"), host_module("comfy.patcher_extension")

    class Control(host_module("comfy.controlnet").ControlBase):
        def get_control(self, *_):
            return None

        def get_models(self):
            return []

        def copy(self):
            made = Control()
            self.copy_to(made)
            return made

    options = {}
    kind = extension.WrappersMP.OUTER_SAMPLE
    extension.add_wrapper_with_key(kind, "test", wrapper, transformer_options=options)
    hook = hooks.WrapperHook(options)
    hook.custom_should_register = should
    made = Control()
    made.extra_hooks = hooks.HookGroup()
    made.extra_hooks.add(hook)
    return made


def sampled(model, positive, negative, latent, ctx, control=None):
    if control is not None:
        positive = [[text, {**extras, "control": to_value(control)}] for text, extras in positive]
    return ksampler(
        model=model, positive=positive, negative=negative, latent_image=latent, ctx=ctx, **SAME
    )["samples"]


def test_a_controls_hook_surrounds_the_run(model, positive, negative, latent, ctx):
    plain, calls = sampled(model, positive, negative, latent, ctx), []

    def wrapper(executor, *args, **kwargs):
        calls.append(sorted(executor.class_obj.conds))
        return executor(*args, **kwargs)

    found = sampled(model, positive, negative, latent, ctx, control_with(wrapper))
    assert calls == [["negative", "positive"]]
    assert torch.allclose(found, plain, rtol=1e-3, atol=1e-3)
    declined = control_with(wrapper, should=lambda *_: False)
    sampled(model, positive, negative, latent, ctx, declined)
    assert len(calls) == 1


def test_blocks_are_replaced_one_by_one_for_a_run(model, positive, negative, latent, ctx):
    plain, seen = sampled(model, positive, negative, latent, ctx), []
    block_class = host_module("comfy.ldm.modules.attention").BasicTransformerBlock

    def wrapper(executor, *args, **kwargs):
        network = executor.class_obj.model_patcher.model.diffusion_model
        blocks = [each for each in network.modules() if isinstance(each, block_class)]
        originals = [each.forward for each in blocks]
        for each in blocks:
            each.seen = seen
            each.forward = forward.__get__(each, type(each))
        try:
            return executor(*args, **kwargs)
        finally:
            for each, original in zip(blocks, originals, strict=True):
                each.forward = original

    control = control_with(wrapper)
    found = sampled(model, positive, negative, latent, ctx, control)
    # Every token twice: the same attention.
    assert torch.allclose(found, plain, rtol=1e-3, atol=1e-3)
    assert {"input", "output"} <= {place[0] for place in seen}
    assert torch.allclose(sampled(model, positive, negative, latent, ctx), plain, rtol=1e-5)


def test_what_a_control_writes_into_the_options_reaches_the_network(
    model, positive, negative, latent, ctx
):
    seen = []
    extension = host_module("comfy.patcher_extension")

    def network(executor, x, time, context, y, control, options, **kwargs):
        seen.append((options.get("written"), len(options["uuids"]), len(options["cond_or_uncond"])))
        return executor(x, time, context, y, control, options, **kwargs)

    def wrapper(executor, *args, **kwargs):
        guider = executor.class_obj
        inner = guider.model_options["transformer_options"]
        kind = extension.WrappersMP.DIFFUSION_MODEL
        extension.add_wrapper_with_key(kind, "test", network, transformer_options=inner)
        return executor(*args, **kwargs)

    control = control_with(wrapper)

    def get_control(x, t, cond, entries, transformer_options):
        transformer_options["written"] = 5

    control.get_control = get_control
    control.copy = lambda: control
    sampled(model, positive, negative, latent, ctx, control)
    assert any(written == 5 for written, *_ in seen)
    assert all(ids == rows for _, ids, rows in seen)
