"""ControlNets of Qwen-Image against diffusers, from files in the published layout."""

import pytest
import torch
from diffusers import QwenImageControlNetModel

from engine.control.kind import Call
from engine.errors import NodeError
from engine.inference.control import control_of
from engine.nets.transformer_layers import patches
from engine.residency.manager import DeviceResidency
from engine.weights.state_dict import StateDict

ROWS, COLUMNS, TEXT = 4, 8, 24
"""Cells of the latent; diffusers places the middle of an odd number of patches one lower."""


def close(found, expected) -> bool:
    return float((found - expected).norm() / expected.norm()) < 1e-5


@pytest.mark.parametrize("channels", [64, 68])
def test_instantx(channels):
    torch.manual_seed(0)
    net = QwenImageControlNetModel(
        in_channels=64, num_layers=2, attention_head_dim=32, num_attention_heads=2,
        joint_attention_dim=TEXT, axes_dims_rope=(4, 14, 14),
        extra_condition_channels=channels - 64,
    ).eval()  # fmt: skip
    values = {
        name: torch.randn(each.shape) * max(each[0].numel(), 1) ** -0.5
        for name, each in net.state_dict().items()
    }
    net.load_state_dict(values)
    control = control_of(StateDict.of(values))
    assert control.kind.name == "ControlNet of Qwen-Image"
    assert control.kind.takes_mask(control.config) == (channels == 68)
    x, picture = (
        torch.randn(2, 16, 1, ROWS, COLUMNS),
        torch.randn(1, channels // 4, 1, ROWS, COLUMNS),
    )
    context, time = torch.randn(2, 5, TEXT), torch.tensor([0.7, 0.3])
    counts = torch.ones(2, 5, dtype=torch.bool)
    counts[1, 3:] = False
    shape = [(1, ROWS // 2, COLUMNS // 2)]
    with torch.no_grad():
        expected = net(
            hidden_states=patches(x[:, :, 0]),
            controlnet_cond=patches(picture[:, :, 0]).expand(2, -1, -1),
            encoder_hidden_states=context,
            encoder_hidden_states_mask=counts,
            timestep=time,
            img_shapes=[shape] * 2,
            return_dict=False,
        )
    kind, config = control.kind, control.config
    with DeviceResidency(torch.device("cpu"), torch.float32).use(control.weights), torch.no_grad():
        module = control.weights.module
        features = kind.features(config, module, picture)
        inputs = {"context": context, "mask": counts}
        call = Call(x, time, inputs, features, lambda: None)
        found = kind.residuals(config, module, call)
        layers = Call(x.expand(-1, -1, 3, -1, -1), time, inputs, features, lambda: None)
        with pytest.raises(NodeError, match="sees one picture, the latent has 3 layers"):
            kind.residuals(config, module, layers)
    # The first serves thirty blocks of sixty, as in the incumbent.
    assert len(found.input) == 60
    assert all(close(each, expected[number // 30]) for number, each in enumerate(found.input))
