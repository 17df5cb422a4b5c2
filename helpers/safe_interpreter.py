"""Have Triton's interpreter say what goes wrong, where left to itself it ends the process or gives other numbers.

Four mends, made once in a process. A load or store outside of the tensors that a kernel was given raises IndexError,
which names the program, the tensor and the distance. Numbers become bfloat16 as on a GPU, rounded to the nearest: the
interpreter cuts float32 off, and makes nonsense of float64. @triton.autotune takes its first configuration, as
there is nothing to time. And a launch with a number of warps that no GPU takes raises ValueError.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

SOME = "A mask leaves such lanes out: mask=column < columns."
WARPS = (None, 1, 2, 4, 8, 16, 32)  # None: as Triton likes
ALL = "No lane is inside: look at the address, and at how many programs there are."


@dataclass(frozen=True)
class Span:
    """The memory behind a tensor that a kernel was given: its storage, from address `begin` up to `end`."""

    name: str
    shape: tuple[int, ...]
    begin: int
    end: int
    itemsize: int

    def holds(self, addresses: np.ndarray, itemsize: int = 1) -> np.ndarray:
        """Which elements of `itemsize` bytes lie inside."""
        return (addresses >= self.begin) & (addresses + np.uint64(itemsize) <= self.end)

    def distances(self, addresses: np.ndarray) -> np.ndarray:
        """How many elements away each address outside is: 1 for the first one beyond the end."""
        at = addresses.astype(np.float64)
        return np.maximum(np.ceil((self.begin - at) / self.itemsize), (at - self.end) // self.itemsize + 1)


class Watch:
    """What the kernel that runs now may touch, and the most numbers that one load has taken, its masked lanes not."""

    spans: tuple[Span, ...] = ()
    most_loaded = 0

    def admit(self, builder: Any, what: str, pointers: Any, mask: Any = None) -> None:
        """Raise IndexError if a lane of a load or store, its mask true, lies outside of every tensor."""
        lanes = np.asarray(pointers.data)
        used = lanes.reshape(-1) if mask is None else lanes[np.broadcast_to(mask.data, lanes.shape).astype(bool)]
        if what == "load":
            self.most_loaded = max(self.most_loaded, used.size)
        size = max(1, pointers.get_element_ty().primitive_bitwidth // 8)
        outside = np.ones(used.shape, bool)
        for span in self.spans:
            outside &= ~span.holds(used, size)
        if outside.any():
            remedy = ALL if outside.all() else SOME
            raise IndexError(f"{self.described(what, builder, lanes, used[outside])} {remedy}")

    def described(self, what: str, builder: Any, lanes: np.ndarray, outside: np.ndarray) -> str:
        """Which access in which program, how many of its lanes, and how far from which tensor."""
        axes = [(at, programs) for at, programs in zip(builder.grid_idx, builder.grid_dim, strict=True) if programs > 1]
        program = ", ".join(str(at) for at, _ in axes) or "0"
        lost = f"outside of its tensors, with {len(outside)} of {lanes.size} lanes"
        if not self.spans:
            return f"A {what} in program {program} goes {lost}: it was given none."
        # The tensor that most lanes lie in, else the nearest.
        home = max(self.spans, key=lambda span: (span.holds(lanes).sum(), -span.distances(outside).min()))
        if len(axes) == 1 and home.shape and home.shape[0] == axes[0][1]:
            program += f" (row {program})"
        far = home.distances(outside)
        side = "beyond the end" if outside[far.argmax()] >= home.begin else "before the beginning"
        elements = "1 element" if far.max() == 1 else f"{far.max():.0f} elements"
        where = f"up to {elements} {side} of {home.name}, of shape {home.shape}"
        return f"A {what} in program {program} goes {lost}: {where}."


WATCH = Watch()


def spans(names: list[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Span]:
    """The memory of each tensor among the arguments of a launch, of those in a tuple and of a descriptor's base too."""
    for name, value in (*zip(names, args, strict=False), *kwargs.items()):
        if isinstance(value, tuple):
            yield from spans([f"{name}[{i}]" for i in range(len(value))], value, {})
        elif hasattr(value, "block_shape"):
            yield from spans([name], (value.base,), {})
        elif hasattr(value, "data_ptr"):
            tensor = value if isinstance(value, torch.Tensor) else value.base  # of a wrapper that gives another dtype
            memory = tensor.untyped_storage()
            end = memory.data_ptr() + memory.nbytes()
            yield Span(name, tuple(tensor.shape), memory.data_ptr(), end, tensor.element_size())


def bfloat16_bits(values: np.ndarray) -> np.ndarray:
    """Numbers rounded to the nearest bfloat16, as the 16-bit integers that the interpreter keeps them in."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(torch.bfloat16).view(torch.uint16).numpy()


@functools.cache
def make_safe() -> None:
    """Mend the interpreter of the Triton that is installed. Kernels that are compiled for a GPU are left alone."""
    from triton.runtime import interpreter
    from triton.runtime.autotuner import Autotuner

    _watch_memory(interpreter.InterpreterBuilder, WATCH)
    _watch_launches(interpreter, WATCH)
    _round_to_bfloat16(interpreter)
    _take_the_first_configuration(interpreter, Autotuner)


def _around(owner: type, name: str, wrapper: Callable[..., Any]) -> None:
    """Replace a method by `wrapper(original, self, ...)`."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def replaced(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrapper(original, self, *args, **kwargs)

    setattr(owner, name, replaced)


def _watch_memory(builder: type, watch: Watch) -> None:
    def load(original: Any, self: Any, pointers: Any, mask: Any, *rest: Any) -> Any:
        watch.admit(self, "load", pointers, mask)
        return original(self, pointers, mask, *rest)

    def store(original: Any, self: Any, pointers: Any, value: Any, mask: Any, *rest: Any) -> Any:
        watch.admit(self, "store", pointers, mask)
        return original(self, pointers, value, mask, *rest)

    def compare_and_swap(original: Any, self: Any, pointers: Any, *rest: Any) -> Any:
        watch.admit(self, "atomic_cas", pointers)
        return original(self, pointers, *rest)

    def read_and_write(original: Any, self: Any, kind: Any, pointers: Any, value: Any, mask: Any, *rest: Any) -> Any:
        watch.admit(self, "atomic operation", pointers, mask)
        return original(self, kind, pointers, value, mask, *rest)

    _around(builder, "create_masked_load", load)
    _around(builder, "create_masked_store", store)
    _around(builder, "create_atomic_cas", compare_and_swap)
    _around(builder, "create_atomic_rmw", read_and_write)


def _watch_launches(interpreter: Any, watch: Watch) -> None:
    def arguments(original: Any, self: Any, args: Any, kwargs: Any) -> Any:
        on_host = original(self, args, kwargs)
        watch.spans = tuple(spans(self.arg_names, tuple(on_host[0]), on_host[1]))
        return on_host

    def call(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("num_warps") not in WARPS:
            raise ValueError(f"num_warps is {kwargs['num_warps']!r:.20}, but a GPU takes 1, 2, 4, 8, 16 or 32 warps")
        try:
            return original(self, *args, **kwargs)
        except interpreter.InterpreterError as error:
            cause: BaseException = error
            while isinstance(cause, interpreter.InterpreterError) and cause.__cause__ is not None:
                cause = cause.__cause__
            raise cause from None  # the error itself, which knows the line of the kernel

    _around(interpreter.GridExecutor, "_init_args_hst", arguments)
    _around(interpreter.GridExecutor, "__call__", call)


def _round_to_bfloat16(interpreter: Any) -> None:
    import triton.language as tl

    def cast(original: Any, self: Any, source: Any, kind: Any) -> Any:
        if kind.scalar == tl.bfloat16 and source.dtype.scalar != tl.bfloat16:
            return interpreter.TensorHandle(bfloat16_bits(source.data), tl.bfloat16)
        return original(self, source, kind)

    _around(interpreter.InterpreterBuilder, "cast_impl", cast)


def _take_the_first_configuration(interpreter: Any, autotuner: type) -> None:
    def run(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        inner = self.fn
        while not isinstance(inner, interpreter.InterpretedFunction):
            if not hasattr(inner, "fn"):
                return original(self, *args, **kwargs)
            inner = inner.fn
        configs, self.configs = self.configs, self.configs[:1]
        try:
            return original(self, *args, **kwargs)
        finally:
            self.configs = configs

    _around(autotuner, "run", run)
