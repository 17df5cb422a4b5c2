"""What an answer calls, seen while it runs: the watch behind the reading of source rules.

Reading takes a name for what it says. The watch sees what is called, by whatever name: a mode of torch's functions is
told of each function and method of torch that the answer asks for, in whichever way, and looks up the stack for the
library's own Python (an optimiser, a distribution) that the answer has called. A forbidden one refuses the answer.

What a permitted function does inside is its own affair: torch does not tell the mode of it. Operators are looked at
one level deeper as well, and held against the answer only where it has called one itself without the mode being told:
then somebody has taken the mode off, or has had the code compiled. Nothing is raised while the answer runs, so that it
cannot tell. NumPy and SciPy have no such mode: of them only what runs torch inside is seen.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch._C import _DisableTorchDispatch
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack, _pop_mode
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

from helpers.checking.names import within
from helpers.checking.rules import Reader
from helpers.checking.shapes import Rules

PREFIXES = ("special_", "linalg_", "nn_")  # of the names under which torch itself keeps torch.special.entr
# Operators below some functions, by names of their own.
OPERATORS = {
    "softmax": {"_softmax", "_safe_softmax", "_masked_softmax", "_scaled_dot_product_attention_math"},
    "log_softmax": {"_log_softmax"},
    "cross_entropy": {"cross_entropy_loss"},
    "inv": {"linalg_inv_ex"},
}
# Torch's own wrappers: who looks for what the answer has called looks through them.
WRAPPERS = {
    "overrides.py", "_compile.py", "_jit_internal.py", "utils/_contextlib.py", "_dynamo/eval_frame.py",
    "_dynamo/decorators.py", "_dynamo/external_utils.py", "nn/modules/module.py", "optim/optimizer.py",
    "autograd/function.py", "utils/_python_dispatch.py", "_ops.py",
}  # fmt: skip
TORCH = Path(torch.__file__).parent
HERE = Path(__file__)
LIBRARIES = (str(HERE.parent.parent), *{sysconfig.get_path(which) for which in ("purelib", "platlib")})
STANDARD = (str(Path(sysconfig.get_path("stdlib"))), "<frozen", "<string>", "<__array_function__")
ANSWER, LIBRARY, THROUGH = range(3)
OF_C = {type(Tensor.add), type(torch.add), type(Tensor.grad.__get__)}  # type: ignore[union-attr] # a descriptor
PLAIN = {
    Tensor, torch.nn.Parameter, int, float, bool, complex, str, slice, type(None), type(Ellipsis), torch.dtype,
    torch.device, torch.Size, torch.layout, torch.memory_format, torch.Generator,
}  # fmt: skip
CALLING = {"backward", "_backward", "apply", "apply_", "map_", "map2_", "register_hook", "run_backward"}  # the answer's
TAKEN_OFF = "The answer changes what watches over its calls."
UNUSED = "The answer does not come from {required}: it is the same when that gives other numbers for the arguments."

paused: ContextVar[bool] = ContextVar("paused", default=False)


class Watch:
    """What is forbidden in an exercise, and the first forbidden thing that a call of an answer has asked for."""

    def __init__(self, rules: Rules):
        reader = Reader(rules)
        self.forbidden = set(reader.forbidden)
        self.modules, self.because = reader.modules, rules["because"]
        self.fault: str | None = None
        self.known: dict[Any, str | None] = {}
        # Functions of C that call nothing of the answer's but what they are handed, by id: an object can say that it
        # equals one.
        self.permitted = dict[int, Any]()
        self.own_files = set[str]()  # files that hold the answer
        self.seen = 0

    def ask(self, function: Any, frame: FrameType | None) -> None:
        """A function of torch was asked for in a frame."""
        self.seen += 1
        if self.fault is not None or paused.get():
            return
        try:  # most are, and this is what the watch takes most of its time for
            found = self.known[function]
        except KeyError:
            found = ""
        if found == "":
            found = self.known[function] = self.named(names_of(function))
        own = frame is None or kind_of(frame.f_code.co_filename) == ANSWER
        if found is not None or not own:
            self.fault = self.sentence(found or self.in_library(frame))
        elif frame is not None and type(function) in OF_C and function.__name__ not in CALLING:
            self.permitted[id(function)] = function
            self.own_files.add(frame.f_code.co_filename)

    def reach(self, operator: Any, frame: FrameType | None) -> None:
        """An operator was reached in a frame: the answer's own one, where the mode of functions has not been told."""
        self.seen += 1
        if self.fault is None and not paused.get() and (found := self.named({operator.overloadpacket.__name__})):
            above = frame
            while above is not None and kind_of(above.f_code.co_filename) != ANSWER:
                if above.f_code is Functions.__torch_function__.__code__:
                    return  # the mode has been told of what this is part of
                above = above.f_back
            own = frame is not None and library_of(frame) is None
            self.fault = self.sentence(found if own else self.in_library(frame))

    def named(self, names: set[str]) -> str | None:
        """The forbidden one among some names."""
        return next(iter(sorted(names & self.forbidden)), None)

    def in_library(self, frame: FrameType | None) -> str | None:
        """The forbidden part of a library's Python that the answer has called and that runs in a frame."""
        outermost = library_of(frame)
        if outermost is None:
            return None
        code = outermost.f_code
        key = (code.co_filename, code.co_qualname)
        if key not in self.known:
            module = str(outermost.f_globals.get("__name__"))
            inside = next((one for one in self.modules if within(module, one)), None)
            first, *rest = code.co_qualname.split(".")
            names = {first, *rest, *module.split(".")[1:]}
            known_as = inside if inside is None or first.startswith("_") else f"{inside}.{first}"
            self.known[key] = self.named(names) or known_as
        return self.known[key]

    def sentence(self, name: str | None) -> str | None:
        """What is said of something forbidden."""
        return None if name is None else f"{name} is not an answer here. {self.because}".strip()


class Functions(TorchFunctionMode):
    """Tells a watch of what is asked of torch. The operators below a function that calls nothing of the answer's are
    its own affair, and so are not looked at where they would be: that halves the time of a training run."""

    def __init__(self, watch: Watch, above_operators: bool):
        super().__init__()
        self.watch, self.above_operators = watch, above_operators

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One function or method. Most are known and come from the answer itself: this is most of what a watch costs,
        and so it calls no more than it must."""
        watch = self.watch
        if id(func) in watch.permitted and sys._getframe(1).f_code.co_filename in watch.own_files:
            watch.seen += 1
            alone = not kwargs and PLAIN.issuperset(map(type, args))
        else:
            watch.ask(func, sys._getframe(1))
            alone = False
        if self.above_operators and (alone or calls_nothing_back(func, args, kwargs)):
            off = _DisableTorchDispatch()
            try:
                return func(*args, **kwargs) if kwargs else func(*args)
            finally:
                del off  # a traceback, which the answer can keep, would keep it
        return func(*args, **(kwargs or {}))


class Operators(TorchDispatchMode):
    """Tells a watch of operators that are reached."""

    def __init__(self, watch: Watch):
        super().__init__()  # type: ignore[no-untyped-call] # torch's has no types
        self.watch = watch

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Do not import torch's compiler, which takes seconds, for the first operator."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One operator."""
        self.watch.reach(func, sys._getframe(1))
        return func(*args, **(kwargs or {}))


class Spoilt(TorchFunctionMode):
    """Keeps what required functions are given, call by call, and has some of the calls, by their numbers, give twice
    the numbers: what comes from them then changes."""

    def __init__(self, required: list[str], which: Collection[int] = ()):
        super().__init__()
        self.required, self.which = set(required), which
        self.given: list[list[Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One function or method."""
        value = func(*args, **(kwargs or {}))
        if not isinstance(value, Tensor) or not self.required & names_of(func):
            return value
        number = len(self.given)
        tensors = [one for one in [*args, *(kwargs or {}).values()] if isinstance(one, Tensor)]
        self.given.append([one.detach().clone() for one in tensors])
        return 2 * value if number in self.which else value


def differing(first: list[list[Tensor]], second: list[list[Tensor]]) -> set[int]:
    """The numbers of the calls that were given other numbers the second time, or were not made."""
    return {n for n, given in enumerate(first) if n >= len(second) or not all_close(given, second[n])}


def all_close(first: list[Tensor], second: list[Tensor]) -> bool:
    """Whether tensors agree, but for rounding."""
    if [one.shape for one in first] != [one.shape for one in second]:
        return False
    pairs = zip(first, second, strict=True)
    return all(torch.allclose(a.double(), b.double(), 1e-3, 1e-6, equal_nan=True) for a, b in pairs)


def calls_nothing_back(function: Any, args: Any, kwargs: Any) -> bool:
    """Whether a function of torch is one of C that is handed nothing of the answer's own that it could call: a
    function, a class of tensors, an object that makes itself a number."""
    if type(function) not in OF_C or function.__name__ in CALLING:
        return False
    return are_plain(args) and (not kwargs or are_plain(kwargs.values()))


def are_plain(values: Iterable[Any]) -> bool:
    """Whether no value has code of its own."""
    if PLAIN.issuperset(map(type, values)):
        return True
    for value in values:
        kind = type(value)
        if kind not in PLAIN and not ((kind is tuple or kind is list) and are_plain(value)):
            return False
    return True


@contextmanager
def watched(rules: Rules | None) -> Iterator[Watch | None]:
    """Watch a call of an answer to an exercise with these rules. None where nothing is watched: without rules, and
    where a kernel is asked for, which `kinds.flow` watches."""
    if rules is None or rules.get("kernel"):
        yield None
        return
    watch = Watch(rules)
    operators = operators_of(frozenset(watch.forbidden))
    modes: list[Any] = [Functions(watch, bool(operators)), *([Operators(watch)] if operators else [])]
    watch.forbidden |= operators
    before = len(_get_current_function_mode_stack()), len(_get_current_dispatch_mode_stack())
    for mode in reversed(modes):
        mode.__enter__()
    try:
        yield watch
        if not all(map(is_on, modes)):
            watch.fault = watch.fault or TAKEN_OFF
    finally:
        while len(_get_current_dispatch_mode_stack()) > before[1]:
            _get_current_dispatch_mode_stack()[-1].__exit__(None, None, None)
        while len(_get_current_function_mode_stack()) > before[0]:
            _pop_mode()


def is_on(mode: Functions | Operators) -> bool:
    """Whether a mode is still told of what is called: it is asked, not believed."""
    seen = mode.watch.seen
    if isinstance(mode, Functions):
        return (
            _get_current_function_mode_stack()[-1:] == [mode]
            and torch.is_tensor(torch.zeros(()))
            and (mode.watch.seen > seen)
        )
    return _get_current_dispatch_mode_stack()[-1:] == [mode]


@contextmanager
def unwatched() -> Iterator[None]:
    """What is called in here is not the answer's: a reference that a wrong answer of ours is made of."""
    before = paused.set(True)
    try:
        yield
    finally:
        paused.reset(before)


def names_of(function: Any) -> set[str]:
    """The names that a function of torch has, with and without what torch puts around them."""
    name = getattr(function, "__name__", "")
    if name == "__get__":  # of an attribute
        name = getattr(function.__self__, "__name__", "")
    name = str(name).split(".")[0]
    bare = name.strip("_")
    for prefix in PREFIXES:
        bare = bare.removeprefix(prefix)
    return {name, bare}


@lru_cache(maxsize=100)
def operators_of(forbidden: frozenset[str]) -> frozenset[str]:
    """The operators of torch below what is forbidden. A name of an operator itself is asked for by that name."""
    public = [name for name in forbidden if not name.startswith("_")]
    names = {f"{prefix}{name}" for name in public for prefix in ("", "_", "linalg_", "_linalg_", "special_")}
    names |= {one for name in public for one in OPERATORS.get(name, ())}
    return frozenset(name for name in names if hasattr(torch.ops.aten, name))


@lru_cache(maxsize=10_000)
def kind_of(file: str) -> int:
    """Whose code a file holds: the answer's, with which our drivers count, a library's, or what is looked through."""
    if file == str(HERE):
        return THROUGH
    if file.startswith(str(HERE.parent)):
        return ANSWER
    if file.startswith(str(TORCH)):
        return THROUGH if str(Path(file).relative_to(TORCH)) in WRAPPERS else LIBRARY
    if file.startswith(LIBRARIES):
        return LIBRARY
    return THROUGH if file.startswith(STANDARD) else ANSWER


def library_of(frame: FrameType | None) -> FrameType | None:
    """The frame of a library's that the answer itself has called; None where it stands in the answer's own."""
    outermost = None
    while frame is not None and (kind := kind_of(frame.f_code.co_filename)) != ANSWER:
        outermost = frame if kind == LIBRARY else outermost
        frame = frame.f_back
    return outermost
