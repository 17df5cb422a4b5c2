"""What flows where while a kernel is asked for: the arithmetic belongs into kernels.

Every operator of torch that an answer calls outside of kernels is seen by a mode, and every launch by the launcher. An
answer may make memory, view it, copy it and change its dtype; what it gives to a kernel is an argument, such memory, or
what a kernel has stored, and what it returns is, bit for bit, what the last kernel stored. Nothing is raised while it
runs, so that it cannot tell; what was seen is said afterwards.

Only calls of an answer are watched (`answering`), not those of a reference in plain torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _disable_current_modes,
    _get_current_dispatch_mode_stack,
)
from torch.utils._pytree import tree_leaves

# Where Triton keeps what a launch runs: compiled kernels, interpreted ones.
LAUNCHERS = (("triton.runtime.jit", "JITFunction"), ("triton.runtime.interpreter", "InterpretedFunction"))
NEW = {
    "empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "zeros", "zeros_like",
    "new_zeros", "ones", "ones_like", "new_ones", "full", "full_like", "new_full", "arange", "scalar_tensor", "eye",
    "fill_", "zero_",
}  # fmt: skip
MOVING = {
    "clone", "_to_copy", "copy_", "contiguous", "view", "_unsafe_view", "reshape", "_reshape_alias", "as_strided",
    "slice", "select", "transpose", "t", "permute", "expand", "unsqueeze", "squeeze", "detach", "alias", "unfold",
    "split", "split_with_sizes", "unbind", "movedim", "flatten", "diagonal", "chunk", "resize_", "set_", "squeeze_",
    "unsqueeze_", "transpose_", "t_", "detach_", "as_strided_", "numpy_T", "view_as", "expand_as", "cat", "stack",
    "constant_pad_nd", "index", "flip", "to",
}  # fmt: skip
ASKING = {"isnan", "isinf", "isfinite", "eq", "ne", "equal", "is_nonzero", "is_same_size", "sym_size", "sym_stride"}
# Ways to the numbers of a tensor that are no operators.
READING = {
    "tolist", "numpy", "__array__", "__dlpack__", "item", "apply_", "map_", "map2_", "storage", "untyped_storage",
    "_typed_storage",
}  # fmt: skip
OUTSIDE = (
    "{what} is called outside of a kernel, on numbers: outside, an answer may make memory, copy it and change its "
    "dtype; the arithmetic belongs into the kernel."
)
GIVEN = "A kernel is given a tensor that holds numbers from somewhere else: give it the arguments, and new memory."
READ = "{what} reads numbers outside of a kernel: the arithmetic belongs into the kernel, and it loads them."
HANDED = "A kernel is given {what}: give it tensors, numbers and texts, and call functions in it by their names."
RETURNED = "What is returned is not what a kernel has stored: return the memory that the last kernel stored into."
NOT_STARTED = "No kernel was started in this call."
TAKEN_OFF = "The answer changes what watches over its operators."

answering: ContextVar[bool] = ContextVar("answering", default=False)


@dataclass
class Memory:
    """Memory that is known: whether a kernel was given it, the storage itself, and the bytes that it should hold."""

    stored: bool
    storage: torch.UntypedStorage
    bytes: Tensor


class Flow(TorchDispatchMode):
    """Sees the operators and launches of one call."""

    def __init__(self, arguments: Sequence[Any]):
        super().__init__()  # type: ignore[no-untyped-call] # torch's has no types
        self.known: dict[int, Memory] = {}
        self.first_fault: str | None = None
        self.launches = 0
        self.inside = False  # a kernel
        for tensor in tensors_in(arguments):
            self.know(tensor, stored=False)
        self.arguments = set(self.known)

    def fault(self, sentence: str) -> None:
        """Keep the first thing that is wrong."""
        self.first_fault = self.first_fault or sentence

    def know(self, tensor: Tensor, stored: bool) -> None:
        """Write down what a tensor's memory holds."""
        storage = tensor.untyped_storage()
        self.known[storage._cdata] = Memory(stored, storage, bytes_of(storage).clone())

    def memory_of(self, tensor: Tensor) -> Memory | None:
        """What is known of a tensor's memory; None where it is not known, or was changed behind torch's back."""
        found = self.known.get(tensor.untyped_storage()._cdata)
        return found if found is not None and torch.equal(bytes_of(found.storage), found.bytes) else None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Do not import torch's compiler, which takes seconds, for the first operator."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One operator, outside of kernels."""
        name = func.overloadpacket.__name__
        given = tensors_in((args, kwargs))
        sources = given[1:] if name == "copy_" else given
        stored = name in MOVING and bool(sources) and all(self.is_stored(one) for one in sources)
        value = func(*args, **(kwargs or {}))
        made = tensors_in(value)
        if not self.allows(name, given, made):
            self.fault(OUTSIDE.format(what=name.strip("_")))
        for tensor in made:
            same = [one for one in given if one.untyped_storage()._cdata == tensor.untyped_storage()._cdata]
            self.know(tensor, stored or (bool(same) and name in MOVING - {"copy_"} and self.is_stored(same[0])))
        return value

    def allows(self, name: str, given: list[Tensor], made: list[Tensor]) -> bool:
        """Whether an operator is one that prepares memory, or has nothing to do with floating numbers."""
        floating = [one.is_floating_point() for one in given]
        if name in NEW or name in ASKING or not any(floating + [one.is_floating_point() for one in made]):
            return True
        return name in MOVING and all(one.is_floating_point() for one in made) == any(floating)

    def is_stored(self, tensor: Tensor) -> bool:
        """Whether a kernel was given a tensor's memory."""
        found = self.known.get(tensor.untyped_storage()._cdata)
        return found is not None and found.stored

    def launch(self, start: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Start a kernel, whose own operators are its own affair."""
        if callable(kwargs.get("grid")):
            kwargs["grid"] = partial(self.outside, kwargs["grid"])
        with _disable_current_modes(), self.in_kernel(True):
            tensors = tensors_in((args, kwargs))
            if any(one.numel() and self.memory_of(one) is None for one in tensors):
                self.fault(GIVEN)
            if strange := [one for one in tree_leaves((args[1:], kwargs)) if is_strange(one, kwargs.get("grid"))]:
                self.fault(HANDED.format(what=type(strange[0]).__name__))
            self.launches += 1
            try:
                return start(*args, **kwargs)
            finally:
                for one in tensors:
                    self.know(one, stored=not self.is_argument_still(one))

    @contextmanager
    def in_kernel(self, inside: bool) -> Iterator[None]:
        """What runs belongs to a kernel, or does not."""
        before, self.inside = self.inside, inside
        try:
            yield
        finally:
            self.inside = before

    def outside(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function that runs while a kernel is started, such as one that makes its grid, outside of it."""
        with self.in_kernel(False), self:
            return function(*args)

    def is_argument_still(self, tensor: Tensor) -> bool:
        """Whether a tensor's memory is an argument's, and holds what it held."""
        is_argument = tensor.untyped_storage()._cdata in self.arguments
        return is_argument and not self.is_stored(tensor) and self.memory_of(tensor) is not None

    def judge(self, value: Any) -> str | None:
        """The sentence of what was wrong with a call that returned `value`, or None."""
        returned = [one for one in tensors_in(value) if one.numel()]
        if self.first_fault is None and returned:
            if not self.launches:
                self.fault(NOT_STARTED)
            memories = [self.memory_of(one) for one in returned]
            if not all(memory is not None and memory.stored for memory in memories):
                self.fault(RETURNED)
        return self.first_fault


class Reads(TorchFunctionMode):
    """Sees numbers that are read past the operators."""

    def __init__(self, flow: Flow):
        super().__init__()
        self.flow = flow

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One function or method."""
        name = getattr(func, "__name__", "")
        if name in READING and not self.flow.inside and any(one.is_floating_point() for one in tensors_in(args)):
            self.flow.fault(READ.format(what=name))
        return func(*args, **(kwargs or {}))


def is_strange(given: Any, grid: Any) -> bool:
    """Whether a launch is given something that is neither data nor a kernel to call."""
    if given is grid or given is None or isinstance(given, (Tensor, bool, int, float, str, torch.dtype)):
        return False
    return type(given).__module__.split(".")[0] != "triton"  # a dtype, a constexpr, another kernel


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in a value, those in lists, tuples and dictionaries too."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def bytes_of(storage: torch.UntypedStorage) -> Tensor:
    """The bytes of a storage, as a tensor on it."""
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)


@contextmanager
def watched(arguments: Sequence[Any]) -> Iterator[Flow | None]:
    """Watch a call with these arguments, where it is an answer's."""
    if not answering.get():
        yield None
        return
    flow = Flow(arguments)
    with ExitStack() as stack:
        for module, launcher in LAUNCHERS:
            if module in sys.modules:
                owner = getattr(sys.modules[module], launcher)
                stack.enter_context(mock.patch.object(owner, "run", launcher_for(flow, owner.run)))
        reads = stack.enter_context(Reads(flow))
        stack.enter_context(flow)
        yield flow
        if flow not in _get_current_dispatch_mode_stack() or reads not in _get_current_function_mode_stack():
            flow.fault(TAKEN_OFF)


def launcher_for(flow: Flow, run: Callable[..., Any]) -> Callable[..., Any]:
    """The launcher `run`, seen by `flow`."""

    def start(self: Any, *args: Any, **kwargs: Any) -> Any:
        return flow.launch(run, self, *args, **kwargs)

    return start
