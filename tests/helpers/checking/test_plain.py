"""Plain data: every value comes back as it was, and nothing else gets through."""

import base64
import json
import math
import types
from collections import OrderedDict, deque
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers.checking import plain

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
INTS = st.integers(-(2**63) + 1, 2**63 - 1)
SCALARS = st.none() | st.booleans() | INTS | FLOATS | st.text(max_size=20)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


@st.composite
def arrays(draw):
    name = draw(st.sampled_from(sorted(plain.NUMPY_DTYPES)))
    return draw(hnp.arrays(plain.NUMPY_DTYPES[name], draw(SHAPES)))


@st.composite
def tensors(draw):
    name = draw(st.sampled_from(sorted(plain.TORCH_DTYPES)))
    if name == "bfloat16":
        return torch.from_numpy(draw(hnp.arrays(np.float32, draw(SHAPES)))).to(torch.bfloat16)
    return torch.from_numpy(draw(hnp.arrays(plain.NUMPY_DTYPES[name], draw(SHAPES))))


VALUES = st.recursive(
    SCALARS | arrays() | tensors(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5) | INTS, inner, max_size=3)
    ),
    max_leaves=8,
)


def same(a, b):
    """Equal in type, structure, dtype, shape and every number; nan is nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return (
            a.dtype == b.dtype
            and a.shape == b.shape
            and torch.equal(a.double().nan_to_num(9.5), b.double().nan_to_num(9.5))
        )
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return a == b or (a != a and b != b)


class TestRoundTrip:
    @settings(max_examples=60)
    @given(VALUES)
    def test_every_plain_value_comes_back(self, value):
        data = json.loads(json.dumps(plain.encode(value), allow_nan=False))
        assert same(plain.decode(data), value)

    @given(st.sampled_from(sorted(plain.NUMPY_DTYPES)), st.integers(17, 60), st.randoms(use_true_random=False))
    def test_long_arrays_keep_every_bit(self, name, size, random):
        raw = np.frombuffer(random.randbytes(size * plain.NUMPY_DTYPES[name].itemsize), dtype=np.uint8)
        array = (raw % 2 == 0) if name == "bool" else raw.view(plain.NUMPY_DTYPES[name])
        data = plain.encode(array)
        assert "base64" in data
        assert plain.decode(data).tobytes() == array.tobytes()

    @pytest.mark.parametrize("name", sorted(plain.TORCH_DTYPES))
    def test_tensors_of_every_dtype(self, name):
        for size in (0, 1, 16, 17):
            tensor = torch.arange(size).to(plain.TORCH_DTYPES[name])
            assert same(plain.decode(plain.encode(tensor)), tensor)

    @pytest.mark.parametrize("value", [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 2**63 - 1, -(2**63) + 1])
    def test_numbers_are_exact(self, value):
        again = plain.decode(json.loads(json.dumps(plain.encode(value))))
        assert (again, math.copysign(1, again)) == (value, math.copysign(1, value))

    def test_numpy_scalars_are_arrays_without_dimensions(self):
        again = plain.decode(plain.encode(np.float32(0.1)))
        assert (again.shape, again.dtype, again) == ((), np.float32, np.float32(0.1))

    def test_what_a_tensor_is_besides_its_numbers_is_left_behind(self):
        leaf = torch.tensor([1.0, -2.0], requires_grad=True)
        for value in (leaf, torch.nn.Parameter(leaf.detach()), -leaf.detach().conj(), leaf.detach().expand(3, 2)[1]):
            again = plain.decode(plain.encode(value))
            assert type(again) is torch.Tensor
            assert not again.requires_grad
            assert again.tolist() == value.tolist()

    def test_byte_order_and_strides_do_not_matter(self):
        array = np.arange(40, dtype=">f8").reshape(5, 8)[::-2, ::3]
        assert plain.decode(plain.encode(array)).tolist() == array.tolist()
        assert plain.decode(plain.encode(torch.arange(40.0).reshape(5, 8).mT)).tolist() == array_of(40).T.tolist()

    def test_a_lying_truth_value_is_true(self):
        array = np.full(20, 7, dtype=np.uint8).view(bool)
        assert plain.decode(plain.encode(array)).tolist() == [True] * 20


def array_of(size):
    return np.arange(size, dtype=float).reshape(5, -1)


class TestLayouts:
    TENSOR = torch.arange(24.0).reshape(4, 6)

    def laid(self, layout):
        return plain.decode({**plain.encode(self.TENSOR), "layout": layout})

    def test_the_numbers_stay_and_the_strides_change(self):
        for layout in ("transposed", "strided"):
            tensor = self.laid(layout)
            assert torch.equal(tensor, self.TENSOR)
            assert not tensor.is_contiguous()

    def test_expanded_rows_are_one_row_in_memory(self):
        tensor = self.laid("expanded")
        assert torch.equal(tensor, self.TENSOR[:1].expand(4, 6))
        assert tensor.stride() == (0, 1)

    @pytest.mark.parametrize("layout", ["transposed", "strided", "expanded", "other", None, ["strided"], 3])
    def test_one_that_does_not_fit_is_refused(self, layout):
        with pytest.raises(ValueError, match="not plain data: no layout"):
            plain.laid_out(torch.tensor(1.0), layout)


class Liar(type):
    @property
    def __name__(cls):
        raise ZeroDivisionError


class Always(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__


class Rows(list):
    def __len__(self):
        return 1

    def __iter__(self):
        return iter([3])


class Pair(NamedTuple):
    first: int
    second: int

    def __iter__(self):
        return iter([3, 4])


def cyclic_dict():
    items = {}
    items["self"] = items
    return items


def cyclic():
    items = []
    items.append(items)
    return items


def doubling():
    items = [0]
    for _ in range(19):
        items = [items] * 1000
    return items


def with_own_methods():
    tensor = torch.zeros(3)
    tensor.detach = lambda: 1 / 0
    return tensor


HOSTILE = {
    "a float that equals everything": lambda: Always(1.0),
    "a tensor subclass": lambda: torch.zeros(2).as_subclass(type("Mine", (torch.Tensor,), {})),
    "an array subclass": lambda: np.zeros(2).view(type("Mine", (np.ndarray,), {})),
    "a masked array": lambda: np.ma.masked_array([1.0, 2.0], [True, False]),
    "a matrix": lambda: np.matrix([[1.0]]),
    "an int subclass": lambda: type("Mine", (int,), {})(1),
    "a text subclass": lambda: np.str_("text"),
    "a class with no name to read": lambda: Liar("Mine", (), {})(),
    "a class with an unprintable name": lambda: type("\x1b[2J\n", (), {})(),
    "an integer of a million digits": lambda: 1 << 4_000_000,
    "an integer just too long": lambda: 2**63,
    "a long text": lambda: "x" * (plain.MAX_TEXT + 1),
    "many texts": lambda: ["x" * 1000] * 101,
    "a cyclic list": cyclic,
    "a list that doubles at every level": doubling,
    "a cyclic dict": cyclic_dict,
    "too many items": lambda: [0] * (plain.MAX_ITEMS + 1),
    "too many numbers": lambda: torch.zeros(1).expand(plain.MAX_NUMBERS + 1),
    "one array many times": lambda: [np.zeros(1000)] * 2001,
    "huge strides": lambda: torch.zeros(1).expand(10**6, 10**6),
    "no numbers in too many places": lambda: torch.zeros(0, 2**41),
    "too many dimensions": lambda: torch.zeros((1,) * 17),
    "complex numbers": lambda: torch.zeros(2, dtype=torch.complex64),
    "a complex number": lambda: 1j,
    "a dtype of eight bits": lambda: torch.zeros(2, dtype=torch.float8_e4m3fn),
    "an array of objects": lambda: np.array([1, "a", None], dtype=object),
    "an array of texts": lambda: np.array(["a"]),
    "an array of dates": lambda: np.array(["2020-01-01"], dtype="datetime64[D]"),
    "a structured array": lambda: np.zeros(2, dtype=[("a", "f8")]),
    "long doubles": lambda: np.zeros(2, dtype=np.longdouble),
    "a sparse tensor": lambda: torch.zeros(3, 3).to_sparse(),
    "a meta tensor": lambda: torch.zeros(3, device="meta"),
    "a quantised tensor": lambda: torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
    "a nested tensor": lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
    "a set": lambda: {1, 2},
    "bytes": lambda: b"abc",
    "a range": lambda: range(3),
    "a map": lambda: map(abs, [1]),
    "a generator": lambda: (x for x in [1]),
    "a function": lambda: cyclic,
    "a built-in": lambda: len,
    "a method": lambda: [].append,
    "a class": lambda: float,
    "a module": lambda: math,
    "a namespace": lambda: types.SimpleNamespace(a=1),
    "a dict with a tensor for a key": lambda: {torch.zeros(1): 1},
    "a dict with a tuple for a key": lambda: {(1, 2): 1},
    "a dict of functions": lambda: {"f": len},
    "an ellipsis": lambda: ...,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # torch and NumPy advise against some of these themselves
class TestHostileValues:
    @pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
    def test_are_told_apart_in_one_printable_sentence(self, make):
        value = make()
        with pytest.raises(plain.Unsupported) as caught:
            plain.encode(value)
        sentence = str(caught.value)
        assert sentence.startswith("The answer")
        assert sentence.isprintable()
        assert len(sentence) < 200

    def test_methods_of_a_containers_own_are_not_asked(self):
        assert plain.encode(Rows([1, 2])) == {"list": [1, 2]}
        assert plain.encode(Pair(1, 2)) == {"tuple": [1, 2]}
        assert plain.encode(deque([1, 2])) == {"list": [1, 2]}
        assert plain.encode(OrderedDict(a=1)) == {"dict": [["a", 1]]}

    def test_methods_of_a_tensors_own_are_not_asked(self):
        assert plain.encode(with_own_methods())["data"] == [0.0, 0.0, 0.0]

    def test_a_tensor_still_inside_a_transform_has_no_numbers(self):
        leaked = []
        torch.func.vmap(lambda x: leaked.append(x) or x)(torch.zeros(3))
        with pytest.raises(plain.Unsupported):
            plain.encode(leaked[0])

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (Always(1.0), "subclass of float"),
            (cyclic, "not called"),
            ((x for x in [1]), "generator"),
            (torch.zeros(2, dtype=torch.complex64), "complex64"),
            ({1}, "of type set"),
        ],
    )
    def test_the_sentence_names_the_trouble(self, value, words):
        with pytest.raises(plain.Unsupported, match=words):
            plain.encode(value)

    @given(
        st.recursive(
            st.none() | st.just(len) | FLOATS, lambda s: st.lists(s) | st.frozensets(st.integers()), max_leaves=5
        )
    )
    def test_no_other_error_comes_out(self, value):
        try:
            plain.decode(plain.encode(value))
        except plain.Unsupported:
            assert "function" in str(value) or "frozenset" in str(value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | FLOATS
    | st.text(max_size=10)
    | st.sampled_from(["nan", "AAAA", "float64", "bool"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["tensor", "array", "shape", "data", "base64", "layout", "list", "tuple", "dict", "float", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
NUMBERS = st.fixed_dictionaries(
    {},
    optional={
        "tensor": st.sampled_from([*plain.TORCH_DTYPES, "complex64", 3]),
        "array": st.sampled_from([*plain.NUMPY_DTYPES, "object"]),
        "shape": st.lists(st.integers(-1, 3) | st.sampled_from([2**39, 2**62, 1.0, True]), max_size=3)
        | st.just([1] * 17),
        "data": st.lists(st.integers() | FLOATS | st.booleans() | st.sampled_from(["nan", "inf", "x"]), max_size=4),
        "base64": st.binary(max_size=40).map(lambda b: base64.b64encode(b).decode()) | st.just("é?"),
        "layout": st.sampled_from(["transposed", "strided", "expanded", "other", 7]),
    },
)


class TestHostileData:
    @settings(max_examples=300)
    @given(JSON | NUMBERS)
    def test_are_a_value_or_a_value_error(self, data):
        try:
            value = plain.decode(data)
        except ValueError:
            return
        plain.encode(value)

    @pytest.mark.parametrize(
        "data",
        [
            2**63,
            -(10**400),
            "x" * (plain.MAX_TEXT + 1),
            [1.0],
            {},
            {"list": [1], "tuple": [2]},
            {"float": "Infinity"},
            {"float": ["nan"]},
            {"dict": [[1]]},
            {"dict": [[{"list": []}, 1]]},
            {"tensor": "float64", "array": "float64", "shape": [], "data": [1.0]},
            {"tensor": "float64", "shape": [1], "data": [1.0], "base64": ""},
            {"tensor": "float64", "shape": [1], "data": [1.0], "extra": 1},
            {"tensor": "float64", "shape": [2], "data": [1.0]},
            {"tensor": "float64", "shape": [-1], "data": [1.0]},
            {"tensor": "float64", "shape": [True], "data": [1.0]},
            {"tensor": "float64", "shape": [10**12], "base64": ""},
            {"tensor": "float64", "shape": [0, 2**62, 2**62], "data": []},
            {"tensor": "float64", "shape": [1], "data": [10**400]},
            {"tensor": "int8", "shape": [1], "data": [300]},
            {"tensor": "int64", "shape": [1], "data": [1.5]},
            {"tensor": "int64", "shape": [1], "data": ["nan"]},
            {"tensor": "bool", "shape": [1], "data": [5]},
            {"tensor": "bool", "shape": [1], "base64": "Bw=="},
            {"tensor": "float64", "shape": [1], "base64": "AAAA"},
            {"tensor": "float64", "shape": [17], "data": [0.0] * 17},
            {"array": "object", "shape": [1], "data": [1]},
            {"tensor": "float64", "shape": [2], "data": [1.0, 2.0], "layout": "transposed"},
        ],
        ids=str,
    )
    def test_what_is_no_plain_data_is_refused(self, data):
        with pytest.raises(ValueError, match="plain data"):
            plain.decode(data)

    def test_deep_nesting_is_refused(self):
        data = 1.0
        for _ in range(30):
            data = {"list": [data]}
        with pytest.raises(ValueError, match="nested too deeply"):
            plain.decode(data)
