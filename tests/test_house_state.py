"""No module holds state: what it binds at import time can never change.

A container is allowed where its annotation is read-only (a type checker refuses to change it), an
object where its class is immutable: of the standard library and on the list below, or ours and
frozen, or ours and without attributes.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("engine", "nodes", "tools", "main.py")
COMPAT = ROOT / "engine" / "compat"
"""Left out: plugins add to the lists there and replace functions; that is their contract."""
STATE: dict[str, str] = {
    "engine/inference/adapters.py::_remembered": "weak: files and names that something still uses",
    "engine/inference/file_handles.py::_handles": "weak: handles that something still uses",
    "engine/residency/manager.py::_installed": "the one process-wide thing: a worker is one device",
    "engine/decoding/helper.py::_idle": "the idle helper: a process, whoever asks next",
    "engine/nodekit/context.py::CURRENT": "a context variable: each call sees its own value",
    "engine/text/tokens.py::clip_tokenizer": "builds 49,408 entries once; nothing changes them",
    "engine/text/tokenizer_files.py::t5": "builds 32,100 entries once; nothing changes them",
    "engine/text/tokenizer_files.py::qwen_ranks": "151,643 entries; nothing changes them",
    "engine/text/tokenizer_files.py::qwen2": "remembers words it has split",
    "engine/text/tokenizer_files.py::qwen3": "remembers words it has split",
    "engine/text/word_pieces.py::word_pieces": "builds 30,522 entries once; nothing changes them",
}
"""Exceptions: path::name, and the reason."""
READ_ONLY = ("Mapping", "Sequence", "Collection", "Iterable", "frozenset", "tuple", "Final")
IMMUTABLE = {
    "MappingProxyType",
    "staticmethod",
    "frozenset",
    "tuple",
    "compile",  # re
    "Path",
    "with_name",
    "TypeVar",
    "ParamSpec",
    "TypeVarTuple",
    "NewType",
    "getLogger",
    "partial",
    "AppKey",
    "Decoder",  # msgspec: holds a type
    "Encoder",
    "join",
    "range",
    "arange",  # numpy: of tools that draw
    "dtype",
    "object",
    "field",  # dataclasses: makes a new value for each object
}
CONTAINERS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
CACHES = {"cache", "lru_cache"}


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    paths: list[Path] = []
    for room in ROOMS:
        path = ROOT / room
        paths += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in paths
        if COMPAT not in path.parents
    }


def last_name(expression: ast.expr) -> str:
    """`MappingProxyType[str, int]` and `types.MappingProxyType` are both `MappingProxyType`."""
    while isinstance(expression, ast.Subscript | ast.Call):
        expression = expression.value if isinstance(expression, ast.Subscript) else expression.func
    return (
        expression.attr if isinstance(expression, ast.Attribute) else getattr(expression, "id", "")
    )


def bindings(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr, ast.expr | None]]:
    """Names that a body binds, with value and annotation; also below `if`, `try` and `with`."""
    for part in body:
        if isinstance(part, ast.Assign):
            for target in part.targets:
                yield ast.unparse(target), part.value, None
        elif isinstance(part, ast.AnnAssign) and part.value is not None:
            yield ast.unparse(part.target), part.value, part.annotation
        elif isinstance(part, ast.If | ast.Try | ast.With | ast.For | ast.While):
            for block in ("body", "orelse", "finalbody"):
                yield from bindings(getattr(part, block, []))


def is_frozen(declaration: ast.ClassDef) -> bool:
    """A frozen dataclass, a frozen struct, a named tuple or an enumeration."""
    bases = {last_name(base) for base in declaration.bases}
    if bases & {"NamedTuple", "Enum", "StrEnum", "IntEnum"}:
        return True
    calls = [each for each in declaration.decorator_list if isinstance(each, ast.Call)]
    keywords = [*declaration.keywords, *(word for call in calls for word in call.keywords)]
    return any(
        word.arg == "frozen" and isinstance(word.value, ast.Constant) and word.value.value is True
        for word in keywords
    )


def has_attributes(declaration: ast.ClassDef) -> bool:
    """Whether its methods assign to `self`, or it inherits from a class that may."""
    if any(last_name(base) not in {"Protocol", "Generic", "object"} for base in declaration.bases):
        return True
    return any(
        isinstance(part, ast.Attribute)
        and isinstance(part.ctx, ast.Store)
        and isinstance(part.value, ast.Name)
        and part.value.id == "self"
        for part in ast.walk(declaration)
    )


def aliases(tree: ast.Module) -> set[str]:
    """Names of a module that mean a type of function."""
    return {name for name, value, _ in bindings(tree.body) if last_name(value) == "Callable"}


def immutable_names(trees: dict[str, ast.Module]) -> set[str]:
    """Immutable classes, ours among them, and functions of ours that return a function."""
    names = set(IMMUTABLE)
    functions = {"Callable", *(alias for tree in trees.values() for alias in aliases(tree))}
    for tree in trees.values():
        for part in tree.body:
            if isinstance(part, ast.ClassDef) and (is_frozen(part) or not has_attributes(part)):
                names.add(part.name)
            if isinstance(part, ast.FunctionDef) and part.returns is not None:
                returned = ast.unparse(part.returns)
                if (
                    returned in {"str", "int", "float", "bytes"}
                    or last_name(part.returns) in functions
                ):
                    names.add(part.name)
    return names


def is_state(value: ast.expr, annotation: ast.expr | None, immutable: set[str]) -> bool:
    read_only = annotation is not None and last_name(annotation) in READ_ONLY
    if isinstance(value, CONTAINERS):
        return not read_only
    return isinstance(value, ast.Call) and last_name(value.func) not in immutable


def stateful(trees: dict[str, ast.Module]) -> set[str]:
    """path::name of everything that could change after its module was imported."""
    immutable = immutable_names(trees)
    found: set[str] = set()
    for path, tree in trees.items():
        found |= {
            f"{path}::{name}"
            for name, value, annotation in bindings(tree.body)
            if name != "__all__" and is_state(value, annotation, immutable)
        }
        for part in ast.walk(tree):
            if isinstance(part, ast.ClassDef) and not makes_objects(part):
                found |= {
                    f"{path}::{part.name}.{name}"
                    for name, value, annotation in bindings(part.body)
                    if is_state(value, annotation, immutable)
                }
            elif isinstance(part, ast.Global):
                found |= {f"{path}::{name}" for name in part.names}
            elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                decorators = {last_name(each) for each in part.decorator_list}
                if decorators & CACHES:
                    found.add(f"{path}::{part.name}")
    return found


def makes_objects(declaration: ast.ClassDef) -> bool:
    """Whether a class body's values are defaults, copied or recreated for each object."""
    decorators = {last_name(each) for each in declaration.decorator_list}
    bases = {last_name(base) for base in declaration.bases}
    return "dataclass" in decorators or bool(bases & {"Struct", "NamedTuple", "Message", "Body"})


def test_no_module_holds_state(trees):
    assert sorted(stateful(trees) - set(STATE)) == []


def test_every_exception_is_still_needed(trees):
    assert sorted(set(STATE) - stateful(trees)) == []


@pytest.mark.parametrize(
    "source",
    [
        "seen = []",
        "seen: list[int] = []",
        "table = {'a': 1}",
        "seen = dict()",
        "seen = collections.defaultdict(list)",
        "seen = set(('a',))",
        "queue = deque()",
        "count = itertools.count()",
        "lock = threading.Lock()",
        "names = [each for each in 'abc']",
        "if True:\n    seen = {}",
        "class Node:\n    seen = []",
        "count = 0\ndef f():\n    global count\n    count += 1",
        "@functools.lru_cache(maxsize=None)\ndef f(): ...",
        "@cache\ndef f(): ...",
        "class Box:\n    def put(self, value): self.value = value\nbox = Box()",
    ],
)
def test_state_is_found(source: str):
    assert len(stateful({"example.py": ast.parse(source)})) == 1


@pytest.mark.parametrize(
    "source",
    [
        "NAMES = ('a', 'b')",
        "TABLE: Mapping[str, int] = {'a': 1}",
        "TABLE = MappingProxyType({'a': 1})",
        "PATTERN = re.compile('a')",
        "@dataclass(frozen=True)\nclass Size:\n    width: int\nSMALL = Size(8)",
        "class Family:\n    name = 'a'\n    def detect(self): return None\nFAMILY = Family()",
        "@dataclass\nclass Run:\n    seen: list[int] = field(default_factory=list)",
    ],
)
def test_what_cannot_change_is_no_state(source: str):
    assert stateful({"example.py": ast.parse(source)}) == set()
