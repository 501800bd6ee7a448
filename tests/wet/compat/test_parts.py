"""VAE, control, vision, upscaling and hook objects of plugins against the built-in nodes."""

import pytest
import torch
from safetensors.torch import save_file

from engine.compat.boundary import plugin_boundary
from engine.compat.install import host_module, install_facade
from engine.diffusion.samplers.table import SAMPLERS
from engine.families.autoencoders import find_autoencoder
from engine.inference.adapters import adapter_file, matched_with, patched_model
from engine.inference.control import control_of, load_control
from engine.inference.control_pictures import encoded
from engine.inference.load import load_checkpoint, vae_of
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, Keyframe, RandomNoise, Sampler
from engine.inference.vision import ClipVision as VisionValue
from engine.nets.controlnet import ControlNet, ControlNetConfig
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.residency.handles import LazyWeights
from engine.vision.clip import ClipImageEncoder
from engine.vision.clip_network import ClipVision, ClipVisionConfig
from engine.weights.state_dict import StateDict
from nodes import hooks as hook_nodes
from nodes.control import control_net_apply_advanced, control_net_apply_inpainting
from nodes.vae import vae_decode, vae_decode_tiled, vae_encode, vae_encode_tiled
from tests.wet import control_files

install_facade()
SIGMAS = torch.tensor([14.6, 5.0, 1.0, 0.0])


@pytest.fixture(autouse=True)
def never_stopped(monkeypatch):
    management = host_module("comfy.model_management")
    for name in ("throw_exception_if_processing_interrupted", "load_models_gpu"):
        monkeypatch.setattr(management, name, lambda *_: None, raising=False)


class Ctx:
    checkpoint = staticmethod(lambda: None)
    progress = staticmethod(lambda *_: None)
    show = staticmethod(lambda **_: None)


def given(value):
    return plugin_boundary().to_object(value)


def returned(value):
    return plugin_boundary().to_value(value)


def test_vae_methods_are_the_nodes(tiny_vae):
    shown, pixels = given(tiny_vae), torch.rand(1, 72, 64, 3)
    latent = vae_encode(pixels, tiny_vae, Ctx())["samples"]
    assert torch.equal(shown.encode(pixels), latent)
    assert torch.equal(shown.decode(latent), vae_decode({"samples": latent}, tiny_vae, Ctx()))
    wide = torch.rand(1, 4, 24, 20)
    expected = vae_decode_tiled({"samples": wide}, tiny_vae, Ctx(), 128, 32)
    assert torch.equal(shown.decode_tiled(wide, tile_x=16, tile_y=16, overlap=4), expected)
    big = torch.rand(1, 192, 160, 3)
    encoded = vae_encode_tiled(big, tiny_vae, Ctx(), 128, 64)["samples"]
    assert torch.equal(shown.encode_tiled(big, tile_x=128, tile_y=128, overlap=64), encoded)
    assert (shown.downscale_ratio, shown.latent_channels, shown.latent_dim) == (8, 4, 2)
    assert shown.vae_encode_crop_pixels(pixels[:, :71]).shape == (1, 64, 64, 3)
    assert returned(shown) is tiny_vae


def test_the_raw_autoencoder_computes_what_decode_shows(tiny_vae):
    shown, latent = given(tiny_vae), torch.rand(1, 4, 8, 8)
    raw = shown.first_stage_model.decode(latent)
    assert torch.allclose(shown.process_output(raw).movedim(1, -1), shown.decode(latent))
    pixels = torch.rand(1, 3, 64, 64) * 2 - 1
    expected = shown.encode(((pixels + 1) / 2).movedim(1, -1))
    assert torch.allclose(shown.first_stage_model.encode(pixels), expected, atol=1e-5)
    assert set(shown.get_sd()) == set(dict(shown.first_stage_model.named_parameters()))


def test_a_vae_can_be_made_of_its_tensors(tiny_vae):
    shown = given(tiny_vae)
    made = host_module("comfy.sd").VAE(sd=shown.get_sd())
    latent = torch.rand(1, 4, 8, 8)
    assert torch.equal(made.decode(latent), shown.decode(latent))


def test_a_vae_of_a_plugins_own_class_decodes_in_our_nodes(tiny_vae):
    class Darker(host_module("comfy.sd").VAE):
        def decode(self, samples_in):
            return super().decode(samples_in) * 0.5

    shown = given(tiny_vae)
    own = Darker(sd=shown.get_sd())
    latent = torch.rand(1, 4, 8, 8)
    found = vae_decode({"samples": latent}, returned(own), Ctx())
    assert torch.allclose(found, shown.decode(latent) * 0.5, atol=1e-6)


def filled(module):
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(tensor.shape, generator=generator) * max(tensor[0].numel(), 1) ** -0.5
        for name, tensor in module.state_dict().items()
    }


@pytest.fixture
def control(small_tensors, tmp_path, cpu_residency):
    """(a small model, a control network that fits it)."""
    unet = regular_unet(32, (1, 2), (1, 1), context=64, heads=8, blocks=1)
    hints = (3, 8, 8, 8, 8, 8, 8, 8, 32)
    config = ControlNetConfig(4, 32, 128, None, unet.input_blocks, unet.middle_block, hints)
    save_file(filled(ControlNet(config)), tmp_path / "cn.safetensors")
    prefix = "model.diffusion_model."
    kept = {n: t for n, t in small_tensors.items() if not n.startswith(prefix)}
    own = {prefix + name: tensor for name, tensor in filled(UNet(unet)).items()}
    save_file({**kept, **own}, tmp_path / "model.safetensors")
    model = load_checkpoint(tmp_path / "model.safetensors")[0]
    return model, load_control(tmp_path / "cn.safetensors")


def run(model, positive, negative):
    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    guider = CfgGuider(model, positive, negative, 4.0)
    return sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), SIGMAS, latent).samples


def text(value=1.0):
    return [[torch.linspace(-1, value, 4 * 64).reshape(1, 4, 64), {}]]


def applied(net, picture, part):
    """What a plugin writes in place of Apply ControlNet."""
    application = net.copy().set_cond_hint(picture.movedim(-1, 1), part[0], part[1:])
    application.set_previous_controlnet(None)
    found = []
    for cond in (text(), text(-0.5)):
        values = {"control": application, "control_apply_to_uncond": False}
        found.append([[tensor, {**extras, **values}] for tensor, extras in cond])
    return found


PARTS = ((1.0, 0.0, 1.0), (0.6, 0.0, 0.5))


@pytest.mark.parametrize("part", PARTS)
def test_set_cond_hint_is_apply_control_net(control, part):
    model, net = control
    picture = torch.rand(1, 64, 64, 3)
    expected = control_net_apply_advanced(text(), text(-0.5), net, picture, *part, ctx=Ctx())
    found = [returned(each) for each in applied(given(net), picture, part)]
    assert found[0][0][1]["control"] is found[1][0][1]["control"]
    assert torch.equal(run(model, *found), run(model, *expected))
    assert not torch.equal(run(model, *found), run(model, text(), text(-0.5)))
    again = given(expected[0])[0][1]["control"]
    assert (again.strength, again.timestep_percent_range) == (part[0], part[1:])
    assert again.to_value() is expected[0][0][1]["control"]


def test_an_encoded_picture_passes_through_control_objects(random_checkpoints, cpu_residency):
    """The VAE and the mask of a control network of FLUX.1 for inpainting."""
    tensors = control_files.files(random_checkpoints)["flux_inpainting"]
    net = control_of(StateDict.of(tensors))
    weights = StateDict.of(control_files.models(random_checkpoints)["flux_vae"])
    vae = vae_of(weights, find_autoencoder(weights), None)
    mask = torch.zeros(1, 48, 64)
    mask[:, 8:24] = 1
    picture = torch.rand(1, 48, 64, 3)
    applied, _ = control_net_apply_inpainting(
        text(), text(), net, vae, picture, mask, 0.5, ctx=Ctx()
    )
    value = applied[0][1]["control"]
    seen = given(applied)[0][1]["control"]
    assert seen.to_value() is value
    assert type(seen.latent_format).__name__ == "Flux"
    # The same, written by a plugin: what is concatenated is 0 in the hole.
    hint, kept = value.picture.movedim(-1, 1), 1 - mask[:, None]
    made = given(net).copy().set_cond_hint(hint, 0.5, (0.0, 1.0), given(vae), [kept]).to_value()
    assert (made.vae, made.strength) == (vae, 0.5)
    assert torch.equal(made.mask, mask)
    assert torch.equal(made.picture, value.picture)
    # A control's own code gets the picture encoded, and the mask behind it.
    fitted = seen.fitted_hint(torch.zeros(1, 16, 6, 8), 1, torch.float32)
    assert torch.equal(fitted, encoded(net, value, (6, 8), lambda: None))


def test_a_network_on_its_models_weights_keeps_its_vae(random_checkpoints, cpu_residency):
    """Of SD3.5 large, after a plugin changed its strength."""
    net = control_of(StateDict.of(control_files.files(random_checkpoints)["sd3_canny"]))
    weights = StateDict.of(control_files.models(random_checkpoints)["sd3_vae"])
    vae, picture = vae_of(weights, find_autoencoder(weights), None), torch.rand(1, 48, 64, 3)
    applied, _ = control_net_apply_advanced(text(), text(), net, picture, vae=vae, ctx=Ctx())
    copied = given(applied)[0][1]["control"].copy()
    copied.strength = 0.25
    value = copied.to_value()
    assert (value.net, value.vae, value.strength) == (net, vae, 0.25)


def test_load_lora_for_models_changes_the_model_as_lora_loader(control, tmp_path):
    model, _ = control
    name = "middle_block.1.transformer_blocks.0.attn1.to_q"
    rows, columns = model.net.sources[f"{name}.weight"].shape
    tensors = {
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q.lora_up.weight": (
            torch.ones(rows, 2)
        ),
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight": (
            torch.rand(2, columns)
        ),
    }
    save_file(tensors, tmp_path / "a.safetensors")
    adapter = adapter_file(tmp_path / "a.safetensors")
    expected = patched_model(model, matched_with(adapter, model, None), 0.7)
    patched, _ = host_module("comfy.sd").load_lora_for_models(given(model), None, tensors, 0.7, 0)
    found = run(returned(patched), text(), text(-0.5))
    assert torch.equal(found, run(expected, text(), text(-0.5)))
    assert not torch.equal(found, run(model, text(), text(-0.5)))


def test_an_unchanged_control_network_is_the_very_value(control):
    _, net = control
    assert returned(given(net)) is net
    assert returned(given(net).copy()) == net


@pytest.mark.parametrize("part", PARTS)
def test_a_controls_own_code_is_called_for_every_step(control, part):
    model, net = control
    picture, calls = torch.rand(1, 64, 64, 3), []

    class Counting(host_module("comfy.controlnet").ControlNet):
        def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
            calls.append((float(t[0]), batched_number, sorted(transformer_options)))
            return super().get_control(x_noisy, t, cond, batched_number, transformer_options)

    own = Counting(given(net).control_model)
    found = [returned(each) for each in applied(own, picture, part)]
    expected = control_net_apply_advanced(text(), text(-0.5), net, picture, *part, ctx=Ctx())
    close = run(model, *expected)
    assert torch.allclose(run(model, *found), close, atol=1e-4 * float(close.abs().max()))
    assert [round(level, 2) for level, *_ in calls] == [14.6, 5.0, 1.0]
    assert calls[0][1] == 2


def test_control_merge_adds_what_was_before(cpu_residency):
    base = host_module("comfy.controlnet").ControlBase()
    base.strength = 0.5
    ones = torch.ones(1, 1, 2, 2)
    own = {"input": [], "middle": [ones], "output": [ones, None]}
    before = {"input": [], "middle": [None], "output": [ones * 3]}
    found = base.control_merge(own, before, torch.float32)
    assert float(found["middle"][0].mean()) == 0.5
    assert float(found["output"][0].mean()) == 3.5
    assert found["output"][1] is None
    assert torch.equal(ones, torch.ones(1, 1, 2, 2))


def test_a_vision_object_encodes_as_the_node(fill, cpu_residency):
    config = ClipVisionConfig(28, 7, 128, 256, 3, 2, "quick_gelu", 48)
    module = fill(lambda: ClipVision(config))
    value = VisionValue(ClipImageEncoder(), config, LazyWeights("tiny", 1, lambda: module))
    pictures = torch.rand(2, 40, 30, 3)
    shown, expected = given(value), value.encode_image(pictures)
    found = shown.encode_image(pictures)
    assert torch.equal(found["image_embeds"], expected.image_embeds)
    assert torch.equal(found.penultimate_hidden_states, expected.penultimate_hidden_states)
    assert returned(found).image_embeds is found.image_embeds
    by_hand = host_module("comfy.clip_vision").Output()
    assert not hasattr(by_hand, "image_embeds")
    by_hand["image_embeds"] = found.image_embeds
    assert returned(by_hand).image_embeds is found.image_embeds
    ready = host_module("comfy.clip_vision").clip_preprocess(pictures, size=shown.image_size)
    last, inner, embeds, _ = shown.model(pixel_values=ready, intermediate_output=-2)
    assert torch.allclose(last, expected.last_hidden_state, atol=1e-5)
    assert torch.allclose(inner, expected.penultimate_hidden_states, atol=1e-5)
    assert torch.allclose(embeds, expected.image_embeds, atol=1e-5)
    assert returned(shown) is value


def test_hooks_made_by_hand_are_those_of_the_nodes(tmp_path):
    comfy_hooks = host_module("comfy.hooks")
    pair = {"unet.x.lora_A.weight": torch.ones(1, 4), "unet.x.lora_B.weight": torch.ones(4, 1)}
    made = comfy_hooks.create_hook_lora(lora=pair, strength_model=0.5, strength_clip=0.25)
    frames = comfy_hooks.HookKeyframeGroup()
    frames.add(comfy_hooks.HookKeyframe(strength=0.0, start_percent=0.5))
    frames.add(comfy_hooks.HookKeyframe(strength=1.0, start_percent=0.0))
    made.set_keyframes_on_hooks(hook_kf=frames)
    (hook,) = returned(made)
    expected = hook_nodes.create_keyframe(1.0, 0.0)
    expected = hook_nodes.create_keyframe(0.0, 0.5, expected)
    assert (hook.strength_model, hook.strength_clip) == (0.5, 0.25)
    assert hook.keyframes == expected == (Keyframe(1.0, 0.0), Keyframe(0.0, 0.5))
    assert set(hook.changes.adapter.modules) == {"unet.x"}
    assert returned(made) == (hook,)
    assert returned(made.clone()) == (hook,)
    again = given((hook,))
    assert again.hooks[0].strength_model == 0.5
    assert returned(again) == (hook,)
    assert returned(given(expected)) == expected
    assert given(("a", 1)) == ("a", 1)


def test_hook_groups_combine_and_keep_what_is_equal():
    comfy_hooks = host_module("comfy.hooks")
    one = comfy_hooks.create_hook_lora({}, 1.0, 1.0)
    both = one.clone_and_combine(one.clone())
    assert len(both) == 1
    two = comfy_hooks.create_hook_lora({}, 1.0, 1.0)
    assert len(comfy_hooks.HookGroup.combine_all_hooks([one, None, two])) == 2
    assert comfy_hooks.HookGroup.combine_all_hooks([None]) is None
    cond = [[torch.zeros(1, 1, 4), {"hooks": one}]]
    (found,) = comfy_hooks.set_conds_props(
        [cond], 0.5, "default", hooks=two, timesteps_range=(0, 0.5)
    )
    assert len(found[0][1]["hooks"]) == 2
    assert found[0][1]["end_percent"] == 0.5
    assert "mask" not in found[0][1]


def test_an_upscale_model_is_called_as_spandrels(cpu_residency):
    from engine.inference.upscale import upscale, upscale_model_of
    from engine.nets.compact_upscaler import CompactConfig, CompactUpscaler
    from engine.weights.state_dict import StateDict

    config = CompactConfig(channels=3, width=8, convolutions=2, scale=2)
    value = upscale_model_of(StateDict.of(filled(CompactUpscaler(config))))
    shown, picture = given(value), torch.rand(1, 16, 12, 3)
    assert shown.scale == 2
    found = shown.to("cpu").eval()(picture.movedim(-1, 1))
    assert torch.allclose(found.movedim(1, -1), upscale(value, picture), atol=1e-5)
    assert returned(shown) is value


def test_weights_with_every_form_of_patch():
    lora = host_module("comfy.lora")
    weight = torch.zeros(4, 3)
    adapters = host_module("comfy.weight_adapter")
    up, down = torch.ones(4, 2), torch.ones(2, 3)
    adapter = adapters.LoRAAdapter(set(), (up, down, 1.0, None, None, None))
    assert adapter[0] == "lora"
    assert adapter[1][0] is up
    same = lambda a: a  # noqa: E731
    for value, expected in (
        (("diff", (torch.ones(4, 3),)), 0.5),
        ((torch.ones(4, 3),), 0.5),
        (("set", (torch.full((4, 3), 7.0),)), 7.0),
        (adapter, 0.5 * 2 * 1.0 / 2),
        ([(torch.full((4, 3), 2.0), same), (1.0, (torch.ones(4, 3),), 1.0, None, None)], 1.5),
    ):
        found = lora.calculate_weight([(0.5, value, 1.0, None, None)], weight.clone(), "x")
        assert torch.equal(found, torch.full((4, 3), expected)), value
    part = lora.calculate_weight(
        [(1.0, (torch.ones(2, 3),), 1.0, (0, 1, 2), None)], weight.clone(), "x"
    )
    assert part.sum(1).tolist() == [0, 3, 3, 0]


def test_a_vae_of_pixels_is_made_by_its_mark(cpu_residency):
    vae = host_module("comfy.sd").VAE(sd={"pixel_space_vae": torch.tensor(1.0)})
    vae.throw_exception_if_invalid()
    pixels = torch.rand(1, 8, 8, 3)
    latent = vae.encode(pixels)
    assert latent.shape == (1, 3, 8, 8)
    assert torch.allclose(vae.decode(latent), pixels, atol=1e-5)
