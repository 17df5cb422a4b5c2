"""What flows where while a kernel is asked for: the arithmetic belongs into kernels.

Every operator of torch that an answer calls outside of kernels is seen by a mode, and every launch by the launcher. An
answer may make memory, view it, copy it and change its dtype; what it gives to a kernel is an argument, such memory, or
what a kernel has stored, and what it returns is, bit for bit, what the last kernel stored. Whole numbers that a kernel
has written are numbers as well, and so is what a comparison says of numbers: a few such bits may be read. What is taken
by numbers as an index is read, too: the size of what comes, or an error, tells them. Nothing is raised while it runs,
so that it cannot tell; what was seen is said afterwards.

Only calls of an answer are watched (`answering`), not those of a reference in plain torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
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
# On what a comparison has said, and reading one bit of it.
LOGIC = {
    "any", "all", "logical_not", "logical_and", "logical_or", "logical_xor", "bitwise_not", "bitwise_and", "bitwise_or",
    "sum", "count_nonzero", "_local_scalar_dense",
}  # fmt: skip
QUESTIONS = {"isfinite", "isinf", "isposinf", "isneginf"}  # whose own arithmetic is theirs
TELLING = {"equal", "_local_scalar_dense"}
MOST_TOLD = 32  # bits of numbers that may be read in a call
BITS_OF_A_COUNT = 16  # that are taken to be read where the answer to a question is no yes or no
ASKING = {"isnan", "isinf", "isfinite", "eq", "ne", "equal", "is_nonzero", "is_same_size", "sym_size", "sym_stride"}
# Ways to the numbers of a tensor that are no operators.
READING = {
    "tolist", "numpy", "__array__", "__dlpack__", "item", "apply_", "map_", "map2_", "storage", "untyped_storage",
    "_typed_storage",
}  # fmt: skip
AS_TEXT = {"__repr__", "__str__", "__format__"}
HIDDEN = "<tensor of shape {shape}; its numbers are not shown while a check plays a call>"
PLAIN = (bool, int, float, str, type(None), Tensor, torch.nn.Parameter, torch.dtype)  # what a kernel may be given
# Errors upon which Triton's autotuner goes on to its next configuration.
OF_A_CONFIGURATION = {"OutOfResources", "PTXASError", "CompileTimeAssertionFailure"}
# What a learner calls, for operators whose own names say nothing to them.
AS_CALLED = {
    "_local_scalar_dense": "float(), int() or bool()",
    "_to_copy": "A change of dtype between whole and other numbers",
    "lift_fresh": "torch.tensor",
}
OUTSIDE = (
    "{what} is called outside of a kernel, on numbers: outside, an answer may make memory, copy it and change its "
    "dtype; the arithmetic belongs into the kernel."
)
GIVEN = "A kernel is given a tensor that holds numbers from somewhere else: give it the arguments, and new memory."
READ = "{what} reads numbers outside of a kernel: the arithmetic belongs into the kernel, and it loads them."
TOLD = (
    "More than {most} bits of answers to questions about numbers, such as whether two are equal, are read outside of "
    "kernels in one call: the arithmetic belongs into the kernel."
)
HANDED = "A kernel is given {what}: give it tensors, numbers and texts, and call functions in it by their names."
PRINTED = "What a kernel prints is not printed: the numbers stay in the kernel."
CALLED = "A function under @triton.jit is called outside of a kernel, where only kernel[grid](...) starts one."
FAILED = "A kernel has failed, and the answer goes on."
RETURNED = "What is returned is not what a kernel has stored: return the memory that the last kernel stored into."
NOT_STARTED = "No kernel was started in this call."
TAKEN_OFF = "The answer changes what watches over its operators."

answering: ContextVar[bool] = ContextVar("answering", default=False)


@dataclass
class Memory:
    """What is known of some memory."""

    stored: bool  # a kernel was given it, and may have stored into it; or it was moved from such memory
    written: bool  # a kernel has changed it, or it was moved from such memory
    asked: bool  # it holds what a comparison has said of numbers
    storage: torch.UntypedStorage
    bytes: Tensor  # that it should hold


class Flow(TorchDispatchMode):
    """Sees the operators and launches of one call."""

    def __init__(self, arguments: Sequence[Any]):
        super().__init__()  # type: ignore[no-untyped-call] # torch's has no types
        self.known: dict[int, Memory] = {}
        self.first_fault: str | None = None
        self.launches = self.told = 0
        self.inside = False  # a kernel
        self.questioned = False  # in a question
        self.output = sys.stdout
        for tensor in tensors_in(arguments):
            self.know(tensor, stored=False)
        self.arguments = set(self.known)

    def fault(self, sentence: str) -> None:
        """Keep the first thing that is wrong."""
        self.first_fault = self.first_fault or sentence

    def fault_of(self, operator: str) -> None:
        """Say that an operator is called outside of a kernel, as it is called by who writes it."""
        self.fault(OUTSIDE.format(what=AS_CALLED.get(operator, operator.strip("_"))))

    def know(self, tensor: Tensor, stored: bool, written: bool = False, asked: bool = False) -> None:
        """Write down what a tensor's memory holds."""
        storage = tensor.untyped_storage()
        self.known[storage._cdata] = Memory(stored, written, asked, storage, bytes_of(storage).clone())

    def known_of(self, tensor: Tensor) -> Memory | None:
        """What was written down of a tensor's memory."""
        return self.known.get(tensor.untyped_storage()._cdata)

    def memory_of(self, tensor: Tensor) -> Memory | None:
        """What is known of a tensor's memory; None where it is not known, or was changed behind torch's back."""
        found = self.known_of(tensor)
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
        moved = name in MOVING
        stored = moved and bool(sources) and all(self.is_stored(one) for one in sources)
        written = moved and any(self.is_written(one) for one in sources)
        numbers = [one for one in sources if self.is_number(one)]
        asked = name in ASKING and any(map(self.is_number, given))
        asked = asked or ((moved or name in LOGIC) and bool(numbers) and all(map(self.is_asked, numbers)))
        asked = asked or self.questioned
        if not (self.questioned or self.allows(name, given)):  # said before it runs: an error may tell numbers, too
            self.fault_of(name)
        value = func(*args, **(kwargs or {}))
        made = tensors_in(value)
        if not (self.questioned or self.keeps(name, given, made)):
            self.fault_of(name)
        for tensor in made:
            same = [one for one in given if one.untyped_storage()._cdata == tensor.untyped_storage()._cdata]
            again = bool(same) and name in MOVING - {"copy_"} and self.is_stored(same[0])
            self.know(tensor, stored or again, written, asked)
        return value

    def allows(self, name: str, given: list[Tensor]) -> bool:
        """Whether an operator is one that prepares memory, or is given no numbers, or says little of them."""
        numbers = [one for one in given if self.is_number(one)]
        taken_by = [one for one in given[1:] if self.is_number(one)] if name == "index" else []
        told = taken_by or (numbers if name in TELLING else [])
        if told:
            yes_or_no = name == "equal" or (name != "index" and told[0].dtype is torch.bool)
            self.told += 1 if yes_or_no else BITS_OF_A_COUNT
            if self.told > MOST_TOLD:
                self.fault(TOLD.format(most=MOST_TOLD))
                return False
            if not all(map(self.is_asked, taken_by)):
                return False
        if not numbers or name in NEW or name in ASKING or name in MOVING:
            return True
        return name in LOGIC and all(map(self.is_asked, numbers))

    def keeps(self, name: str, given: list[Tensor], made: list[Tensor]) -> bool:
        """Whether an operator makes no floating numbers of anything else, nor anything else of floating numbers."""
        floating, after = list(map(is_floating, given)), list(map(is_floating, made))
        if name in NEW or name in ASKING or not any(floating + after):
            return True
        return name in MOVING and all(after) == any(floating)

    def is_number(self, tensor: Tensor) -> bool:
        """Whether a tensor holds numbers, in whatever form, or says something of them."""
        return is_floating(tensor) or self.is_written(tensor) or self.is_asked(tensor)

    def is_written(self, tensor: Tensor) -> bool:
        """Whether a tensor's memory holds what a kernel has written."""
        return (found := self.known_of(tensor)) is not None and found.written

    def is_asked(self, tensor: Tensor) -> bool:
        """Whether a tensor holds what a comparison has said of numbers."""
        return (found := self.known_of(tensor)) is not None and found.asked

    def is_stored(self, tensor: Tensor) -> bool:
        """Whether a kernel was given a tensor's memory."""
        return (found := self.known_of(tensor)) is not None and found.stored

    def launch(self, start: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Start a kernel, whose own operators are its own affair."""
        grid = kwargs.get("grid")
        if callable(grid):
            kwargs["grid"] = partial(self.outside, grid)
        elif not is_grid(grid):
            self.fault(HANDED.format(what=type(grid).__name__))
        with _disable_current_modes(), self.in_kernel(True):
            tensors = tensors_in((args, kwargs))
            before = [self.memory_of(one) for one in tensors]
            self.look_at(args, kwargs, any(one.numel() and m is None for one, m in zip(tensors, before, strict=True)))
            self.launches += 1
            try:
                return start(*args, **kwargs)
            except BaseException as error:
                if type(error).__name__ not in OF_A_CONFIGURATION:
                    self.fault(FAILED)
                raise
            finally:
                for one, memory in zip(tensors, before, strict=True):
                    written = memory is None or memory.written or self.memory_of(one) is None
                    self.know(one, not self.is_argument_still(one), written)

    def look_at(self, args: tuple[Any, ...], kwargs: dict[str, Any], from_elsewhere: bool) -> None:
        """Look at what a kernel is given, and at what would be told of what it does."""
        if from_elsewhere:
            self.fault(GIVEN)
        given = [*args[1:], *(value for name, value in kwargs.items() if name != "grid")]
        if strange := next(strange_in(given), None):
            self.fault(HANDED.format(what=strange))
        if getattr(args[0], "pre_run_hooks", None):
            self.fault(HANDED.format(what="a hook"))
        if sys.stdout is not self.output:
            self.fault(PRINTED)

    @contextmanager
    def in_kernel(self, inside: bool) -> Iterator[None]:
        """What runs belongs to a kernel, or does not."""
        before, self.inside = self.inside, inside
        try:
            yield
        finally:
            self.inside = before

    def outside(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call the function that makes a kernel's grid, which runs while it is started, outside of it."""
        with self.in_kernel(False), self:
            grid = function(*args)
        if not is_grid(grid):
            self.fault(HANDED.format(what=type(grid).__name__))
        return grid

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
        if not self.flow.inside and name in READING | AS_TEXT:
            numbers = [one for one in tensors_in(args) if self.flow.is_number(one)]
            if numbers and name in AS_TEXT:
                return HIDDEN.format(shape=tuple(numbers[0].shape))
            if any(name != "item" or not self.flow.is_asked(one) for one in numbers):
                self.flow.fault(READ.format(what=name))
        before, self.flow.questioned = self.flow.questioned, name in QUESTIONS
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.flow.questioned = before


def strange_in(given: Iterable[Any]) -> Iterator[str]:
    """The types of what a launch is given that is neither plain data nor a type or a kernel of Triton's."""
    triton = sys.modules.get("triton.language")
    known = (triton.dtype, triton.pointer_type) if triton else ()
    launched = tuple(getattr(sys.modules[module], name) for module, name in LAUNCHERS if module in sys.modules)
    for one in given:
        if isinstance(one, tuple):
            yield from strange_in(tuple.__iter__(one))
        elif triton and type(one) is triton.constexpr:
            yield from strange_in([one.value])
        elif type(one) not in (*PLAIN, *known, *launched):
            yield type(one).__name__


def is_grid(grid: Any) -> bool:
    """Whether a grid is numbers, and nothing with code of its own."""
    return type(grid) in (tuple, list, torch.Size) and all(type(one) in (int, bool) for one in grid)


def is_floating(tensor: Tensor) -> bool:
    """Whether a tensor is one of numbers that are not whole."""
    return tensor.is_floating_point() or tensor.is_complex()


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
                stack.enter_context(mock.patch.object(owner, "__call__", called_in_kernels(flow, owner.__call__)))
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


def called_in_kernels(flow: Flow, call: Callable[..., Any]) -> Callable[..., Any]:
    """What calls a function of Triton's from a kernel, seen by `flow` where no kernel runs: the interpreter would."""

    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not flow.inside:
            flow.fault(CALLED)
        return call(self, *args, **kwargs)

    return called
