"""MODEL objects: what plugins attach acts like what the engine's own nodes attach."""

import copy
import importlib
from dataclasses import replace

import pytest
import torch

from engine.compat.models import model_base, model_sampling, supported_models
from engine.compat.models.networks import UNetModel
from engine.compat.models.patcher import ModelPatcher
from engine.compat.models.patcher_extension import PatcherInjection, WrapperExecutor, WrappersMP
from engine.compat.placeholders import known_names
from engine.diffusion.parameterization import Prediction, discrete
from engine.nets.hooks import NetHooks


def shown(model):
    return ModelPatcher.of_value(model)


def differs(one, other):
    return (one - other).norm() > 1e-3 * other.norm()


def test_an_unchanged_model_comes_back_as_the_same_value(model):
    patcher = shown(model)
    assert patcher.to_value() is model
    assert patcher.clone().to_value() is model


def test_it_looks_like_the_model_of_its_family(model):
    patcher = shown(model)
    assert isinstance(patcher.model, model_base.BaseModel)
    assert isinstance(patcher.model.model_config, supported_models.SD15)
    assert patcher.model.model_type is model_base.ModelType.EPS
    assert patcher.model.latent_format.scale_factor == 0.18215
    assert patcher.model.model_config.unet_config["context_dim"] == 48
    assert patcher.model.model_config.unet_config["channel_mult"] == [1, 2]
    assert patcher.get_model_object("model_sampling").percent_to_sigma(1.0) == 0.0
    assert isinstance(patcher.model.model_sampling, model_sampling.ModelSamplingDiscrete)
    assert isinstance(patcher.model.model_sampling, model_sampling.EPS)
    assert patcher.model.current_patcher is patcher
    assert shown(model).model is patcher.model


def test_the_network_is_among_the_modules_before_it_was_asked_for(model):
    base = shown(model).model
    assert [name for name, _ in base.named_children()] == ["model_sampling", "diffusion_model"]
    assert any("input_blocks" in name for name, _ in shown(model).model.named_modules())


def test_the_network_has_its_original_names(model):
    net = shown(model).model.diffusion_model
    assert isinstance(net, UNetModel)
    attention = net.input_blocks[1][1].transformer_blocks[0].attn2
    assert attention.to_k.in_features == 48
    assert attention.heads == 8
    assert (
        shown(model).get_model_object("diffusion_model.input_blocks.1.1") is net.input_blocks[1][1]
    )
    assert net.state_dict()["input_blocks.0.0.weight"].shape == (32, 4, 3, 3)
    names = shown(model).model_state_dict()
    assert "diffusion_model.input_blocks.0.0.weight" in names


def test_a_clone_does_not_change_what_it_was_made_from(model):
    patcher = shown(model)
    other = patcher.clone()
    other.set_model_attn1_patch(lambda q, k, v, _: (q, k, v))
    other.model_options["mine"] = 1
    assert patcher.model_options == {"transformer_options": {}}
    assert other.is_clone(patcher)
    assert patcher.to_value() is model


def test_a_change_without_a_clone_does_not_reach_the_cached_value(model, run):
    plain = run(model)
    patcher = shown(model)
    patcher.set_model_attn1_output_patch(lambda out, _: out * 0)
    assert torch.equal(run(model), plain)
    again = shown(patcher.to_value())
    again.model_options["transformer_options"]["patches"].clear()
    assert differs(run(patcher.to_value()), plain)


PATCHES = {
    "attn1_patch": lambda q, k, v, _: (q, k, v * 2),
    "attn2_patch": lambda q, k, v, _: (q, k[:, :1], v[:, :1]),
    "attn1_output_patch": lambda out, _: out * 2,
    "attn2_output_patch": lambda out, _: out * 0,
    "attn12_output_patch": lambda x, _: x * 2,
    "input_block_patch": lambda h, _: h * 1.1,
    "input_block_patch_after_skip": lambda h, _: h * 1.1,
    "middle_block_patch": lambda h, _: h * 0,
    "output_block_patch": lambda h, skip, _: (h, skip * 0),
}


@pytest.mark.parametrize("kind", PATCHES)
def test_a_patch_acts_as_a_hook_of_ours(model, run, kind):
    ours = kind.replace("attn12_output_patch", "middle_patch")
    expected = run(replace(model, hooks=NetHooks().with_patch(ours, PATCHES[kind])))
    patcher = shown(model)
    getattr(patcher, f"set_model_{kind}")(PATCHES[kind])
    assert torch.equal(run(patcher.to_value()), expected)
    # A second plugin sees the first one's patch, and keeps it.
    other = shown(patcher.to_value())
    assert other.model_options["transformer_options"]["patches"][ours] == [PATCHES[kind]]
    assert torch.equal(run(other.clone().to_value()), expected)


def test_an_embedding_patch_gets_the_embedding_of_time(model, run):
    seen = []
    patcher = shown(model)
    patcher.set_model_emb_patch(lambda emb, channels, _: seen.append((emb.shape, channels)) or emb)
    assert torch.allclose(run(patcher.to_value()), run(model), atol=1e-4)
    assert seen[0] == ((2, 128), 32)


def test_attention_that_is_replaced_by_plain_attention_changes_nothing(model, run):
    seen = {}

    def plain(q, k, v, extra_options):
        seen.update(extra_options)
        heads = extra_options["n_heads"]
        split = (each.unflatten(-1, (heads, -1)).transpose(1, 2) for each in (q, k, v))
        found = torch.nn.functional.scaled_dot_product_attention(*split)
        return found.transpose(1, 2).flatten(2)

    patcher = shown(model)
    for block in (("input", 1), ("middle", 0), ("output", 0)):
        patcher.set_model_attn2_replace(plain, *block)
    assert torch.allclose(run(patcher.to_value()), run(model), rtol=1e-4, atol=1e-4)
    for key in (
        "cond_or_uncond", "sigmas", "sample_sigmas", "block", "block_index", "transformer_index",
        "n_heads", "dim_head", "original_shape", "activations_shape",
    ):  # fmt: skip
        assert key in seen
    assert seen["activations_shape"] == [2, 64, 4, 4]


def test_a_replacement_that_returns_nothing_counts(model, run):
    patcher = shown(model)
    patcher.set_model_attn1_replace(lambda q, k, v, _: q * 0, "input", 1, 0)
    assert differs(run(patcher.to_value()), run(model))


def test_a_native_hook_and_a_plugins_patch_compose_in_any_order(model, run):
    def double(out, _):
        return out * 2

    def half(out, _):
        return out / 2 + 0.1

    def ours(value):
        return replace(value, hooks=value.hooks.with_patch("attn1_output_patch", double))

    def theirs(value):
        patcher = shown(value)
        patcher.set_model_attn1_output_patch(half)
        return patcher.to_value()

    first, second = theirs(ours(model)), ours(theirs(model))
    assert first.hooks.of("attn1_output_patch") == (double, half)
    assert second.hooks.of("attn1_output_patch") == (half, double)
    # Through a third plugin's node, the order stays.
    third = shown(second)
    third.set_model_attn2_output_patch(double)
    assert third.to_value().hooks.of("attn1_output_patch") == (half, double)
    assert differs(run(first), run(second))


def test_a_function_around_the_network_may_change_everything(model, run):
    seen = []

    def around(apply_model, args):
        seen.append((args["input"].shape, args["cond_or_uncond"], sorted(args["c"])))
        x, t, c = args["input"], args["timestep"], args["c"]
        parts = [
            apply_model(
                x[i : i + 1], t[i : i + 1], **{**c, "c_crossattn": c["c_crossattn"][i : i + 1]}
            )
            for i in range(len(x))
        ]
        return torch.cat(parts)

    patcher = shown(model)
    patcher.set_model_unet_function_wrapper(around)
    assert torch.allclose(run(patcher.to_value()), run(model), rtol=1e-3, atol=1e-3)
    assert seen[0] == ((2, 4, 8, 8), [0, 1], ["c_crossattn", "transformer_options"])
    patcher.set_model_unet_function_wrapper(
        lambda apply_model, args: apply_model(args["input"], args["timestep"], **args["c"]) * 0.5
    )
    assert differs(run(patcher.to_value()), run(model))


@pytest.mark.parametrize("kind", [WrappersMP.APPLY_MODEL, WrappersMP.DIFFUSION_MODEL])
def test_wrappers_surround_the_network(model, run, kind):
    calls = []

    def outer(executor, *args, **kwargs):
        calls.append("outer")
        return executor(*args, **kwargs)

    def inner(executor, x, t, *args, **kwargs):
        calls.append("inner")
        return executor(x, t, *args, **kwargs)

    patcher = shown(model)
    patcher.add_wrapper_with_key(kind, "mine", outer)
    patcher.add_wrapper_with_key(kind, "mine", inner)
    value = patcher.to_value()
    assert torch.allclose(run(value), run(model), rtol=1e-4, atol=1e-4)
    assert calls == ["outer", "inner"] * 2
    assert shown(value).get_wrappers(kind, "mine") == [outer, inner]
    calls.clear()
    run(shown(value).clone().to_value())
    assert calls == ["outer", "inner"] * 2


def test_a_wrapper_of_the_network_sees_its_arguments(model, run):
    seen = {}

    def wrapper(executor, x, timesteps, context, y, control, transformer_options, **kwargs):
        seen.update(x=x.shape, t=timesteps, context=context.shape, options=transformer_options)
        return executor(x, timesteps, context, y, control, transformer_options, **kwargs) * 2

    patcher = shown(model)
    patcher.add_wrapper(WrappersMP.DIFFUSION_MODEL, wrapper)
    assert differs(run(patcher.to_value()), run(model))
    assert seen["x"] == (2, 4, 8, 8)
    assert seen["context"] == (2, 5, 48)
    assert "wrappers" in seen["options"]


class Offset(model_sampling.EPS):
    def calculate_denoised(self, sigma, model_output, model_input):
        return super().calculate_denoised(sigma, model_output, model_input) * 0.5


def test_noise_levels_of_a_plugin_are_used(model, run):
    class Sampling(model_sampling.ModelSamplingDiscrete, model_sampling.V_PREDICTION):
        pass

    patcher = shown(model)
    patcher.add_object_patch("model_sampling", Sampling(patcher.model.model_config))
    expected = run(replace(model, parameterization=discrete(Prediction.V)))
    assert torch.allclose(run(patcher.to_value()), expected, rtol=1e-4, atol=1e-4)

    class Half(model_sampling.ModelSamplingDiscrete, Offset):
        pass

    patcher.add_object_patch("model_sampling", Half(patcher.model.model_config))
    found = patcher.to_value()
    assert differs(run(found), run(model))
    # The engine's node after it wins, and a plugin after that sees the engine's.
    again = replace(found, parameterization=discrete(Prediction.V))
    assert isinstance(shown(again).get_model_object("model_sampling"), model_sampling.V_PREDICTION)
    assert torch.equal(run(shown(again).to_value()), run(again))


def test_levels_of_ours_are_shown_and_stay(model):
    value = replace(model, parameterization=discrete(Prediction.V, zero_terminal_snr=True))
    patcher = shown(value)
    made = patcher.get_model_object("model_sampling")
    assert isinstance(made, model_sampling.V_PREDICTION)
    assert torch.equal(made.sigmas, value.parameterization.sigmas)
    assert patcher.to_value().parameterization is value.parameterization
    assert patcher.clone().to_value() is value


def test_an_object_patch_of_a_layer_lasts_for_a_run(model, run):
    net = model.net.module
    plain, layer = run(model), net.out[2]

    class Doubled(torch.nn.Module):
        def forward(self, x):
            return layer(x) * 2

    patcher = shown(model)
    patcher.add_object_patch("diffusion_model.out.2", Doubled())
    assert differs(run(patcher.to_value()), plain)
    assert net.out[2] is layer
    assert torch.equal(run(model), plain)


def test_injections_last_for_a_run(model, run):
    events = []
    patcher = shown(model)
    injection = PatcherInjection(
        lambda given: events.append(("in", given.model is patcher.model)),
        lambda _: events.append(("out",)),
    )
    patcher.set_injections("mine", [injection])
    run(patcher.to_value())
    assert events == [("in", True), ("out",)]


def test_a_layer_that_is_injected_is_called_by_its_function(model, run):
    class Extra(torch.nn.Module):
        pass

    seen = []

    def call(layer, x, emb, context, options, *rest):
        seen.append((type(layer), x.shape, emb.shape, options["block"]))
        return x * 1.5

    extra = Extra()
    patcher = shown(model)
    patcher.set_injections(
        "mine",
        [
            PatcherInjection(
                lambda given: given.model.diffusion_model.input_blocks[1].append(extra),
                lambda given: given.model.diffusion_model.input_blocks[1].pop(-1),
            )
        ],
    )
    patcher.set_model_forward_timestep_embed_patch((Extra, call))
    plain = run(model)
    assert differs(run(patcher.to_value()), plain)
    assert seen[0] == (Extra, (2, 32, 8, 8), (2, 128), ("input", 1))
    assert torch.equal(run(model), plain)


def test_the_model_can_be_called_outside_of_a_run(model):
    patcher = shown(model)
    x, context = torch.randn(1, 4, 8, 8), torch.randn(1, 5, 48)
    found = patcher.model.apply_model(x, torch.tensor([3.0]), c_crossattn=context)
    again = patcher.model.diffusion_model(
        patcher.model.model_sampling.calculate_input(torch.tensor([3.0]), x),
        patcher.model.model_sampling.timestep(torch.tensor([3.0])).float(),
        context=context,
        transformer_options={"patches": {"middle_block_patch": [lambda h, _: h]}},
    )
    assert torch.allclose(found, x - again * 3.0, atol=1e-4)


def test_extra_conds_are_the_inputs_of_the_network(model):
    found = shown(model).model.extra_conds(
        cross_attn=torch.randn(1, 5, 48), noise=torch.zeros(1, 4, 8, 8), device="cpu"
    )
    assert found["c_crossattn"].cond.shape == (1, 5, 48)


def test_it_says_what_memory_it_needs(model):
    patcher = shown(model)
    assert patcher.memory_required([1, 4, 64, 64]) > 0
    assert patcher.model_size() == 1
    assert patcher.model_dtype() is torch.float32


@pytest.mark.parametrize(
    "name",
    [
        "conds", "latent_formats", "model_base", "model_detection", "model_patcher",
        "model_sampling", "patcher_extension", "supported_models", "supported_models_base",
    ],
)  # fmt: skip
def test_every_known_name_is_there(name):
    module = importlib.import_module(f"comfy.{name}")
    known = {each.split(".")[0] for each in known_names().get(f"comfy.{name}", {})}
    missing = {each for each in known if each not in vars(module)}
    assert missing <= PLACEHOLDERS


PLACEHOLDERS = {
    "ModelPatcherDynamic", "QuantizedTensor", "CLIPEmbeddingNoiseAugmentation",
    "unet_config_from_diffusers_unet", "*",
}  # fmt: skip


def test_the_weights_of_a_deep_copy_may_be_changed(model, run):
    plain = run(model)
    other = copy.deepcopy(shown(model))
    assert torch.equal(run(other.to_value()), plain)
    names = other.model.diffusion_model.state_dict()
    changed = {name: each * 1.1 for name, each in names.items()}
    other.model.diffusion_model.load_state_dict(changed)
    assert differs(run(other.to_value()), plain)
    assert torch.equal(run(model), plain)


def test_an_older_wrapper_is_not_given_newer_arguments():
    def older(executor, noise, seed=None):
        return executor(noise, seed)

    def function(noise, seed=None, latent_shapes=None):
        return noise, seed, latent_shapes

    executor = WrapperExecutor.new_executor(function, [older])
    assert executor.execute(1, 2, latent_shapes=3) == (1, 2, None)
    assert WrapperExecutor.new_executor(function, []).execute(1, latent_shapes=3) == (1, None, 3)
