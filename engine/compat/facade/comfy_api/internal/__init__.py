"""Names that V3 plugins import to annotate and to check classes."""

from engine.compat.v3.namespaces import first_real_override, is_class, prune_dict
from engine.compat.v3.node import ClassProperty as classproperty
from engine.compat.v3.node import ComfyNode as _ComfyNodeInternal
from engine.compat.v3.schema import NodeOutput as _NodeOutputInternal
