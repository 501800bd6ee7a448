"""Names of the host that a pack needs while it is imported, and that nobody knows."""

import importlib
import sys

import numpy as np
import pytest
import torch

from engine.compat import placeholders
from engine.compat.absent_names import with_placeholders
from engine.compat.install import host_module, install_facade
from engine.compat.pack_errors import failure_report
from engine.compat.pack_modules import import_pack, show_custom_nodes
from engine.diffusion.published import gits
from engine.packs.found import pack_at


@pytest.fixture
def load(tmp_path):
    install_facade()
    before = set(sys.modules)

    def make(text, name="mine", **files):
        folder = tmp_path / "custom_nodes" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(text)
        for file, inside in files.items():
            (folder / f"{file}.py").write_text(inside)
        warned = []
        pack = pack_at(folder)
        return with_placeholders(lambda: import_pack(pack), warned.append), warned

    yield make
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_missing_name_costs_what_calls_it_and_no_other_pack_sees_it(load):
    module, warned = load(
        "from comfy.samplers import from_next_year as f, KSampler\n"
        "import comfy.next_year.part\n"
        "from .inner import Other\n"
        "try:\n    from comfy.samplers import tried\nexcept ImportError:\n    tried = None\n",
        inner="import comfy.utils\nclass Other(comfy.utils.NextYear): pass\n",
    )
    assert warned == [
        "it names comfy.samplers.from_next_year, which Calotype does not have: a call of it fails",
        "it names comfy.next_year, which Calotype does not have: a call of it fails",
        "it names comfy.next_year.part, which Calotype does not have: a call of it fails",
        "it names comfy.utils.NextYear, which Calotype does not have: a call of it fails",
    ]
    assert module.tried is None, "what a pack catches stays missing"
    assert module.KSampler is host_module("comfy.samplers").KSampler
    with pytest.raises(NotImplementedError, match=r"comfy\.samplers\.from_next_year"):
        module.f()
    with pytest.raises(NotImplementedError, match=r"comfy\.utils\.NextYear"):
        module.Other()
    assert not hasattr(host_module("comfy.samplers"), "from_next_year")
    assert not hasattr(host_module("comfy.utils"), "NextYear")


@pytest.mark.parametrize("text", ["import not_there_at_all", "{}.nope", "import json\njson.nope"])
def test_what_is_not_the_hosts_still_fails(load, text):
    with pytest.raises((ImportError, AttributeError)):
        load(text)
    assert not placeholders._lent


def test_modules_inside_comfy_have_short_names_where_nothing_else_has_them(load):
    module, warned = load("import model_management, samplers\nimport utils\n")
    assert module.model_management is host_module("comfy.model_management")
    assert module.samplers is host_module("comfy.samplers")
    assert module.utils is host_module("utils")
    assert host_module("comfy.samplers").__spec__.name == "comfy.samplers"
    assert importlib.reload(host_module("comfy.options"))
    assert not warned


def test_a_pack_imports_itself_and_others_as_custom_nodes(load, tmp_path):
    show_custom_nodes([tmp_path / "custom_nodes"])
    load("", name="with-dash", part="value = 3\n")
    module, _ = load(
        "import importlib\nvalue = importlib.import_module('custom_nodes.with-dash.part').value\n"
    )
    assert module.value == 3


def test_the_first_failure_is_told_where_a_second_way_in_hides_it(load, tmp_path):
    text = "try:\n    import absent_thing\nexcept ImportError:\n    import json.nodes\n"
    with pytest.raises(ImportError) as raised:
        load(text)
    report = failure_report(pack_at(tmp_path / "custom_nodes" / "mine"), raised.value)
    assert report.error == "the Python module absent_thing is not installed"
    assert "absent_thing" in report.install


def test_functions_beside_the_nodes_compute():
    install_facade()
    kernel = host_module("comfy_extras.nodes_post_processing").gaussian_kernel(5, 1.0)
    assert float(kernel.sum()) == pytest.approx(1.0)
    assert float(kernel[0, 2] / kernel[2, 2]) == pytest.approx(np.exp(-0.5), rel=1e-5)
    levels = host_module("comfy_extras.nodes_gits").NOISE_LEVELS
    expected = gits(1.2, 10)
    assert levels[1.2][8][:-1] == pytest.approx(expected[:-1].tolist())
    interpolated = host_module("comfy_extras.nodes_align_your_steps").loglinear_interp([8, 2, 1], 5)
    assert interpolated == pytest.approx([8, 4, 2, 2**0.5, 1], rel=1e-6)
    damp = host_module("comfy_extras.nodes_tcfg").score_tangential_damping
    positive, negative = torch.tensor([[[[2.0, 0.0]]]]), torch.tensor([[[[1.0, 0.0]]]])
    assert torch.allclose(damp(positive, negative), negative, atol=1e-6)
    across = damp(positive * 1e3, torch.tensor([[[[0.0, 1.0]]]]))
    assert torch.allclose(across, torch.zeros(1, 1, 1, 2), atol=1e-3)
