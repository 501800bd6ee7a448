"""The allocator of CUDA memory is chosen by the engine."""

from engine.compat.host.arguments import cuda_malloc_supported, get_gpu_names
