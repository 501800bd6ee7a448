"""Operations on latents, applied once or at every step."""

from dataclasses import dataclass, field

import torch

from engine.diffusion.guidance import Guidance, guided
from nodes.latent_operations import (
    latent_apply_operation,
    latent_apply_operation_cfg,
    latent_operation_sharpen,
    latent_operation_tonemap_reinhard,
)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True)
class Patched:
    """The part of a Model that a patch of its guidance uses."""

    guidance: Guidance = field(default_factory=Guidance)


def guide(model, scale):
    """(guided, expected without the patch) for two artificial predictions."""
    positive, negative = noise(1, 4, 8, 8), noise(1, 4, 8, 8, seed=1)
    known = {"positive": positive, "negative": negative}
    found, _ = guided(
        lambda *names: tuple(known[name] for name in names),
        noise(1, 4, 8, 8, seed=2),
        torch.ones(1),
        scale,
        model.guidance.started(),
    )
    return found, positive, negative


def test_applied_once():
    given = {"samples": noise(1, 4, 8, 8), "type": "kept"}
    found = latent_apply_operation(given, lambda latent: latent * 2)
    torch.testing.assert_close(found["samples"], given["samples"] * 2)
    assert found["type"] == "kept"


def test_applied_to_guidance():
    model = latent_apply_operation_cfg(Patched(), lambda latent: latent * 0.5)
    found, positive, negative = guide(model, 6.0)
    torch.testing.assert_close(found, negative + 6.0 * 0.5 * (positive - negative))


def test_applied_to_the_positive_where_the_negative_does_not_count():
    model = latent_apply_operation_cfg(Patched(), lambda latent: latent * 0.5)
    found, positive, _ = guide(model, 1.0)
    torch.testing.assert_close(found, positive * 0.5)


def test_patches_add_up():
    twice = latent_apply_operation_cfg(Patched(), lambda latent: latent * 0.5)
    twice = latent_apply_operation_cfg(twice, lambda latent: latent * 3.0)
    found, positive, negative = guide(twice, 6.0)
    torch.testing.assert_close(found, negative + 6.0 * 1.5 * (positive - negative))


def test_sharpening_turns_cells_away_from_their_surroundings():
    flat = torch.ones(1, 4, 16, 16)
    sharpen = latent_operation_sharpen(3, 1.0, 0.5)
    torch.testing.assert_close(sharpen(flat), flat)
    given = noise(1, 4, 16, 16)
    torch.testing.assert_close(latent_operation_sharpen(3, 1.0, 0.0)(given), given)
    edge = torch.ones(1, 2, 1, 16)
    edge[:, 1, :, :8] = -1
    sharp = sharpen(edge)
    # The direction overshoots next to the edge, and only there.
    assert sharp[0, 1, 0, 8] > 1.01
    assert sharp[0, 1, 0, 7] < -1.01
    torch.testing.assert_close(sharp[..., :4], edge[..., :4])


def test_sharpening_works_on_latents_smaller_than_its_radius():
    assert latent_operation_sharpen(31)(noise(2, 4, 8, 8)).isfinite().all()


def test_tone_mapping_compresses_strong_cells_most():
    given = noise(1, 4, 32, 32)
    given[..., 3, 3] *= 50
    found = latent_operation_tonemap_reinhard(1.0)(given)
    before, after = given.norm(dim=1), found.norm(dim=1)
    top = before.mean() + 5 * before.std()
    torch.testing.assert_close(after, before / (1 + before / top))
    cosine = (given * found).sum(1) / before / after
    torch.testing.assert_close(cosine, torch.ones_like(cosine))
    for shape in ((1, 4, 4, 4), (1, 4, 1, 1)):
        assert latent_operation_tonemap_reinhard(1.0)(torch.zeros(shape)).isfinite().all()
    assert not latent_operation_tonemap_reinhard(0.0)(given).isnan().any()
