"""SDXL's shape with two LoRAs and a ControlNet, on a device with a hard limit of memory."""

import pytest

from engine.errors import OutOfMemoryError

from .sdxl_shaped import SMALL, TRUE, measure

GIGABYTE = 10**9


def test_a_model_with_two_loras_and_a_controlnet_runs_in_three_quarters_of_them():
    whole = measure(SMALL, GIGABYTE, steps=1)
    budget = int(whole.peak * 0.75)
    found = measure(SMALL, budget)
    assert whole.held >= whole.weights
    assert found.held < found.weights
    assert found.peak <= budget
    # Resident weights are not copied again.
    assert 0 < found.copied < found.weights


def test_an_ip_adapter_is_within_the_budget_too():
    plain = measure(SMALL, GIGABYTE, steps=1, loras=0)
    whole = measure(SMALL, GIGABYTE, steps=1, loras=0, pictures=2)
    assert whole.held > plain.held
    assert whole.held >= whole.weights
    found = measure(SMALL, int(whole.peak * 0.75), loras=0, pictures=2)
    assert found.held < found.weights
    assert found.peak <= int(whole.peak * 0.75)
    assert 0 < found.copied < found.weights


def test_what_cannot_run_at_all_is_a_sentence():
    with pytest.raises(OutOfMemoryError, match="one block at a time"):
        measure(SMALL, 20 * 10**6, steps=1)


@pytest.mark.slow
def test_true_sizes_run_in_4_gb():
    found = measure(TRUE, 4 * GIGABYTE)
    assert found.weights > 7.5 * GIGABYTE
    assert found.peak <= 4 * GIGABYTE


@pytest.mark.slow
def test_with_an_ip_adapter_true_sizes_run_in_6_gb():
    found = measure(TRUE, 6 * GIGABYTE, pictures=2)
    assert found.weights > 8 * GIGABYTE
    assert found.peak <= 6 * GIGABYTE
