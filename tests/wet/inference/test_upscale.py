"""Pictures through upscale models: whole and tiled, every channel count, and errors."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.errors import NodeError, OutOfMemoryError, Stopped, WeightsError
from engine.inference.foreign_upscalers import import_spandrel
from engine.inference.upscale import load_upscale_model, upscale
from engine.inference.upscale_model import UpscaleModel
from engine.nets.compact_upscaler import CompactConfig, CompactUpscaler
from engine.residency.handles import LazyWeights
from engine.residency.manager import DeviceResidency, installed


def compact(channels=3, scale=4, convolutions=2):
    torch.manual_seed(channels * 10 + scale)
    return CompactUpscaler(CompactConfig(channels, 16, convolutions, scale)).eval()


def pictures(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def saved(tmp_path):
    def save(network, name="model.safetensors", **wrapping):
        path = tmp_path / name
        state = {key: value.detach().clone() for key, value in network.state_dict().items()}
        if path.suffix == ".safetensors":
            save_file(state, path)
        else:
            torch.save(dict.fromkeys(wrapping, state) or state, path)
        return path

    return save


@pytest.fixture
def spandrel(cpu_residency):
    pytest.importorskip("einops")
    try:
        return import_spandrel("this test")
    except WeightsError as error:
        pytest.skip(str(error))


def plain(network, images):
    with torch.no_grad():
        return network(images.movedim(-1, 1)).clamp(0, 1).movedim(1, -1)


@pytest.mark.parametrize("name", ["x4.safetensors", "x4.pth"])
def test_a_compact_model_gives_what_its_network_gives(name, saved, cpu_residency):
    network, images = compact(), pictures(2, 20, 31, 3)
    model = load_upscale_model(saved(network, name, params_ema=True))
    assert (model.architecture, model.scale, model.channels) == ("Compact", 4, 3)
    result = upscale(model, images)
    assert result.shape == (2, 80, 124, 3)
    torch.testing.assert_close(result, plain(network, images), atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", range(1, 9))
def test_every_scale(scale, saved, cpu_residency):
    model = load_upscale_model(saved(compact(scale=scale)))
    assert upscale(model, pictures(1, 5, 7, 3)).shape == (1, 5 * scale, 7 * scale, 3)


@pytest.mark.parametrize("held", [1, 3, 4])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_channels_through_any_model(held, channels, saved, cpu_residency):
    images = pictures(2, 9, 11, held)
    result = upscale(load_upscale_model(saved(compact(channels, 2))), images)
    assert result.shape == (2, 18, 22, held)
    assert result.min() >= 0
    assert result.max() <= 1


def test_transparency_is_enlarged_beside_the_colours(saved, cpu_residency):
    network, images = compact(scale=2), pictures(1, 8, 8, 4)
    images[..., 3] = 0.25
    result = upscale(load_upscale_model(saved(network)), images)
    torch.testing.assert_close(result[..., 3], torch.full((1, 16, 16), 0.25))
    torch.testing.assert_close(result[..., :3], plain(network, images[..., :3]))


def test_tiles_are_blended_without_a_seam(saved, cpu_residency):
    network, images = compact(convolutions=1), pictures(1, 100, 150, 3)
    model, seen = load_upscale_model(saved(network)), []
    tiled = upscale(model, images, tile=64, on_tile=lambda *step: seen.append(step))
    # Three layers have a reach of 3 pixels: only those differ, and with little weight.
    assert (tiled - plain(network, images)).abs().max() < 0.02
    assert (tiled - plain(network, images)).abs().mean() < 5e-4
    assert seen == [(number + 1, seen[-1][1]) for number in range(seen[-1][1])]
    assert seen[-1][1] > 1


class Picky(nn.Module):
    """Refuses tiles of more pixels than it has memory for."""

    def __init__(self, largest):
        super().__init__()
        self.inner, self.largest, self.asked = nn.Identity(), largest, []

    def forward(self, x):
        self.asked.append(max(x.shape[-2:]))
        if max(x.shape[-2:]) > self.largest:
            raise torch.OutOfMemoryError
        return self.inner(x).repeat_interleave(2, -1).repeat_interleave(2, -2)


def picky(largest):
    network = Picky(largest)
    weights = LazyWeights("picky.pth, upscale model", 0, lambda: network)
    return network, UpscaleModel("Picky", 2, 3, 3, weights, lambda net, x: net(x))


def test_tiles_halve_until_they_fit_and_stay_so(cpu_residency):
    network, model = picky(200)
    images = pictures(2, 300, 300, 3)
    result = upscale(model, images)
    torch.testing.assert_close(
        result, images.repeat_interleave(2, 1).repeat_interleave(2, 2), atol=1e-6, rtol=0
    )
    assert network.asked[:2] == [300, 166]
    assert [size for size in network.asked if size > network.largest] == [300]


def test_what_does_not_fit_even_in_small_tiles_is_said(cpu_residency):
    with pytest.raises(OutOfMemoryError, match=r"picky\.pth.*tiles of 64 pixels"):
        upscale(picky(10)[1], pictures(1, 80, 80, 3))


def test_a_small_budget_means_small_tiles_at_once(saved):
    model = load_upscale_model(saved(compact()))
    with installed(DeviceResidency(torch.device("cpu"), torch.float32, budget=200 * 2**20)):
        seen = []
        upscale(model, pictures(1, 250, 250, 3), on_tile=lambda *step: seen.append(step))
    assert seen[-1][1] > 1


def test_stop_is_heard_within_a_tile(saved, cpu_residency):
    model, calls = load_upscale_model(saved(compact(convolutions=6))), []

    def checkpoint():
        calls.append(1)
        if len(calls) > 40:
            raise Stopped

    seen = []
    images = pictures(4, 8, 8, 3)
    with pytest.raises(Stopped):
        upscale(model, images, checkpoint=checkpoint, on_tile=lambda *_: seen.append(1))
    assert 0 < len(seen) < 4
    assert not any(part._forward_pre_hooks for part in model.weights.module.modules())


def test_half_precision_adds_to_an_exact_picture(saved):
    network, images = compact(), pictures(1, 12, 12, 3)
    model = load_upscale_model(saved(network))
    with installed(DeviceResidency(torch.device("cpu"), torch.bfloat16)):
        result = upscale(model, images)
    assert (result - plain(network, images)).abs().max() < 5e-3


def test_pictures_of_other_channels_are_refused(saved, cpu_residency):
    with pytest.raises(NodeError, match=r"pictures have 2; 1 \(grey\)"):
        upscale(load_upscale_model(saved(compact())), pictures(1, 8, 8, 2))


def test_spandrel_gives_the_same(saved, spandrel):
    network, images = compact(), pictures(1, 24, 18, 3)
    path = saved(network)
    found = spandrel.ModelLoader().load_from_file(path).eval()
    with torch.no_grad():
        theirs = found(images.movedim(-1, 1)).movedim(1, -1)
    ours = upscale(load_upscale_model(path), images)
    torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=0)


def test_foreign_architectures_run_through_spandrel(saved, spandrel):
    from spandrel.architectures.ESRGAN import ESRGAN
    from spandrel.architectures.SPAN import SPAN

    images = pictures(1, 70, 66, 3)
    networks = (
        ESRGAN(num_blocks=1, num_filters=8, scale=4),
        SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8),
    )
    for network in networks:
        torch.manual_seed(0)
        path = saved(network.eval(), "foreign.pth", params=True)
        model = load_upscale_model(path)
        theirs = spandrel.ModelLoader().load_from_file(path).eval()
        with torch.no_grad():
            expected = theirs(images.movedim(-1, 1)).movedim(1, -1)
        assert model.scale == 4
        torch.testing.assert_close(upscale(model, images), expected, atol=2e-5, rtol=0)
        tiled = upscale(model, images, tile=64)
        assert (tiled - expected).abs().mean() < 1e-3


def test_what_is_no_upscale_model_is_a_sentence(tmp_path, spandrel):
    path = tmp_path / "other.safetensors"
    save_file({"lora.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(WeightsError, match=r"other\.safetensors: no upscale model.*lora\.weight"):
        load_upscale_model(path)


def test_damaged_sizes_are_a_sentence(saved, spandrel):
    network = compact()
    network.body[2] = nn.Conv2d(16, 20, 3)
    with pytest.raises(WeightsError, match=r"model\.safetensors"):
        load_upscale_model(saved(network))


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "spandrel", None)
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(2, 2)}, path)
    with pytest.raises(WeightsError, match="pip install --no-deps spandrel einops"):
        load_upscale_model(path)
