"""Arguments for calls: arrays of all kinds, numbers at the ends of their ranges, and what is no
argument at all. Everything follows from the generator that is passed in, a random.Random."""

import io

import lazuli.core as mx
import numpy as np

DTYPES = [mx.bool_, mx.uint8, mx.uint16, mx.uint32, mx.uint64, mx.int8, mx.int16, mx.int32,
          mx.int64, mx.float16, mx.float32, mx.float64, mx.bfloat16, mx.complex64]
COMMON_DTYPES = [mx.float32, mx.float32, mx.float16, mx.bfloat16, mx.int32, mx.uint8, mx.bool_]
EXTENTS = [0, 1, 1, 2, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 32, 33, 64, 65, 128, 257]
SIZE_MAX = 20_000
HUGE = [2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**32, 2**32 + 1, 2**62, 2**63 - 1, 2**63, -2**63,
        2**64, 10**30, -10**30, 255, 256, 300, 65536, 2**40]
# Of constants, which take no memory.
HUGE_SHAPES = [(2**31, 1), (1, 2**31), (2**31 - 1,), (2**33, 0), (0, 2**40, 2), (46341, 46341)]
FLOATS = [0.0, -0.0, 0.5, 1.0, -1.0, 1e-5, 1e-45, 1e38, 1e300, -1e300, float("nan"), float("inf"),
          -float("inf"), 3.14, 1e10]
TEXTS = ["", "constant", "edge", "reflect", "symmetric", "affine", "mxfp4", "nvfp4", "causal", "xy",
         "ij", "float32", "no such thing", "a\0b", "é" * 3, "x" * 5000, "npy", "safetensors",
         "gguf", "numeric", "bool"]
PATHS = ["a.npy", "b.npz", "c.safetensors", "d.gguf", "missing.npy", "folder", "empty.gguf", "no",
         "a\0.npy", ".npy"]


def shape_of(r, rank=None):
    rank = r.choice([0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6]) if rank is None else rank
    shape, size = [], 1
    for _ in range(rank):
        extent = r.choice(EXTENTS if r.random() < 0.8 else EXTENTS[:6])
        if size * max(extent, 1) > SIZE_MAX:
            extent = r.choice([1, 2]) if size * 2 <= SIZE_MAX else 1
        shape.append(extent)
        size *= max(extent, 1)
    return tuple(shape)


def related_shape(r, base):
    """A shape that often goes together with `base`: broadcasts, multiplies, or indexes it."""
    shape = list(base)
    way = r.randrange(8)
    if way == 1:
        shape = shape[r.randrange(len(shape) + 1):]
    elif way == 2:
        shape = [1 if r.random() < 0.4 else extent for extent in shape]
    elif way == 3 and len(shape) > 1:
        shape[-1], shape[-2] = shape[-2], shape[-1]
    elif way == 4:
        shape = shape[-1:]
    elif way == 5:
        shape = [r.choice([1, 2, 3]), *shape]
    elif way == 6:
        return shape_of(r, len(shape))
    return tuple(shape) if np.prod(shape, dtype=float) <= 3 * SIZE_MAX else tuple(base)


def numbers(r, shape, dtype):
    """A NumPy array of values that an array of the dtype may hold, some of them extreme."""
    generator = np.random.default_rng(r.getrandbits(32))
    if dtype == mx.bool_:
        return generator.random(shape) < 0.5
    if mx.issubdtype(dtype, mx.integer):
        limits = mx.iinfo(dtype)
        if r.random() < 0.6:
            return generator.integers(max(limits.min, -3), 12, shape).astype(np.int64)
        return generator.integers(limits.min, limits.max, shape, endpoint=True,
                                  dtype=np.uint64 if dtype == mx.uint64 else np.int64)
    values = np.asarray(generator.standard_normal(shape) * r.choice([1, 1, 1e-3, 30, 1e4]))
    if values.size and r.random() < 0.25:
        values.flat[r.randrange(values.size)] = r.choice(FLOATS)
    if dtype == mx.complex64:
        return (values + 1j * generator.standard_normal(shape)).astype(np.complex64)
    return values.astype(np.float64 if dtype == mx.float64 else np.float32)


def viewed(r, x):
    """The array, or a view of it, or a value that is not computed yet."""
    way = r.randrange(14)
    if way == 0:
        return x.T
    if way == 1 and x.ndim:
        return x[tuple(slice(None, None, r.choice([1, -1, 2, -3])) for _ in range(x.ndim))]
    if way == 2:
        return mx.broadcast_to(x[..., :1] if x.ndim else x, x.shape)
    if way == 3 and x.ndim:
        return x[1:]
    if way == 4:
        return mx.as_strided(x, x.shape, (0,) * x.ndim) if x.size else x
    if way == 5:
        return mx.zeros(x.shape, x.dtype)
    if way == 6:
        return mx.abs(x)
    if way == 7 and x.dtype != mx.bool_:
        return x + x
    if way == 8:
        mx.eval(x)
    return x


class Values:
    """The arguments of one call; shapes of its arrays are related."""

    def __init__(self, r):
        self.r = r
        self.base = shape_of(r)
        self.dtype = r.choice(COMMON_DTYPES if r.random() < 0.7 else DTYPES)

    def array(self, dtype=None, shape=None):
        r = self.r
        if r.random() < 0.02:
            return mx.zeros(r.choice(HUGE_SHAPES), r.choice(DTYPES))
        if shape is None:
            shape = related_shape(r, self.base) if r.random() < 0.5 else self.base
        if r.random() < 0.07:
            shape = shape_of(r)
        if dtype is None:
            dtype = self.dtype if r.random() < 0.75 else r.choice(DTYPES)
        return viewed(r, mx.array(numbers(r, shape, dtype), dtype))

    def indices(self):
        r, extent = self.r, max(1, *self.base, 1)
        shape = shape_of(r, r.choice([0, 1, 1, 2, 3]))
        if r.random() < 0.4:
            shape = self.base
        low, high = (-extent, extent) if r.random() < 0.5 else (-3 * extent, 2**31 - 1)
        values = np.random.default_rng(r.getrandbits(32)).integers(low, high, shape)
        dtype = r.choice([mx.int32, mx.int32, mx.uint32, mx.int64, mx.uint8, mx.float32])
        return viewed(r, mx.array(np.abs(values) if dtype == mx.uint32 else values, dtype))

    def integer(self):
        r = self.r
        if r.random() < 0.12:
            return r.choice(HUGE)
        return r.choice([0, 1, -1, 2, -2, 3, 4, 5, 8, -7, 16, 32, 64, 128, *self.base])

    def axis(self):
        r, rank = self.r, len(self.base)
        return r.randint(-rank - 1, rank) if r.random() < 0.85 else self.integer()

    def axes(self):
        r = self.r
        way = r.random()
        if way < 0.2:
            return None
        if way < 0.6:
            return self.axis()
        return r.choice([tuple, list])(self.axis() for _ in range(r.randrange(4)))

    def shape(self):
        r = self.r
        way = r.random()
        if way < 0.35:
            return list(self.base) if r.random() < 0.5 else self.base
        if way < 0.6:
            return related_shape(r, self.base)
        if way < 0.75:
            size = int(np.prod(self.base))
            return r.choice([(-1,), (size,), (1, -1), (-1, -1), (0, -1), (2, -1)])
        if way < 0.9:
            return shape_of(r)
        return tuple(self.integer() for _ in range(r.randrange(1, 7)))

    def real(self):
        r = self.r
        return r.choice(FLOATS) if r.random() < 0.6 else self.integer()

    def number(self):
        r = self.r
        return r.choice([self.real(), self.integer(), True, 1j, np.float16(2), np.int64(-3),
                         np.uint8(200), np.bool_(True), complex(float("nan"), 1)])

    def operand(self):
        return self.array() if self.r.random() < 0.6 else self.number()

    def quantized(self):
        """Weights, scales and biases that belong together, or nearly."""
        r = self.r
        group, bits = r.choice([32, 64, 128]), r.choice([2, 3, 4, 5, 6, 8])
        shape = (*shape_of(r, r.choice([0, 0, 0, 1, 2])), r.choice([1, 7, 32, 64]),
                 group * r.choice([1, 2, 3, 8]))
        dtype = r.choice([mx.float32, mx.float16, mx.bfloat16])
        parts = list(mx.quantize(mx.array(numbers(r, shape[-2:], dtype), dtype), group, bits))
        if r.random() < 0.3:
            parts[r.randrange(3)] = self.array()
        return parts, group, bits, shape

    def heads(self):
        """Queries, keys and values for attention, or nearly."""
        r = self.r
        batch, groups, heads = r.choice([1, 2, 0]), r.choice([1, 2, 4]), r.choice([1, 2])
        length, keys, width = r.choice([0, 1, 5, 33]), r.choice([0, 1, 7, 65]), r.choice([1, 8, 64])
        shapes = [(batch, heads * groups, length, width), (batch, heads, keys, width),
                  (batch, heads, keys, r.choice([width, width, 3]))]
        dtype = r.choice([mx.float32, mx.float16, mx.bfloat16])
        arrays = [viewed(r, mx.array(numbers(r, shape, dtype), dtype)) for shape in shapes]
        if r.random() < 0.3:
            arrays[r.randrange(3)] = self.array()
        mask_shape = r.choice([(length, keys), (batch, 1, length, keys), (keys,), (heads, 1, 1, 1)])
        return arrays, mask_shape

    def nested(self):
        r = self.r
        leaf = r.choice([self.number, self.integer, self.operand])
        return [[leaf() for _ in range(r.randrange(3))] for _ in range(r.randrange(4))]

    def subscript(self):
        r = self.r
        count = r.choice([1, 1, 1, 2, 2, 3, len(self.base)])
        items = [self.subscript_item() for _ in range(count)]
        return items[0] if count == 1 else tuple(items)

    def subscript_item(self):
        r = self.r
        bound = lambda: r.choice([None, self.integer(), r.randint(-5, 5)])
        return r.choice([
            lambda: slice(bound(), bound(), bound()), lambda: slice(None), self.axis, self.axis,
            lambda: None, lambda: Ellipsis, self.indices, self.indices,
            lambda: self.array(mx.bool_), lambda: [r.randrange(-3, 3) for _ in range(3)], self.odd,
            lambda: np.array([0, -1])])()

    def dtype_like(self):
        return self.r.choice(DTYPES) if self.r.random() < 0.9 else self.odd()

    def stream(self):
        r = self.r
        return r.choice([None, mx.cpu, mx.Device(mx.cpu), mx.default_stream(mx.cpu)])

    def text(self):
        return self.r.choice(TEXTS)

    def path(self):
        r = self.r
        return r.choice(PATHS) if r.random() < 0.9 else r.choice([io.BytesIO(b"abc"), b"a.npy", 3])

    def odd(self):
        """What few functions take."""
        r = self.r
        return r.choice([
            lambda: None, self.text, object, self.nested, self.number, lambda: {"a": self.array()},
            lambda: np.array(["x", None], object), lambda: np.zeros(2, "datetime64[s]"),
            lambda: np.zeros((2, 2), ">f4"), lambda: np.zeros(3, [("a", "i4")]), lambda: b"bytes",
            lambda: bytearray(8), lambda: memoryview(b"12345678").cast("i"), lambda: range(3),
            lambda: slice(1, 2), lambda: Ellipsis, lambda: (lambda *a: a), lambda: float("nan"),
            lambda: np.zeros((2, 3))[:, ::-1], lambda: r.choice(HUGE), lambda: [[[]]], lambda: "",
            lambda: (1, (2, 3)), lambda: mx.float32, lambda: mx.cpu, lambda: {}, self.axes,
            lambda: [self.array(), self.array()], lambda: np.longdouble(1.5), self.array])()
