"""On a CUDA device: the budget is a hard limit, and the place of weights changes no result.

Run with `pytest -m gpu tests/gpu`.
"""

import pytest
import torch
from torch import Tensor, nn

from engine.errors import OutOfMemoryError
from engine.residency.cuda import CudaCarrier
from engine.residency.handles import LazyWeights
from engine.residency.loaded import LoadedWeights
from engine.residency.manager import DeviceResidency

pytestmark = pytest.mark.gpu
MEBIBYTE = 2**20
WIDTH, BLOCKS = 1024, 24


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.last = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.last(x)


@pytest.fixture
def device():
    # Fail instead of skipping, so that a run without a GPU is not reported as passed.
    assert torch.cuda.is_available(), "needs a CUDA device"
    device = torch.device("cuda", 0)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    with torch.inference_mode():
        yield device
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1.0, device)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Net().half().requires_grad_(requires_grad=False).eval()


@pytest.fixture
def x(device):
    return torch.randn(2, 64, WIDTH, generator=torch.Generator().manual_seed(1)).half().to(device)


def lazy(module: nn.Module) -> LazyWeights:
    return LazyWeights("net", 0, lambda: module)


def resident(net, x, device):
    loaded = LoadedWeights(lazy(net), CudaCarrier(device, torch.float16))
    loaded.place(loaded.size)
    assert not loaded.streams
    result = net(x).cpu()
    loaded.clear()
    return result


@pytest.mark.parametrize("share", [0.9, 0.7, 0.5, 0.3, 0.15])
def test_streaming_is_bit_equal_and_stays_within_its_bytes(net, x, device, share):
    expected = resident(net, x, device)
    loaded = LoadedWeights(lazy(net), CudaCarrier(device, torch.float16), block_limit=32 * MEBIBYTE)
    allowed = int(loaded.size * share)
    before = torch.cuda.memory_allocated(device)
    loaded.place(allowed)
    assert loaded.streams
    assert torch.cuda.memory_allocated(device) - before <= loaded.held <= allowed
    for _ in range(5):
        assert torch.equal(net(x).cpu(), expected)
    activations = 64 * MEBIBYTE
    assert torch.cuda.max_memory_allocated(device) - before <= allowed + activations
    loaded.clear()
    assert all(tensor.device.type == "cpu" for tensor in net.parameters())


def test_slots_are_not_overwritten_while_they_are_read(net, x, device):
    """Long computing per block, short copies: a copy that does not wait would win the race."""
    long = x.repeat(16, 8, 1)
    expected = resident(net, long, device)
    loaded = LoadedWeights(lazy(net), CudaCarrier(device, torch.float16), block_limit=32 * MEBIBYTE)
    loaded.place(int(loaded.size * 0.3))
    for _ in range(3):
        assert torch.equal(net(long).cpu(), expected)
    loaded.clear()


def test_a_file_in_another_dtype_is_converted_on_the_way(net, x, device):
    expected = resident(net, x, device)
    wide = Net().requires_grad_(requires_grad=False).eval()
    wide.load_state_dict({name: tensor.float() for name, tensor in net.state_dict().items()})
    loaded = LoadedWeights(
        lazy(wide), CudaCarrier(device, torch.float16), block_limit=32 * MEBIBYTE
    )
    loaded.place(int(loaded.size * 0.4))
    assert torch.equal(wide(x).cpu(), expected)
    loaded.clear()


def test_the_budget_of_a_residency_is_hard(net, x, device):
    budget = 256 * MEBIBYTE
    residency = DeviceResidency(device, torch.float16, budget=budget, block_limit=32 * MEBIBYTE)
    weights = LazyWeights("net", 0, lambda: net)
    with residency.use(weights, room_for=64 * MEBIBYTE):
        net(x)
        assert residency.held <= budget - 64 * MEBIBYTE
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(budget, dtype=torch.uint8, device=device)
    assert torch.cuda.max_memory_reserved(device) <= budget
    assert residency.release(budget) > 0
    assert residency.held == 0


def test_too_little_for_one_block_is_refused_before_anything_is_copied(net, device):
    residency = DeviceResidency(device, torch.float16, budget=4 * MEBIBYTE)
    weights = LazyWeights("net", 0, lambda: net)
    with pytest.raises(OutOfMemoryError, match="bytes at the least"):
        residency.use(weights).__enter__()
    assert residency.held == 0
