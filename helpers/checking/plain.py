"""Values as plain data: what can be written as JSON, and nothing that can run.

Scalars, text, lists, tuples, dicts and dense numeric arrays have a form; everything else is `Unsupported`, with a
sentence for the learner. Only exact types count: a subclass may lie about its own values. Arrays of up to 16 numbers
are written out to be read by people, longer ones as base64 of their little-endian bytes."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any

import numpy as np
import torch

MAX_NUMBERS = 2_000_000
MAX_TEXT = 100_000
MAX_ITEMS = 100_000
MAX_DEPTH = 20
WRITTEN_OUT = 16

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


def encode(value: Any, depth: int = 0) -> Any:
    """The plain form of `value`. Raises Unsupported for what has none."""
    if depth > MAX_DEPTH:
        raise Unsupported(f"The answer is nested more than {MAX_DEPTH} levels deep (or contains itself).")
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        if value.bit_length() > 63:
            raise Unsupported("The answer holds an integer of more than 63 bits.")
        return value
    if kind is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if kind is str:
        if len(value) > MAX_TEXT:
            raise Unsupported(f"The answer holds a text of {len(value)} characters.")
        return value
    if kind in (list, tuple):
        _limit(list.__len__(value) if kind is list else tuple.__len__(value), MAX_ITEMS, "items")
        return {kind.__name__: [encode(item, depth + 1) for item in value]}
    if kind is dict:
        _limit(len(value), MAX_ITEMS, "items")
        return {"dict": [[encode(k, depth + 1), encode(v, depth + 1)] for k, v in value.items()]}
    if kind in (torch.Tensor, torch.nn.Parameter):
        return _encode_tensor(value)
    if kind is np.ndarray:
        return _encode_array(value)
    if kind in NUMPY_SCALARS:
        return _encode_array(np.asarray(value))
    raise Unsupported(_unsupported(kind))


def decode(data: Any, depth: int = 0) -> Any:
    """The value of a plain form. Raises ValueError where `data` is not one."""
    if depth > MAX_DEPTH:
        raise ValueError("plain data nested too deeply")
    kind = type(data)
    if data is None or kind in (bool, int, str):
        return data
    if kind is float:
        return data
    if kind is not dict or not data:
        raise ValueError(f"not plain data: {kind.__name__}")
    if "tensor" in data or "array" in data:
        return _decode_numbers(data)
    if len(data) != 1:
        raise ValueError(f"not plain data: keys {sorted(map(str, data))[:4]}")
    ((form, body),) = data.items()
    if form == "float" and body in ("inf", "-inf", "nan"):
        return float(body)
    if form in ("list", "tuple", "dict") and type(body) is list and len(body) <= MAX_ITEMS:
        if form == "dict":
            return {_key(decode(k, depth + 1)): decode(v, depth + 1) for k, v in map(_pair, body)}
        items = [decode(item, depth + 1) for item in body]
        return items if form == "list" else tuple(items)
    raise ValueError(f"not plain data: form {str(form)[:20]!r}")


def _unsupported(kind: type) -> str:
    if issubclass(kind, (torch.Tensor, np.ndarray, float, int, str, list, tuple, dict)):
        base = next(b for b in (torch.Tensor, np.ndarray, float, int, str, list, tuple, dict) if issubclass(kind, b))
        return f"The answer is a subclass of {base.__name__}; return a plain {base.__name__}."
    if kind.__name__ == "generator":
        return "The answer is a generator; return its values, not the generator."
    if kind.__name__ in ("function", "builtin_function_or_method", "method"):
        return "The answer is a function that was not called: is a pair of brackets missing?"
    name = "".join(c for c in kind.__name__ if c.isprintable())[:40]
    return f"The answer is of type {name}, which is not a number, a tensor or a list of those."


def _limit(size: int, most: int, what: str) -> None:
    if size > most:
        raise Unsupported(f"The answer holds {size} {what}; more than {most} cannot be right here.")


def _pair(item: Any) -> list[Any]:
    if type(item) is not list or len(item) != 2:
        raise ValueError("not plain data: a dict's item is a pair")
    return item


def _key(key: Any) -> Any:
    if type(key) not in (str, int, float, bool, type(None)):
        raise ValueError("not plain data: a dict's key is a scalar")
    return key


def _encode_tensor(value: torch.Tensor) -> dict[str, Any]:
    name = str(value.dtype).removeprefix("torch.")
    if name not in TORCH_DTYPES:
        raise Unsupported(f"The answer is a tensor of dtype {name}; return a tensor of real numbers.")
    if value.layout is not torch.strided or value.is_meta or value.is_quantized:
        raise Unsupported("The answer is not a dense tensor; return an ordinary one.")
    _limit(value.numel(), MAX_NUMBERS, "numbers")
    flat = value.detach().resolve_neg().cpu().contiguous().reshape(-1)
    raw = flat.view(torch.int16).numpy() if flat.dtype is torch.bfloat16 else flat.numpy()
    numbers = flat.tolist() if flat.numel() <= WRITTEN_OUT else None
    return {"tensor": name, "shape": list(value.shape), **_numbers(raw, numbers)}


def _encode_array(value: np.ndarray) -> dict[str, Any]:
    if value.dtype.name not in NUMPY_DTYPES:
        raise Unsupported(
            f"The answer is a NumPy array of dtype {value.dtype.name[:40]}; return an array of real numbers."
        )
    _limit(value.size, MAX_NUMBERS, "numbers")
    flat = np.ascontiguousarray(value).reshape(-1)
    numbers = flat.tolist() if flat.size <= WRITTEN_OUT else None
    return {"array": value.dtype.name, "shape": list(value.shape), **_numbers(flat, numbers)}


def _numbers(raw: np.ndarray, numbers: list[Any] | None) -> dict[str, Any]:
    if numbers is not None:
        return {"data": [x if not isinstance(x, float) or math.isfinite(x) else str(x) for x in numbers]}
    return {"base64": base64.b64encode(raw.astype(raw.dtype.newbyteorder("<")).tobytes()).decode("ascii")}


def _decode_numbers(data: dict[str, Any]) -> torch.Tensor | np.ndarray:
    torch_like = "tensor" in data
    name, shape = data["tensor" if torch_like else "array"], data.get("shape")
    if set(data) - {"tensor", "array", "shape", "data", "base64", "layout"} or ("data" in data) == ("base64" in data):
        raise ValueError("not plain data: an array has a dtype, a shape and its numbers")
    if type(name) is not str or name not in (TORCH_DTYPES if torch_like else NUMPY_DTYPES):
        raise ValueError("not plain data: unknown dtype")
    if type(shape) is not list or len(shape) > 16 or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError("not plain data: a shape is a list of sizes")
    size = math.prod(shape)
    if size > MAX_NUMBERS or max(shape, default=0) > 2**40:
        raise ValueError("not plain data: too many numbers")
    flat = _from_list(data["data"], name, torch_like) if "data" in data else _from_bytes(data["base64"], name)
    if flat.size != size:
        raise ValueError("not plain data: the numbers do not fill the shape")
    if not torch_like:
        return flat.reshape(shape)
    tensor = torch.from_numpy(flat)
    tensor = (tensor.view(torch.bfloat16) if name == "bfloat16" else tensor.to(TORCH_DTYPES[name])).reshape(shape)
    return laid_out(tensor, data["layout"]) if "layout" in data else tensor


def _from_list(numbers: Any, name: str, torch_like: bool) -> np.ndarray:
    good = type(numbers) is list and all(
        type(x) in (int, float, bool) or (type(x) is str and x in ("inf", "-inf", "nan")) for x in numbers
    )
    if not good or len(numbers) > WRITTEN_OUT:
        raise ValueError("not plain data: numbers are a short list")
    try:
        if name == "bfloat16":
            return torch.tensor([float(x) for x in numbers], dtype=torch.bfloat16).view(torch.int16).numpy()
        kind = NUMPY_DTYPES[name]
        return np.array([float(x) if kind.kind == "f" else x for x in numbers], dtype=kind)
    except (OverflowError, ValueError) as error:
        raise ValueError("not plain data: a number does not fit its dtype") from error


def _from_bytes(text: Any, name: str) -> np.ndarray:
    if type(text) is not str or len(text) > 12 * MAX_NUMBERS:
        raise ValueError("not plain data: bytes are base64 text")
    kind = np.dtype("int16") if name == "bfloat16" else NUMPY_DTYPES[name]
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not plain data: bytes are base64 text") from error
    if len(raw) % kind.itemsize:
        raise ValueError("not plain data: the bytes do not fill the dtype")
    return np.frombuffer(raw, dtype=kind.newbyteorder("<")).astype(kind)


def laid_out(tensor: torch.Tensor, layout: str) -> torch.Tensor:
    """The same numbers in another memory layout: "transposed", "strided" (every second element) or "expanded" (equal
    rows)."""
    if layout == "transposed":
        return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)
    if layout == "strided":
        wide = torch.full((*tensor.shape[:-1], 2 * tensor.shape[-1]), 7, dtype=tensor.dtype)
        wide[..., ::2] = tensor
        return wide[..., ::2]
    if layout == "expanded":
        return tensor[..., :1, :].expand(tensor.shape)
    raise ValueError(f"not plain data: unknown layout {str(layout)[:20]!r}")
