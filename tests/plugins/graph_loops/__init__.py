"""A pack whose nodes return graphs: loops, blocks, and the names of what is running."""

from comfy_execution.graph import ExecutionBlocker
from comfy_execution.graph_utils import GraphBuilder, is_link
from comfy_execution.utils import get_executing_context


class AnyType(str):
    def __ne__(self, _):
        return False

    __eq__ = str.__eq__
    __hash__ = str.__hash__


ANY = AnyType("*")


class LoopOpen:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"count": ("INT", {"default": 3})}, "optional": {"value": (ANY,)}}

    RETURN_TYPES = ("FLOW", "INT", ANY)
    FUNCTION = "go"

    def go(self, count, value=0):
        return ("stub", count, value)


class LoopClose:
    """Repeats the nodes between it and its opening node until the count is used up."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"flow": ("FLOW", {"rawLink": True}), "value": (ANY, {})},
            "hidden": {"graph": "DYNPROMPT", "unique_id": "UNIQUE_ID"},
        }

    RETURN_TYPES = (ANY,)
    FUNCTION = "go"

    def go(self, flow, value, graph=None, unique_id=None):
        opening = flow[0]
        count = graph.get_node(opening)["inputs"]["count"] - 1
        if count <= 0:
            return (value,)
        builder = GraphBuilder()
        inside = self.between(graph, opening, unique_id)
        for node_id in inside:
            name = "Recurse" if node_id == unique_id else node_id
            node = builder.node(graph.get_node(node_id)["class_type"], name)
            node.set_override_display_id(node_id)
        for node_id in inside:
            node = builder.lookup_node("Recurse" if node_id == unique_id else node_id)
            for key, given in graph.get_node(node_id)["inputs"].items():
                inner = is_link(given) and given[0] in inside
                node.set_input(key, builder.lookup_node(given[0]).out(given[1]) if inner else given)
        again = builder.lookup_node(opening)
        again.set_input("count", count)
        again.set_input("value", value)
        return {"result": (builder.lookup_node("Recurse").out(0),), "expand": builder.finalize()}

    def between(self, graph, opening, closing):
        found, pending = {closing}, [closing]
        while pending:
            node_id = pending.pop()
            for given in graph.get_node(node_id)["inputs"].values():
                if (
                    is_link(given)
                    and given[0] not in found
                    and self.reaches(graph, given[0], opening)
                ):
                    found.add(given[0])
                    pending.append(given[0])
        return found

    def reaches(self, graph, node_id, opening):
        if node_id == opening:
            return True
        inputs = graph.get_node(node_id)["inputs"].values()
        return any(is_link(each) and self.reaches(graph, each[0], opening) for each in inputs)


class Add:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("INT", {"default": 0}), "b": ("INT", {"default": 1})}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "go"

    def go(self, a, b):
        return (a + b,)


class Twice:
    """Two graphs in one: their ids must differ."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("INT", {"default": 1})}}

    RETURN_TYPES = ("INT", "INT")
    FUNCTION = "go"

    def go(self, a):
        first, second = GraphBuilder(), GraphBuilder()
        one, two = first.node("LoopAdd", a=a, b=1), second.node("LoopAdd", a=a, b=2)
        expand = {**first.finalize(), **second.finalize()}
        return {"result": (one.out(0), two.out(0)), "expand": expand}


class Stop:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,), "why": ("STRING", {"default": ""})}}

    RETURN_TYPES = (ANY,)
    FUNCTION = "go"

    def go(self, value, why):
        return (ExecutionBlocker(why or None),)


class Who:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "go"

    def go(self, value):
        context = get_executing_context()
        return {"ui": {"value": [value], "who": [context.node_id, context.list_index]}}


NODE_CLASS_MAPPINGS = {
    "LoopOpen": LoopOpen,
    "LoopClose": LoopClose,
    "LoopAdd": Add,
    "LoopTwice": Twice,
    "LoopStop": Stop,
    "LoopWho": Who,
}
