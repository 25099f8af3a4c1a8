"""Arrays print as the oracle prints them: every dtype, random values, many shapes."""

import evaluator
import lazuli.core as mx
import pytest

# Random bit patterns reach all exponents, signs, NaN and infinities.
PROGRAM = """
rng = np.random.default_rng(5)
result = []
for name in NAMES:
    dtype = getattr(mx, name)
    for shape in [(), (1,), (6,), (7,), (2, 3), (9, 2), (2, 8), (1, 1, 3), (3, 0), (0, 3),
                  (2, 7, 9), (8, 2, 2), (1, 2, 1, 8)]:
        count = int(np.prod(shape))
        if name in ("float32", "complex64"):
            words = rng.integers(0, 2**32, (2, count), dtype=np.uint32).view(np.float32)
            values = words[0] if name == "float32" else words[0] + 1j * words[1]
            values = values.astype(np.complex64 if name == "complex64" else np.float32)
        elif name in ("float16", "bfloat16", "float64"):
            values = (rng.standard_normal(count) * 10.0 ** rng.integers(-6, 7, count))
            values = values.astype(np.float32)
        elif name == "bool_":
            values = rng.integers(0, 2, count).astype(bool)
        else:
            limits = np.iinfo(name)
            values = rng.integers(limits.min, limits.max, count, dtype=name, endpoint=True)
        array = mx.array(values.reshape(shape)).astype(dtype)
        result.append([name, str(shape), str(array)])
        if len(shape) == 2:
            result.append([name, str(shape) + " transposed", str(array.T)])
            result.append([name, str(shape) + " reversed", str(array[::-1, ::2])])
"""
DTYPES = ["bool_", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
          "float16", "float32", "float64", "bfloat16", "complex64"]


@pytest.mark.parametrize("name", DTYPES)
def test_printed_form(oracle, name):
    program = f"NAMES = [{name!r}]\n" + PROGRAM
    assert evaluator.run(mx, program) == oracle.run(program)
