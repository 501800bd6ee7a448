"""Control networks together with patches that evaluate the model again."""

import pytest
import torch

from engine.inference.control import Control, controlled
from nodes.guidance import perp_neg_model
from nodes.step_caches import easy_cache
from nodes.unet_patches import (
    hyper_tile,
    perturbed_attention_guidance,
    self_attention_guidance,
    tome_patch_model,
)
from tests.wet.control.conftest import picture, run, text


@pytest.mark.parametrize(
    "patch",
    [
        lambda model: perturbed_attention_guidance(model, 1.0),
        lambda model: self_attention_guidance(model, 0.5, 1.0),
        lambda model: tome_patch_model(model, 0.5),
        lambda model: hyper_tile(model, 32, 2),
        lambda model: perp_neg_model(model, text(0.1), 0.8),
        lambda model: easy_cache(model, 3.0, 0.0, 1.0),
    ],
    ids=["pag", "sag", "tome", "hypertile", "perp_neg", "easy_cache"],
)
def test_a_control_network_steers_a_patched_model(model, net, patch):
    positive, negative = text(), text(0.5)
    steered = controlled((positive, negative), Control(net, picture()), also_negative=True)
    changed = patch(model)
    found = run(changed, *steered)[0]
    assert found.isfinite().all()
    assert not torch.allclose(found, run(changed, positive, negative)[0])
    assert not torch.allclose(found, run(model, *steered)[0])
