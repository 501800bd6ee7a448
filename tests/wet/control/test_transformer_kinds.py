"""Control networks of transformers in whole runs: chains, strengths, ranges, sizes, refusals."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from engine.control.detect import KINDS
from engine.control.of_unets import OfUNets
from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError, WeightsError
from engine.inference.control import Control, control_of, controlled, load_control
from engine.inference.load import load_denoiser, load_vae
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, RandomNoise, Sampler
from engine.nodekit.context import RunningContext
from engine.residency.manager import DeviceResidency, installed
from engine.weights.state_dict import StateDict
from nodes.control import control_net_apply_advanced, control_net_apply_inpainting
from tests.wet import control_files
from tests.wet.flux_models import WIDTH

SIGMAS = torch.tensor([1.0, 0.6, 0.0])
CELLS = (6, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, random_checkpoints):
    """The models with their autoencoders, and the control networks."""
    found = tmp_path_factory.mktemp("transformers")
    files = control_files.files(random_checkpoints) | control_files.models(random_checkpoints)
    for name, tensors in files.items():
        save_file(tensors, found / f"{name}.safetensors")
    return found


def model_of(folder, family):
    """A model and its autoencoder."""
    model = load_denoiser(folder / f"{family}.safetensors")
    return model, load_vae(folder / f"{family}_vae.safetensors")


@pytest.fixture
def flux(folder):
    return model_of(folder, "flux")


def text(value: float = 1.0, width: int = WIDTH, **extras):
    tokens = torch.linspace(-1, value, 4 * width).reshape(1, 4, width)
    return [[tokens, {"pooled_output": torch.linspace(0, value, width)[None], **extras}]]


def picture(rows: int = 1, height: int = 48, width: int = 64) -> torch.Tensor:
    return torch.rand(rows, height, width, 3, generator=torch.Generator().manual_seed(3))


def run(model, *controls, rows=1, positive=None, negative=None):
    """A latent under a chain of control networks."""
    width = getattr(model.config, "context_channels", 2 * WIDTH)
    positive, negative = positive or text(width=width), negative or text(0.5, width)
    for control in controls:
        positive, negative = controlled((positive, negative), control, also_negative=False)
    guider = CfgGuider(model, positive, negative, 2.0)
    latent = {"samples": torch.zeros(rows, 16, *CELLS)}
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)):
        euler = Sampler(SAMPLERS["euler"])
        return sample(guider, RandomNoise(1), euler, SIGMAS, latent).samples


def close(found, expected) -> bool:
    return float((found - expected).norm()) < 1e-4 * float(expected.norm())


def test_every_kind_of_transformers_is_here(folder):
    files = control_files.files_of_kinds()
    kinds = {type(load_control(folder / f"{name}.safetensors").kind) for name in files}
    assert kinds == {type(kind) for kind in KINDS if not isinstance(kind, OfUNets)}


@pytest.mark.parametrize("name", control_files.files_of_kinds())
def test_networks_in_runs(folder, name):
    model, vae = model_of(folder, name.partition("_")[0])
    net, plain = load_control(folder / f"{name}.safetensors"), run(model)
    control = Control(net, picture(), vae=vae)
    full = run(model, control)
    assert full.isfinite().all()
    assert not close(full, plain)
    # Two of half the strength are one; in no part of the run it has no effect.
    half = replace(control, strength=0.5)
    assert close(run(model, half, half), full)
    assert torch.equal(run(model, replace(control, start=0.999)), plain)
    assert not close(run(model, replace(control, end=0.2)), full)
    # A picture of twice the size is scaled to the latent's.
    large = picture().repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert close(run(model, replace(control, picture=large)), full)


def test_each_row_has_its_picture(folder, flux):
    model, vae = flux
    net, pictures = load_control(folder / "flux_instantx.safetensors"), picture(2)
    both = run(model, Control(net, pictures, vae=vae), rows=2)
    assert close(both[:1], run(model, Control(net, pictures[:1], vae=vae), rows=2)[:1])
    assert close(both[1:], run(model, Control(net, pictures[1:], vae=vae), rows=2)[1:])


def test_an_area_has_the_picture_at_its_size(folder, flux):
    model, vae = flux
    control = Control(load_control(folder / "flux_instantx.safetensors"), picture(), vae=vae)
    entries = text(area=(4, 4, 2, 0))
    assert not close(run(model, control, positive=entries), run(model, positive=entries))


def test_the_type_of_a_union(folder, flux):
    model, vae = flux
    net = load_control(folder / "flux_union.safetensors")
    results = [
        run(model, Control(net.of_type(number), picture(), vae=vae)) for number in (None, 0, 2)
    ]
    assert not any(close(results[one], results[other]) for one, other in ((0, 1), (0, 2), (1, 2)))


def test_a_mask_of_what_is_painted(folder, flux):
    """The hole is black and 0 in the mask; without a mask all of the picture counts."""
    model, vae = flux
    net = load_control(folder / "flux_inpainting.safetensors")
    mask = torch.zeros(1, 48, 64)
    mask[:, 16:32, 16:32] = 1
    context = RunningContext("1", None)
    masked, negative = control_net_apply_inpainting(
        text(), text(0.5), net, vae, picture(), mask, ctx=context
    )
    assert torch.equal(masked[0][1]["control"].picture[0, 20, 20], torch.zeros(3))
    assert masked[0][1]["control"] is negative[0][1]["control"]
    black = picture()
    black[:, 16:32, 16:32] = 0
    same = Control(net, black, vae=vae, mask=mask)
    assert close(run(model, positive=masked, negative=negative), run(model, same))
    assert not close(run(model, replace(same, mask=None)), run(model, same))
    assert close(run(model, replace(same, mask=None)), run(model, replace(same, mask=0 * mask)))
    plain = load_control(folder / "flux_instantx.safetensors")
    with pytest.raises(NodeError, match=r"how a ControlNet of FLUX\.1 expects a hole"):
        control_net_apply_inpainting(text(), text(), plain, vae, picture(), mask, ctx=context)


def test_what_does_not_fit_is_a_sentence(folder, flux):
    model, vae = flux
    net, context = load_control(folder / "flux_instantx.safetensors"), RunningContext("1", None)

    def applied(vae):
        control_net_apply_advanced(text(), text(), net, picture(), vae=vae, ctx=context)

    with pytest.raises(NodeError, match=r"takes an encoded picture, but there is no VAE; connect"):
        applied(None)
    with pytest.raises(
        NodeError, match=r"takes pictures encoded with the VAE of FLUX.1 .*makes latents of 4 ch"
    ):
        applied(load_vae(folder / "other_vae.safetensors"))
    # An application that was made elsewhere, such as by a plugin, is checked when the run begins.
    entries = [[text()[0][0], {**text()[0][1], "control": Control(net, picture())}]]
    with pytest.raises(NodeError, match="but there is no VAE"):
        run(model, positive=entries)
    with pytest.raises(NodeError, match=r"made for Qwen-Image .* of the family FLUX\.1; choose"):
        run(
            model,
            Control(
                load_control(folder / "qwen_instantx.safetensors"),
                picture(),
                vae=model_of(folder, "qwen")[1],
            ),
        )
    other = replace(net, config=replace(net.config, channels=256))
    with pytest.raises(NodeError, match=r"was made for FLUX.1 \(tokens of 256.*family FLUX.1;"):
        run(model, Control(other, picture(), vae=vae))


def test_damaged_files_say_what_is_wrong(folder, random_checkpoints):
    files = control_files.files(random_checkpoints)
    wide = dict(files["flux_instantx"])
    wide["controlnet_x_embedder.weight"] = torch.zeros(128, 72)
    with pytest.raises(WeightsError, match=r"looks like a ControlNet of FLUX.1, but .*takes 72 n"):
        control_of(StateDict.of(wide))
    short = {n: each for n, each in files["flux_xlabs"].items() if not n.startswith("input_hint")}
    with pytest.raises(WeightsError, match="should be a convolution of pictures, found no such"):
        control_of(StateDict.of(short))
    cut = {n: each for n, each in files["flux_instantx"].items() if "attn.to_k" not in n}
    with pytest.raises(WeightsError, match="are missing or have another shape"):
        control_of(StateDict.of(cut))
