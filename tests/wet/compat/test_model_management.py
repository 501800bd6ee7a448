"""`comfy.model_management`: devices, memory within the budget, interrupts."""

import gc
import importlib
import weakref

import pytest
import torch
from torch import nn

from engine.compat.install import install_facade
from engine.errors import OutOfMemoryError, Stopped
from engine.nodekit.context import CURRENT, RunningContext
from engine.residency.handles import LazyWeights


@pytest.fixture
def management():
    install_facade()
    module = importlib.import_module("comfy.model_management")
    module.current_loaded_models.clear()
    yield module
    module.current_loaded_models.clear()
    module.interrupt_processing = False


class Patcher:
    """A plugin's own object around a module of its own."""

    def __init__(self, kilobytes, device="cpu", offload="cpu"):
        self.model = nn.Linear(256, kilobytes, bias=False)
        self.load_device, self.offload_device = torch.device(device), torch.device(offload)
        self.moves = []

    def model_size(self):
        return self.model.weight.nbytes

    def patch_model(self, device_to=None):
        self.moves.append(device_to)

    def detach(self):
        self.moves.append("away")


def test_without_a_worker_there_is_a_device(management):
    assert management.get_torch_device().type in {"cpu", "cuda"}
    assert management.get_free_memory() > 0


def test_devices_and_dtypes_are_those_of_the_residency(management, residency):
    device = management.get_torch_device()
    assert device == residency.device == management.text_encoder_device()
    assert management.unet_offload_device() == torch.device("cpu")
    assert management.intermediate_device() == torch.device("cpu")
    assert management.unet_dtype() == torch.float32
    assert management.unet_dtype(weight_dtype=torch.float8_e4m3fn) == torch.float8_e4m3fn
    assert management.unet_dtype(supported_dtypes=[torch.bfloat16]) == torch.bfloat16
    assert management.unet_manual_cast(torch.float32, device) is None
    assert management.unet_manual_cast(torch.float16, device) == torch.float32
    assert management.vae_dtype(device, [torch.float16]) == torch.float32
    assert not management.should_use_fp16()
    assert not management.should_use_bf16(device)
    assert management.get_autocast_device(device) == "cpu"
    assert management.is_device_cpu(device)
    assert not management.is_device_mps(device)
    assert management.dtype_size(torch.float16) == 2


def test_a_tensor_is_cast(management):
    found = management.cast_to_device(torch.ones(2), torch.device("cpu"), torch.float16)
    assert found.dtype == torch.float16
    into = torch.zeros(2)
    assert management.cast_to(torch.ones(2), r=into) is into
    assert into.tolist() == [1, 1]


def test_free_memory_is_what_the_budget_leaves(management, residency):
    assert management.get_free_memory() == residency.budget
    with residency.reserve(300_000):
        assert management.get_free_memory(torch.device("cpu")) == residency.budget - 300_000
    total, inside = management.get_total_memory(torch_total_too=True)
    assert total == inside > residency.budget


def weights_on(residency, kilobytes):
    # A converted copy counts on a CPU: the weights are in fp16, the residency computes in fp32.
    handle = LazyWeights(
        "test", kilobytes * 512, lambda: nn.Linear(256, kilobytes, bias=False).half()
    )
    with residency.use(handle):
        pass
    return handle


def test_a_plugin_s_module_is_loaded_and_its_bytes_are_reserved(management, residency):
    patcher = Patcher(400)
    management.load_models_gpu([patcher])
    assert patcher.moves == [torch.device("cpu")]
    assert management.loaded_models() == [patcher]
    assert residency.free == residency.budget - 400 * 1024
    management.load_model_gpu(patcher)
    assert residency.free == residency.budget - 400 * 1024
    assert len(management.current_loaded_models) == 1


def test_the_room_is_given_back_when_the_module_is_gone(management, residency):
    patcher = Patcher(400)
    management.load_model_gpu(patcher)
    seen = weakref.ref(patcher.model)
    del patcher
    gc.collect()
    assert seen() is None
    assert residency.free == residency.budget
    management.cleanup_models_gc()
    assert management.current_loaded_models == []


def test_the_engine_s_weights_make_room_for_a_plugin_s(management, residency):
    handle = weights_on(residency, 400)
    held = residency.held
    patcher = Patcher(900)
    management.load_model_gpu(patcher)
    assert residency.held + patcher.model_size() <= residency.budget
    assert handle is not None
    assert held == 0 or residency.held < held


def test_another_plugin_s_module_is_unloaded_where_one_does_not_fit(management, monkeypatch):
    from engine.residency import manager

    made = manager.DeviceResidency(torch.device("meta"), torch.float32, budget=1 << 20)
    with manager.installed(made):
        first, second = (Patcher(700, "meta", "cpu") for _ in range(2))
        management.load_model_gpu(first)
        management.load_model_gpu(second)
        assert first.moves[-1] == "away"
        assert made.free == made.budget - 700 * 1024
        assert management.loaded_models() == [second]
        management.unload_all_models()
        assert made.free == made.budget


def test_this_engine_s_models_are_left_to_the_residency(management, residency):
    class Managed:
        is_managed = True
        model = None
        load_device = torch.device("cpu")

    managed = Managed()
    management.load_models_gpu([managed], memory_required=1000)
    assert management.loaded_models() == [managed]
    assert residency.free == residency.budget


def test_memory_is_freed_on_the_computing_device_only(management, residency):
    assert management.free_memory(1e30, torch.device("meta")) == []
    management.load_model_gpu(Patcher(10))
    assert management.free_memory(100, torch.device("cpu")) == []


def test_a_module_s_shared_parameters_count_once(management):
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[1].weight = net[0].weight
    assert management.module_size(net) == (16 + 4 + 4) * 4


def test_a_user_s_stop_reaches_the_plugin(management):
    stopped = []
    token = CURRENT.set(RunningContext("1", None, stopped=lambda: bool(stopped)))
    try:
        management.throw_exception_if_processing_interrupted()
        assert not management.processing_interrupted()
        stopped.append(True)
        assert management.processing_interrupted()
        with pytest.raises(management.InterruptProcessingException):
            management.throw_exception_if_processing_interrupted()
    finally:
        CURRENT.reset(token)


def test_a_plugin_can_stop_the_run(management):
    management.interrupt_current_processing()
    assert management.processing_interrupted()
    with pytest.raises(Stopped):
        management.throw_exception_if_processing_interrupted()
    assert not management.processing_interrupted()


def test_a_lack_of_memory_is_caught_and_others_are_raised(management):
    with pytest.raises(management.OOM_EXCEPTION):
        raise OutOfMemoryError("x")
    management.raise_non_oom(torch.OutOfMemoryError())
    with pytest.raises(KeyError):
        management.raise_non_oom(KeyError("x"))
