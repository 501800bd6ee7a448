"""The executor's names, as plugins know them."""

import torch

from engine.compat.host.execution import (
    MAXIMUM_HISTORY_SIZE,
    SENSITIVE_EXTRA_DATA_KEYS,
    CacheEntry,
    CacheSet,
    CacheType,
    DuplicateNodeError,
    ExecutionResult,
    IsChangedCache,
    PromptExecutor,
    full_type_name,
    get_input_data,
    map_node_over_list,
    merge_result_data,
    validate_prompt,
)
from engine.compat.serving.prompt_queue import PromptQueue

_map_node_over_list = map_node_over_list
