"""Writes quantized_fixture.bin: small matrices and what the MLX wheel quantises them to.

    pip install "mlx[cpu]==0.32.4" numpy && python tests/kernels/quantized_fixture.py

For each case: u32 dtype (0 float32, 1 bfloat16, 2 float16), group, bits; then w [3, 128], w_q,
scales and biases. The rows are normal values, multiples of a half (ties, zeros) and constants.
"""

import struct
from pathlib import Path

import mlx.core as mx
import numpy as np

ROWS, COLUMNS = 3, 128


def raw(array):
    if array.dtype == mx.uint32:
        return np.array(array).astype("<u4").tobytes()
    if array.dtype == mx.float32:
        return np.array(array).astype("<f4").tobytes()
    return np.array(array.view(mx.uint16)).astype("<u2").tobytes()


def main():
    random = np.random.default_rng(5)
    with open(Path(__file__).with_name("quantized_fixture.bin"), "wb") as file:
        for number, dtype in enumerate((mx.float32, mx.bfloat16, mx.float16)):
            for bits in (1, 2, 3, 4, 5, 6, 8):
                for group in (32, 64, 128):
                    w = np.empty((ROWS, COLUMNS), np.float32)
                    w[0] = random.standard_normal(COLUMNS)
                    w[1] = random.integers(-15, 16, COLUMNS) / 2
                    w[1, 32:64] = 0
                    w[2] = np.repeat(random.standard_normal(4), 32)
                    array = mx.array(w).astype(dtype)
                    file.write(struct.pack("<III", number, group, bits))
                    for part in (array, *mx.quantize(array, group, bits)):
                        file.write(raw(part))


main()
