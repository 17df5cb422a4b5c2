"""What a dotted path of a library is: looked up in the libraries themselves, so that no second name hides a first.

An answer may use the modules in MODULES, and of those in PARTS only what is named there. Nothing is imported that is
not listed, and nothing of a module is asked for by an attribute that would make it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from types import ModuleType
from typing import Any

import numpy as np
import torch

MODULES = {
    "abc", "bisect", "cmath", "collections", "collections.abc", "contextlib", "copy", "dataclasses", "decimal", "enum",
    "fractions", "functools", "heapq", "itertools", "math", "numbers", "operator", "os", "queue", "random",
    "statistics", "string", "sys", "textwrap", "time", "types", "typing", "typing_extensions", "warnings", "zlib",
    "__future__", "numpy", "numpy.fft", "numpy.linalg", "numpy.ma", "numpy.polynomial", "numpy.random", "numpy.typing",
    "scipy", "scipy.fft", "scipy.integrate", "scipy.interpolate", "scipy.linalg", "scipy.ndimage", "scipy.optimize",
    "scipy.signal", "scipy.sparse", "scipy.sparse.linalg", "scipy.spatial", "scipy.spatial.distance", "scipy.special",
    "scipy.stats", "torch", "torch.amp", "torch.autograd", "torch.autograd.forward_ad", "torch.autograd.functional",
    "torch.backends", "torch.cuda", "torch.distributions", "torch.fft", "torch.func", "torch.jit", "torch.linalg",
    "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.nn.parameter", "torch.nn.utils", "torch.optim",
    "torch.optim.lr_scheduler", "torch.optim.optimizer", "torch.random", "torch.special", "torch.testing",
    "torch.utils", "torch.utils.data", "triton", "triton.language", "triton.language.extra",
    "triton.language.extra.libdevice", "triton.language.math", "triton.runtime", "triton.testing", "matplotlib",
    "matplotlib.pyplot", "jaxtyping", "tqdm", "tqdm.auto", "tqdm.notebook", "IPython", "IPython.display",
    "helpers",
}  # fmt: skip
LIBRARIES = ("helpers", "torch", "scipy", "numpy")
FAMILIES = ("torch.distributions", "torch.backends", "torch.cuda", "helpers")  # with every public module inside
PARTS = {
    "os": {"environ", "getenv"},
    "sys": {"float_info", "maxsize", "version_info", "version", "stdout", "stderr", "platform", "byteorder"},
    "types": {"SimpleNamespace", "MappingProxyType", "NoneType"},
    "torch.jit": {"script", "script_method", "ignore", "unused", "export", "annotate", "trace", "Final"},
    "IPython": {"display"},
    "functools": {
        "partial", "partialmethod", "reduce", "cache", "lru_cache", "wraps", "cmp_to_key", "total_ordering",
        "cached_property",
    },
}  # fmt: skip
# Ways to a name, or to code, that is not written in the answer; each in a module that is otherwise allowed.
UNREADABLE = {
    "operator.attrgetter", "operator.methodcaller", "typing.get_type_hints", "typing.ForwardRef",
    "typing_extensions.get_type_hints", "typing_extensions.evaluate_forward_ref", "dataclasses.make_dataclass",
    "typing_extensions.get_annotations", "typing_extensions.ForwardRef",
    "string.Formatter", "torch.load", "torch.save", "torch.get_file_path", "numpy.load", "numpy.save",
    "numpy.fromregex", "numpy.test", "numpy.info", "numpy.source", "torch.import_ir_module", "torch.classes",
    "triton.language.str_to_ty", "torch.hub", "torch.ops", "torch.vitals_enabled", "torch.compiled_with_cxx11_abi",
}  # fmt: skip
# Where a function without a Python module of its own is known from, most telling first.
HOMES = ("torch.nn.functional", "torch.special", "torch.linalg", "torch.fft", "torch", "scipy.special", "numpy")


@dataclass(frozen=True)
class Found:
    """What a dotted path leads to: `value` where it can be looked up (`known`), the modules on the way by their own
    names, and the first step at which it leaves what an answer may use."""

    known: bool
    value: Any = None
    modules: tuple[str, ...] = ()
    outside: str | None = None

    @property
    def methods(self) -> set[str]:
        """The public names that a library's class gives its objects; none for tensors and arrays, which an answer is
        given anyway."""
        if not isinstance(self.value, type) or issubclass(self.value, (torch.Tensor, np.ndarray, BaseException)):
            return set()
        return {name for name in dir(self.value) if not is_private(name)}


def is_private(name: str) -> bool:
    """Whether a name is a library's own affair."""
    return name.startswith("_")


def may_be_used(module: str) -> bool:
    """Whether an answer may use a module."""
    family = any(module.startswith(f"{one}.") for one in FAMILIES)
    return module in MODULES or (family and not any(map(is_private, module.split("."))))


@lru_cache(maxsize=10_000)
def look_up(path: str) -> Found:
    """What a dotted path that starts at a module leads to."""
    first, *rest = path.split(".")
    if not may_be_used(first):
        return Found(False, outside=first)
    value, modules = module_named(first), [first]
    for step, name in enumerate(rest, start=1):
        if not isinstance(value, ModuleType):
            break
        here = modules[-1]
        if is_private(name) and not (name.startswith("__") and name.endswith("__")):
            return Found(False, modules=tuple(modules), outside=".".join([first, *rest[:step]]))
        if (here in PARTS and name not in PARTS[here]) or f"{here}.{name}" in UNREADABLE:
            return Found(False, modules=tuple(modules), outside=f"{here}.{name}")
        value = attribute_of(value, name)
        if isinstance(value, ModuleType):
            if not may_be_used(value.__name__):
                return Found(False, modules=tuple(modules), outside=value.__name__)
            modules.append(value.__name__)
        elif value is None:
            return Found(False, modules=tuple(modules))
        elif step < len(rest):
            value = following(value, rest[step:])
            break
    return Found(value is not None, value, tuple(modules))


def following(value: Any, names: list[str]) -> Any:
    """The attribute of an attribute of what is no module; None where a class has none of that name."""
    for name in names:
        if not isinstance(value, type):
            return None
        value = getattr(value, name, None)
    return value


def module_named(name: str) -> ModuleType | None:
    """A module that may be used, imported if it is there; None where it is not installed."""
    try:
        return sys.modules.get(name) or importlib.import_module(name)
    except ImportError:
        return None


def attribute_of(module: ModuleType, name: str) -> Any:
    """What a module has under a name, without asking it to make one: a module inside it that may be used is
    imported."""
    if name in vars(module):
        return vars(module)[name]
    return module_named(f"{module.__name__}.{name}") if may_be_used(f"{module.__name__}.{name}") else None


def known_as(value: Any) -> str:
    """The path under which a library's function is known: torch.special.entr, not torch._C._special.special_entr."""
    name = value.__name__
    for home in HOMES:
        for known in (name, name.partition("_")[2]):
            if known and getattr(sys.modules.get(home), known, None) is value:
                return f"{home}.{known}"
    module = getattr(value, "__module__", None)
    if not isinstance(module, str) or module == "builtins":
        return str(name)
    homes = list(public_homes(module))
    public = next((home for home in homes if vars(sys.modules.get(home, sys)).get(name) is value), None)
    return f"{public}.{name}" if public else object_known_as(value) or f"{module}.{name}"


def public_homes(module: str) -> Iterator[str]:
    """The modules that may offer what another holds: scipy.optimize for scipy.optimize._zeros_py, torch.nn for
    torch.nn.modules.linear, heapq for _heapq."""
    parts = list(takewhile(lambda part: not is_private(part), module.removeprefix("_").split(".")))
    homes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return filter(may_be_used, homes)


def object_known_as(value: Any) -> str | None:
    """The path of an object that a library offers under another name than its own, or that has none, such as
    scipy.stats.norm; None for any other."""
    module = getattr(value, "__module__", None) or type(value).__module__
    homes = [*public_homes(str(module)), *(HOMES if str(module).split(".")[0] in LIBRARIES else ())]
    offered = ((home, vars(sys.modules[home])) for home in homes if home in sys.modules)
    found = (f"{home}.{name}" for home, names in offered for name, one in names.items() if one is value)
    return next((path for path in found if look_up(path).outside is None), None)


def belongs_to_a_library(value: Any) -> bool:
    """Whether a library itself has this very object under its name: not a wrapper that it has put around another."""
    name, module = getattr(value, "__name__", None), getattr(value, "__module__", None)
    if not isinstance(name, str) or not isinstance(module, str) or module.split(".")[0] not in LIBRARIES:
        return False
    homes = [sys.modules.get(home) for home in (module, *HOMES)]
    return any(vars(home).get(known) is value for home in homes if home for known in (name, name.partition("_")[2]))
