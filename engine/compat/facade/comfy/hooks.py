"""Hooks of conditionings."""

from engine.compat.parts.conditioning import (
    combine_conditioning,
    set_conds_props,
    set_conds_props_and_combine,
    set_default_conds_and_combine,
    set_hooks_for_conditioning,
    set_mask_for_conditioning,
    set_timesteps_for_conditioning,
)
from engine.compat.parts.hook_kinds import (
    EnumHookMode,
    EnumHookScope,
    EnumHookType,
    EnumWeightTarget,
    HookKeyframe,
    HookKeyframeGroup,
    get_sorted_list_via_attr,
)
from engine.compat.parts.hook_kinds import HookRef as _HookRef
from engine.compat.parts.hooks import (
    AdditionalModelsHook,
    Hook,
    HookGroup,
    InjectionsHook,
    ObjectPatchHook,
    SetInjectionsHook,
    TransformerOptionsHook,
    WeightHook,
    WrapperHook,
    create_hook_lora,
    create_hook_model_as_lora,
    get_patch_weights_from_model,
    load_hook_lora_for_models,
)
