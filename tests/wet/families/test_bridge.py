"""Networks of diffusers as models of ours: equal to a direct call of the class, in every layout."""

import importlib
import json
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from engine.adapters.explain import complaints
from engine.adapters.read import adapter_of
from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError, WeightsError
from engine.families import reference_latents
from engine.families.bridge.family import BridgedFamily
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.inference.adapters import matched_with, patched_model
from engine.inference.load import load_denoiser, remark
from engine.inference.sample import sample
from engine.inference.values import Sampler
from engine.nets.hooks import NetHooks, Residuals
from engine.residency.manager import DeviceResidency, installed
from engine.weights.state_dict import StateDict
from tests.wet import bridge_files
from tests.wet.bridge_runs import drawn, given

NAMES = bridge_files.ALL
METADATA = {"config": '{"transformer": {"causal_temporal_positioning": true}}'}
"""Of LTX-Video since 0.9.5; for the others it means nothing."""
CPU = torch.device("cpu")
FIRST_IS_GIVEN = torch.ones(1, 1, 3, 6, 5)
FIRST_IS_GIVEN[:, :, 0] = 0
"""A noise mask that keeps the first frame."""


@pytest.fixture(scope="module")
def networks():
    return {name: bridge_files.network(name) for name in NAMES}


@pytest.fixture(scope="module")
def files(networks, tmp_path_factory):
    """A file of each in the original layout, and one in that of diffusers."""
    folder, paths = tmp_path_factory.mktemp("bridge"), {}
    for name, net in networks.items():
        values = {key: value.contiguous() for key, value in net.state_dict().items()}
        named = bridge_files.original(name, values)
        save_file(
            {bridge_files.PREFIX + key: value for key, value in named.items()},
            folder / f"{name}.safetensors",
            metadata=METADATA,
        )
        save_file(values, folder / f"{name}_diffusers.safetensors", metadata=METADATA)
        paths[name] = folder / f"{name}.safetensors"
        paths[f"{name}, diffusers"] = folder / f"{name}_diffusers.safetensors"
    return paths


def called(model, x, entry, residency=None, checkpoint=lambda: None, **more):
    """The model's prediction for an entry at two times."""
    residency = residency or DeviceResidency(CPU, torch.float32, budget=10**9)
    run = Run(x.shape)
    if model.latent.keeps_clean:
        run = Run(x.shape, mask=FIRST_IS_GIVEN[..., : x.shape[-2], : x.shape[-1]])
    inputs = model.family.inputs(model.config, entry, run=run, role=None)
    rows = {key: each.value.expand(2, *each.value.shape[1:]) for key, each in inputs.items()}
    dtype = residency.dtype_of(model.net)
    rows = {key: value.to(dtype) for key, value in rows.items()}
    time = model.parameterization.timestep(torch.tensor([0.7, 0.3]))
    with torch.inference_mode(), residency.use(model.net):
        given = {"control": None, "hooks": None, "checkpoint": checkpoint} | more
        return model.family.predict(model.net.module, x.to(dtype), time, rows, **given).float()


def expected(name, net, x, entry):
    """diffusers' class, called as its pipelines do."""
    time = torch.tensor([0.7, 0.3])
    text = entry.embedding.expand(2, -1, -1)
    if name == "ernie":
        return net(x, time * 1000, text, torch.tensor([5, 5])).sample
    if name == "ltxv":
        mask = FIRST_IS_GIVEN[..., : x.shape[-2], : x.shape[-1]]
        return bridge_files.expected_ltxv(net, x, entry, text, time * 1000, mask)
    if not name.startswith("flux3"):
        return bridge_files.expected_wan(name, net, x, entry, text, time * 1000)

    def places(rows, columns, picture):
        sides = torch.arange(rows) * 0.5, torch.arange(columns) * 0.5
        return torch.cartesian_prod(torch.zeros(1), *sides, torch.tensor([float(picture)]))

    pictures = entry.extras[reference_latents.REFERENCES]
    count = torch.arange(float(text.shape[1]))
    zero = torch.zeros(1)
    distilled = {"target_timestep": torch.zeros(2)} if name == "flux3_distilled" else {}
    out = net(
        x.flatten(2).transpose(1, 2),
        text,
        time,
        places(3, 4, 0),
        torch.cartesian_prod(zero, zero, zero, count),
        torch.cat([each.flatten(2).transpose(1, 2) for each in pictures], 1).expand(2, -1, -1),
        torch.cat([places(2, 3, -1), places(3, 2, -2)]),
        **distilled,
    )
    return out.sample.transpose(1, 2).reshape(x.shape)


def distance(found, wanted):
    return ((found - wanted).norm() / wanted.norm()).item()


@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_that_diffusers_converts(name, networks):
    from diffusers.loaders import single_file_utils

    kind = next(each for each in ("flux3", "ernie", "ltxv", "wan") if name.startswith(each))
    convert = {
        "flux3": single_file_utils.convert_flux3_transformer_checkpoint_to_diffusers,
        "wan": single_file_utils.convert_wan_transformer_to_diffusers,
        "ltxv": single_file_utils.convert_ltx_transformer_checkpoint_to_diffusers,
        "ernie": single_file_utils.convert_ernie_image_transformer_checkpoint_to_diffusers,
    }[kind]
    tensors = bridge_files.original(name, dict(networks[name].state_dict()))
    family, config = detect(StateDict.of(tensors))
    found = family.denoiser(config, StateDict.of(tensors))
    wanted = convert(dict(tensors))
    if "img_emb.emb_pos" in wanted:  # which this converter leaves as it is
        own = "condition_embedder.image_embedder.pos_embed"
        wanted[own] = wanted.pop("img_emb.emb_pos")
    assert set(found) == set(wanted)
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize("layout", ["", ", diffusers"])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_predicts_what_the_class_does(name, layout, files, networks):
    model = load_denoiser(files[name + layout])
    assert isinstance(model.family, BridgedFamily)
    assert "via diffusers" in (remark(model) or "")
    x, entry = given(name)
    blocks = []
    found = called(model, x, entry, checkpoint=lambda: blocks.append(1))
    with torch.no_grad():
        wanted = expected(name, networks[name], x, entry)
    assert distance(found, wanted) < 1e-6
    wanted = {"flux3": 8, "flux3_distilled": 8, "wan_vace": 6}
    assert len(blocks) == wanted.get(name, 2)


@pytest.mark.parametrize("name", ["flux3", "wan21_i2v", "wan_vace", "ernie", "ltxv"])
def test_it_streams_block_by_block_and_runs_in_bf16(name, files):
    model = load_denoiser(files[name])
    x, entry = given(name)
    whole = called(model, x, entry)
    half = DeviceResidency(CPU, torch.bfloat16, budget=10**9)
    resident = load_denoiser(files[name])
    rounded = called(resident, x, entry, half)
    assert distance(rounded, whole) < 0.02
    # Copies of another dtype count against the budget, so with a small one they are made per call.
    small = min(450_000, half.held - 50_000)
    least = DeviceResidency(CPU, torch.bfloat16, budget=small, block_limit=20_000)
    streamed = load_denoiser(files[name])
    assert torch.equal(called(streamed, x, entry, least), rounded)
    assert 0 < least.held < half.held


def integers(tensors):
    """Matrices of blocks in 8-bit integers with a factor for each row, as ComfyUI stores them."""
    made, plain = {}, {}
    for name, each in tensors.items():
        if each.ndim != 2 or "blocks." not in name:
            made[name] = plain[name] = each
            continue
        scale = each.abs().amax(1, keepdim=True) / 127
        said = json.dumps({"format": "int8_tensorwise"}).encode()
        base, whole = name.removesuffix(".weight"), (each / scale).round()
        made |= {
            name: whole.to(torch.int8),
            f"{name}_scale": scale,
            f"{base}.comfy_quant": torch.tensor(list(said), dtype=torch.uint8),
        }
        plain[name] = whole * scale
    return made, plain


@pytest.mark.parametrize("name", ["flux3", "wan22_i2v"])
def test_a_packed_file_computes_what_its_values_say(name, networks, tmp_path):
    packed, plain = integers(bridge_files.original(name, dict(networks[name].state_dict())))
    save_file(packed, tmp_path / "packed.safetensors")
    save_file(plain, tmp_path / "plain.safetensors")
    x, entry = given(name)
    model = load_denoiser(tmp_path / "packed.safetensors")
    assert model.net.size < 0.6 * load_denoiser(tmp_path / "plain.safetensors").net.size
    wanted = called(load_denoiser(tmp_path / "plain.safetensors"), x, entry)
    assert distance(called(model, x, entry), wanted) < 1e-6


LORAS = {
    "flux3": ("single_blocks.1.q_proj", "single_transformer_blocks.1.attn.to_q", 64),
    "wan22_i2v": ("blocks.1.self_attn.o", "blocks.1.attn1.to_out.0", 128),
    "ltxv": ("transformer_blocks.1.attn1.to_q", "transformer_blocks.1.attn1.to_q", 64),
    "wan_vace": ("vace_blocks.1.after_proj", "vace_blocks.1.proj_out", 128),
}


@pytest.mark.parametrize("name", LORAS)
def test_an_adapter_in_original_names_changes_the_weights(name, files, networks):
    theirs, module, width = LORAS[name]
    down, up = drawn(4, width, seed=7), drawn(width, 4, seed=8)
    net = bridge_files.network(name)
    with torch.no_grad():
        net.get_submodule(module).weight.add_(0.5 * up @ down)
    model = load_denoiser(files[name])
    x, entry = given(name)
    for prefix in ("diffusion_model.", "lora_unet_"):
        key = theirs if "." in prefix else theirs.replace(".", "_")
        kinds = ("lora_A", "lora_B") if "." in prefix else ("lora_down", "lora_up")
        tensors = {
            f"{prefix}{key}.{kind}.weight": value
            for kind, value in zip(kinds, (down, up), strict=True)
        }
        adapter = adapter_of(StateDict.of(tensors), "lora")
        matched = matched_with(adapter, model, None)
        assert complaints(adapter, matched, model.family.name) == []
        found = called(patched_model(model, matched, 0.5), x, entry)
        with torch.no_grad():
            wanted = expected(name, net, x, entry)
        assert distance(found, wanted) < 1e-5


def test_texts_of_different_lengths_share_a_call(files, networks):
    """ERNIE-Image masks what a shorter text lacks."""
    model = load_denoiser(files["ernie"])
    x = drawn(1, 128, 3, 4)
    texts = [drawn(1, length, 3072, seed=length) for length in (5, 3)]
    alone = [called(model, x.expand(2, -1, -1, -1), Entry(each, {}))[0] for each in texts]
    residency = DeviceResidency(CPU, torch.float32, budget=10**9)
    entries = [[[each, {}]] for each in texts]
    sigmas = torch.tensor([0.7, 0.0])
    seen = {}

    def guide(evaluate, x, sigma, hooks, *, both):
        seen["found"] = evaluate("positive", "negative")
        return seen["found"]

    guider = SimpleNamespace(
        model=model,
        conditionings=lambda: dict(zip(("positive", "negative"), entries, strict=True)),
        guide=guide,
    )
    noise = SimpleNamespace(seed=0, generate_noise=lambda latent: x / 0.7)
    with installed(residency):
        latent = {"samples": torch.zeros_like(x)}
        sample(guider, noise, Sampler(SAMPLERS["euler"]), sigmas, latent)
    for found, velocity in zip(seen["found"], alone, strict=True):
        assert distance(found[0], x[0] - 0.7 * velocity) < 1e-5


def test_without_diffusers_a_sentence_says_what_to_install(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(WeightsError) as error:
        load_denoiser(files["wan_t2v"])
    said = str(error.value)
    assert said.startswith("wan_t2v.safetensors, denoiser: this is a model of Wan (via diffusers)")
    assert 'pip install "calotype[diffusers]"' in said


def test_an_older_diffusers_is_named(files, monkeypatch):
    older = SimpleNamespace(__version__="0.30.0")
    monkeypatch.setattr(importlib, "import_module", lambda name: older)
    with pytest.raises(WeightsError, match=r"class Flux3Transformer2DModel .* diffusers 0\.30\.0"):
        load_denoiser(files["flux3"])


def test_what_does_not_carry_over_is_refused(files):
    model = load_denoiser(files["wan_t2v"])
    x, entry = given("wan_t2v")
    with pytest.raises(NodeError, match="takes no ControlNet"):
        called(model, x, entry, control=Residuals())
    patched = NetHooks(patches={"attn1_patch": (lambda *each: each,)})
    with pytest.raises(NodeError, match="takes no patches"):
        called(model, x, entry, hooks=patched)


def test_blocks_of_wan_can_be_skipped_and_replaced(files, networks):
    model = load_denoiser(files["wan_t2v"])
    x, entry = given("wan_t2v")
    plain = called(model, x, entry)
    place = ("double_block", 1)
    skipped = NetHooks().with_replacement("dit", place, lambda inputs, extra: inputs)
    net = bridge_files.network("wan_t2v")
    net.blocks = net.blocks[:1]
    with torch.no_grad():
        wanted = expected("wan_t2v", net, x, entry)
    assert distance(called(model, x, entry, hooks=skipped), wanted) < 1e-6
    seen = []

    def watched(inputs, extra):
        seen.append((set(inputs) - {"transformer_options"}, inputs["img"].shape))
        return extra["original_block"](inputs)

    same = NetHooks().with_replacement("dit", place, watched)
    assert torch.equal(called(model, x, entry, hooks=same), plain)
    assert seen == [({"img", "txt", "vec", "pe"}, (2, 27, 128))]
    assert torch.equal(called(model, x, entry), plain)


def test_without_clip_vision_a_model_of_wan_looks_at_the_text_instead(files, networks):
    model = load_denoiser(files["wan21_i2v"])
    x, entry = given("wan21_i2v")
    without = {key: each for key, each in entry.extras.items() if key != "clip_vision_output"}
    found = called(model, x, Entry(entry.embedding, without))
    wanted = expected("wan21_i2v", networks["wan21_i2v"], x, Entry(entry.embedding, without))
    assert distance(found, wanted) < 1e-5
    assert distance(called(model, x, entry), wanted) > 1e-3, "and at the picture again"
    short = called(model, x, Entry(entry.embedding[:, :9], without))
    assert torch.isfinite(short).all()


def test_other_models_of_wan_are_not_taken_for_it(networks):
    tensors = bridge_files.original("wan_t2v", dict(networks["wan_t2v"].state_dict()))
    for further in ("audio_proj.proj1.weight", "blocks.0.audio_cross_attn.q.weight"):
        with pytest.raises(WeightsError, match="this is a Wan model"):
            detect(StateDict.of(tensors | {further: torch.zeros(2, 2)}))


def test_phantom_is_shown_pictures_as_more_cells_of_time(files, networks):
    model = load_denoiser(files["wan_t2v"])
    x, entry = given("wan_t2v")
    shown = drawn(1, 16, 2, 6, 5, seed=9)
    found = called(model, x, Entry(entry.embedding, {"time_dim_concat": shown}))
    longer = torch.cat((x, model.latent.into(shown).expand(2, -1, -1, -1, -1)), 2)
    with torch.no_grad():
        wanted = expected("wan_t2v", networks["wan_t2v"], longer, entry)[:, :, :3]
    assert distance(found, wanted) < 1e-6
    with pytest.raises(NodeError, match="4 x 5 cells"):
        called(model, x, Entry(entry.embedding, {"time_dim_concat": shown[..., :4, :]}))


def test_parts_of_wan_fun_refuse_other_sizes_and_do_without(files):
    model = load_denoiser(files["wan_fun_camera"])
    x, entry = given("wan_fun_camera")
    plain = called(model, x, Entry(entry.embedding, {}))
    assert distance(plain, called(model, x, entry)) > 1e-3
    rays = entry.extras["camera_conditions"][..., :40, :]
    with pytest.raises(NodeError, match="pictures of 40 x 40, the latent has 3 and 40 x 48"):
        called(model, x, Entry(entry.embedding, {"camera_conditions": rays}))
    control = load_denoiser(files["wan22_fun_control"])
    x, entry = given("wan22_fun_control")
    other = {**entry.extras, "reference_latents": [torch.zeros(1, 16, 1, 6, 5)]}
    with pytest.raises(NodeError, match=r"48 channels; .* VAE of Wan 2.2"):
        called(control, x, Entry(entry.embedding, other))


def test_conditionings_of_other_models_are_refused(files):
    model = load_denoiser(files["wan21_i2v"])
    x, entry = given("wan21_i2v")

    def refused(**changes):
        with pytest.raises(NodeError) as error:
            called(model, x, Entry(entry.embedding, {**entry.extras, **changes}))
        return str(error.value)

    other = SimpleNamespace(penultimate_hidden_states=torch.zeros(1, 17, 32))
    assert "32 numbers" in refused(clip_vision_output=other)
    assert "16 channels" in refused(concat_latent_image=torch.zeros(1, 48, 3, 6, 5))
    assert "3 x 2 cells" in refused(concat_latent_image=torch.zeros(1, 16, 3, 3, 2))
    first_and_last = load_denoiser(files["wan21_flf2v"])
    with pytest.raises(NodeError, match="WanFirstLastFrameToVideo"):
        called(first_and_last, x, entry)


SIZES = {
    "1.3B": (1536, 30, 8960, 1_418_996_800),
    "14B": (5120, 40, 13824, 14_288_491_584),
}


@pytest.mark.parametrize("size", SIZES)
def test_wan_of_full_size_has_the_published_number_of_parameters(size):
    import diffusers

    channels, blocks, inner, parameters = SIZES[size]
    with torch.device("meta"):
        net = diffusers.WanTransformer3DModel(
            num_attention_heads=channels // 128, ffn_dim=inner, num_layers=blocks
        )
    family, config = detect(StateDict.of(bridge_files.original("wan_t2v", net.state_dict())))
    built = family.build(config)
    assert sum(each.numel() for each in built.parameters()) == parameters
    assert config.argument("num_layers") == blocks
