"""Writes packed_fixture.bin: random packed blocks and what PyPI gguf makes of them.

    pip install gguf==0.19.0 && python tests/kernels/packed_fixture.py

For each format: u32 GGUF type, u32 blocks, the blocks, their float32 values. A third of the blocks
is random in every byte, so that f16 scales that are NaN, infinite or subnormal occur.
"""

import struct
from pathlib import Path

import gguf
import numpy as np

# Where the f16 scales lie in a block.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}


def main():
    random = np.random.default_rng(3)
    with open(Path(__file__).with_name("packed_fixture.bin"), "wb") as file:
        for name, offsets in SCALES.items():
            kind = gguf.GGMLQuantizationType[name]
            elements, size = gguf.GGML_QUANT_SIZES[kind]
            count = 24 if elements == 32 else 6
            blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
            for block in blocks[: count * 2 // 3]:
                for offset in offsets:
                    scale = np.float16(random.normal() * 0.05)
                    block[offset : offset + 2] = np.frombuffer(scale.tobytes(), np.uint8)
            with np.errstate(all="ignore"):
                values = gguf.quants.dequantize(blocks, kind).astype("<f4")
            assert values.size == count * elements
            file.write(struct.pack("<II", int(kind), count))
            file.write(blocks.tobytes())
            file.write(values.tobytes())


main()
