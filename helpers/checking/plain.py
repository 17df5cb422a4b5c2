"""Values as plain data: what can be written as JSON, and nothing that can run.

Scalars, text, lists, tuples, dicts and dense numeric arrays have a form; everything else is `Unsupported`, with a
sentence for the learner. A number or a tensor counts by its exact type: a subclass may lie about its own values. Of a
named tuple, or another subclass of a container, the items are read as the container's own methods give them. Arrays of
up to 16 numbers are written out to be read by people, longer ones as base64 of their little-endian bytes."""

from __future__ import annotations

import base64
import math
from collections import deque
from types import BuiltinFunctionType, FunctionType, GeneratorType, MethodType
from typing import Any

import numpy as np
import torch

from helpers.checking.words import printable

MAX_NUMBERS = 2_000_000
MAX_SIZE = 2**40  # of a shape whose empty dimensions count as 1: an empty array may be long, but not any length
MOST_BASE64 = 12 * MAX_NUMBERS  # characters: eight bytes a number, a third more in base64, and some to spare
MAX_TEXT = 100_000
MAX_ITEMS = 100_000
MAX_DEPTH = 20
MAX_DIMENSIONS = 16
MAX_BITS = 63
WRITTEN_OUT = 16
CONTAINERS = (tuple, list, deque)
KEYS = (str, int, float, bool, type(None))
NOT_FINITE = ("inf", "-inf", "nan")
LAYOUTS = {"strided": 1, "transposed": 2, "expanded": 2}  # with the dimensions that they need

TORCH_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float16, torch.bfloat16, torch.float32, torch.float64,
        torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool,
    )
}  # fmt: skip
NUMPY_NAMES = "float16 float32 float64 int8 uint8 int16 uint16 int32 uint32 int64 uint64 bool"
NUMPY_DTYPES = {name: np.dtype(name) for name in NUMPY_NAMES.split()}
NUMPY_SCALARS = {dtype.type for dtype in NUMPY_DTYPES.values()}


class Unsupported(ValueError):
    """A value that has no plain form; its text is a sentence for the learner."""


class Room:
    """How much one value may hold, all its parts together: a list of lists may hold the same list many times."""

    def __init__(self) -> None:
        self.left = {"items": MAX_ITEMS, "numbers": MAX_NUMBERS, "characters": MAX_TEXT}

    def take(self, size: int, what: str) -> None:
        """Take room for `size` more. Raises Unsupported where there is none."""
        self.left[what] -= size
        if self.left[what] < 0:
            raise Unsupported(f"The answer holds so many {what} ({size} in one place) that it cannot be right here.")


def encode(value: Any) -> Any:
    """The plain form of `value`. Raises Unsupported for what has none."""
    return _encode(value, 0, Room())


def _encode(value: Any, depth: int, room: Room) -> Any:
    if depth > MAX_DEPTH:
        raise Unsupported(f"The answer is nested more than {MAX_DEPTH} levels deep (or contains itself).")
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        if value.bit_length() > MAX_BITS:
            raise Unsupported(f"The answer holds an integer of more than {MAX_BITS} bits.")
        return value
    if kind is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if kind is str:
        room.take(len(value), "characters")
        return value
    if (container := next((one for one in CONTAINERS if issubclass(kind, one)), None)) is not None:
        items = list(container.__iter__(value))  # a named tuple's too, and none of its own methods
        room.take(len(items), "items")
        form = "tuple" if container is tuple else "list"
        return {form: [_encode(item, depth + 1, room) for item in items]}
    if issubclass(kind, dict):
        pairs = list(dict.items(value))
        room.take(len(pairs), "items")
        if any(type(key) not in KEYS for key, _ in pairs):
            raise Unsupported("The answer is a dict whose keys are not all numbers or texts.")
        return {"dict": [[_encode(k, depth + 1, room), _encode(v, depth + 1, room)] for k, v in pairs]}
    if kind in (torch.Tensor, torch.nn.Parameter):
        return _encode_tensor(value, room)
    if kind is np.ndarray or kind in NUMPY_SCALARS:
        return _encode_array(np.asarray(value), room)
    raise Unsupported(_unsupported(kind))


def decode(data: Any) -> Any:
    """The value of a plain form. Raises ValueError where `data` is not one, or holds more than `encode` writes."""
    try:
        return _decode(data, 0, Room())
    except Unsupported as error:
        raise ValueError("not plain data: it holds more than one value may") from error


def _decode(data: Any, depth: int, room: Room) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError("plain data nested too deeply")
    kind = type(data)
    if kind is int and data.bit_length() > MAX_BITS:
        raise ValueError("not plain data: a number that is too long")
    if kind is str:
        room.take(len(data), "characters")
    if kind in (type(None), bool, int, float, str):
        return data
    if kind is not dict or not data:
        raise ValueError(f"not plain data: {kind.__name__}")
    if "tensor" in data or "array" in data:
        return _decode_numbers(data, room)
    if len(data) != 1:
        raise ValueError(f"not plain data: keys {sorted(map(str, data))[:4]}")
    ((form, body),) = data.items()
    if form == "float" and type(body) is str and body in NOT_FINITE:
        return float(body)
    if form in ("list", "tuple", "dict") and type(body) is list:
        room.take(len(body), "items")
        if form == "dict":
            pairs = map(_pair, body)
            return {_key(_decode(k, depth + 1, room)): _decode(v, depth + 1, room) for k, v in pairs}
        items = [_decode(item, depth + 1, room) for item in body]
        return items if form == "list" else tuple(items)
    raise ValueError(f"not plain data: form {str(form)[:20]!r}")


def _unsupported(kind: type) -> str:
    bases = (torch.Tensor, np.ndarray, float, int, str)
    if base := next((base for base in bases if issubclass(kind, base)), None):
        return f"The answer is a subclass of {base.__name__}; return a plain {base.__name__}."
    if kind is GeneratorType:
        return "The answer is a generator; return its values, not the generator."
    if kind in (FunctionType, BuiltinFunctionType, MethodType):
        return "The answer is a function that was not called: is a pair of brackets missing?"
    name = type.__dict__["__name__"].__get__(kind)  # a metaclass may lie about it, or raise
    name = printable(name, 40)
    return f"The answer is of type {name}, which is not a number, a tensor or a list of those."


def _pair(item: Any) -> list[Any]:
    if type(item) is not list or len(item) != 2:
        raise ValueError("not plain data: a dict's item is a pair")
    return item


def _key(key: Any) -> Any:
    if type(key) not in KEYS:
        raise ValueError("not plain data: a dict's key is a scalar")
    return key


def _encode_tensor(value: torch.Tensor, room: Room) -> dict[str, Any]:
    name = str(value.dtype).removeprefix("torch.")
    if name not in TORCH_DTYPES:
        raise Unsupported(f"The answer is a tensor of dtype {name}; return a tensor of real numbers.")
    if value.layout is not torch.strided or value.is_meta or value.is_quantized or value.is_nested:
        raise Unsupported("The answer is not a dense tensor; return an ordinary one.")
    shape = _fitting(list(value.shape), room)
    try:
        flat = torch.Tensor.detach(value).resolve_neg().cpu().contiguous().reshape(-1)
        raw = flat.view(torch.int16).numpy() if flat.dtype is torch.bfloat16 else flat.numpy()
    except (RuntimeError, NotImplementedError) as error:  # inside torch.func, say, a tensor has no numbers yet
        raise Unsupported("The answer is a tensor whose numbers cannot be read.") from error
    return {"tensor": name, "shape": shape, **_numbers(raw, flat)}


def _encode_array(value: np.ndarray, room: Room) -> dict[str, Any]:
    name = value.dtype.name
    if name not in NUMPY_DTYPES:
        raise Unsupported(f"The answer is a NumPy array of dtype {name[:40]}; return an array of real numbers.")
    shape = _fitting(list(value.shape), room)
    flat = np.ascontiguousarray(value).reshape(-1)
    return {"array": name, "shape": shape, **_numbers(flat, flat)}


def _fitting(shape: list[int], room: Room) -> list[int]:
    room.take(math.prod(shape), "numbers")
    if not _is_shape(shape):
        raise Unsupported(f"The answer has {len(shape)} dimensions, or one so long that it cannot be right here.")
    return shape


def _is_shape(shape: Any) -> bool:
    sizes = type(shape) is list and len(shape) <= MAX_DIMENSIONS and all(type(n) is int and n >= 0 for n in shape)
    return sizes and math.prod(max(n, 1) for n in shape) < MAX_SIZE


def _numbers(raw: np.ndarray, flat: np.ndarray | torch.Tensor) -> dict[str, Any]:
    if len(raw) <= WRITTEN_OUT:
        return {"data": [str(x) if type(x) is float and not math.isfinite(x) else x for x in flat.tolist()]}
    if raw.dtype == bool:
        raw = raw.view(np.uint8) != 0  # NumPy lets any byte stand for True
    return {"base64": base64.b64encode(raw.astype(raw.dtype.newbyteorder("<")).tobytes()).decode("ascii")}


def _decode_numbers(data: dict[str, Any], room: Room) -> torch.Tensor | np.ndarray:
    form = "tensor" if "tensor" in data else "array"
    if data.keys() - {"layout"} not in ({form, "shape", "data"}, {form, "shape", "base64"}):
        raise ValueError("not plain data: an array has a dtype, a shape and its numbers")
    name, shape = data[form], data["shape"]
    if type(name) is not str or name not in (TORCH_DTYPES if form == "tensor" else NUMPY_DTYPES):
        raise ValueError("not plain data: unknown dtype")
    if not _is_shape(shape):
        raise ValueError("not plain data: a shape is a list of sizes, not too many and not too large")
    room.take(math.prod(shape), "numbers")
    flat = _from_list(data["data"], name) if "data" in data else _from_bytes(data["base64"], name)
    if flat.size != math.prod(shape):
        raise ValueError("not plain data: the numbers do not fill the shape")
    if form == "array":
        return flat.reshape(shape)
    tensor = torch.from_numpy(flat)
    tensor = (tensor.view(torch.bfloat16) if name == "bfloat16" else tensor).reshape(shape)
    return laid_out(tensor, data["layout"]) if "layout" in data else tensor


def _from_list(numbers: Any, name: str) -> np.ndarray:
    if type(numbers) is not list or len(numbers) > WRITTEN_OUT:
        raise ValueError("not plain data: numbers are a short list")
    fits = _is_written_float if "float" in name else _is_bool if name == "bool" else _is_int
    if not all(map(fits, numbers)):
        raise ValueError("not plain data: a number does not fit its dtype")
    try:
        if name == "bfloat16":
            return torch.tensor([float(x) for x in numbers], dtype=torch.bfloat16).view(torch.int16).numpy()
        return np.array([float(x) for x in numbers] if "float" in name else numbers, dtype=NUMPY_DTYPES[name])
    except OverflowError as error:
        raise ValueError("not plain data: a number does not fit its dtype") from error


def _is_written_float(x: Any) -> bool:
    return type(x) in (int, float) or (type(x) is str and x in NOT_FINITE)


def _is_int(x: Any) -> bool:
    return type(x) is int


def _is_bool(x: Any) -> bool:
    return type(x) is bool


def _from_bytes(text: Any, name: str) -> np.ndarray:
    kind = np.dtype("int16") if name == "bfloat16" else NUMPY_DTYPES[name]
    if type(text) is not str or len(text) > MOST_BASE64:
        raise ValueError("not plain data: bytes are base64 text")
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error among them
        raise ValueError("not plain data: bytes are base64 text") from error
    if len(raw) % kind.itemsize or (name == "bool" and raw.strip(b"\0\1")):
        raise ValueError("not plain data: the bytes do not fill the dtype")
    return np.frombuffer(raw, dtype=kind.newbyteorder("<")).astype(kind)


def laid_out(tensor: torch.Tensor, layout: str) -> torch.Tensor:
    """The same numbers in another memory layout: "transposed", "strided" (every second element) or "expanded" (equal
    rows). Raises ValueError for another layout, or a tensor of too few dimensions for it."""
    if type(layout) is not str or tensor.ndim < LAYOUTS.get(layout, math.inf):
        raise ValueError(f"not plain data: no layout {str(layout)[:20]!r} for {tensor.ndim} dimensions")
    if layout == "transposed":
        return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)
    if layout == "expanded":
        return tensor[..., :1, :].expand(tensor.shape)
    wide = torch.full((*tensor.shape[:-1], 2 * tensor.shape[-1]), 7).to(tensor.dtype)
    wide[..., ::2] = tensor
    return wide[..., ::2]
