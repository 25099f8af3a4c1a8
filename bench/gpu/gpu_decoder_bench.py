"""gpu_decoder_bench.cpp through the Python door: decoders with random weights, the same shapes, the
same loop and rows.

usage: gpu_decoder_bench.py [llama|qwen|tiny|all] [bf16|4bit|all]
PYTHONPATH is build/<preset>/python. `tiny` (not among `all`) is small enough for any device.
"""

import math
import sys
import time
from dataclasses import dataclass

import lazuli.core as mx

GROUP, BITS = 64, 4
CONTEXT, PROMPT, STEPS = 512, 1024, 64


@dataclass
class DecoderShape:
    name: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    head: int
    hidden: int
    vocabulary: int
    head_norms: bool  # of queries and keys
    rope_base: float


SHAPES = [
    DecoderShape("llama-8b", 32, 4096, 32, 8, 128, 14336, 128256, False, 500000.0),
    DecoderShape("qwen3-4b", 36, 2560, 32, 8, 128, 9728, 151936, True, 1000000.0),
]
TINY = DecoderShape("tiny", 2, 64, 4, 2, 32, 128, 320, True, 10000.0)


def random_matrix(rows, columns, seed):
    scale = 1 / math.sqrt(columns)
    w = mx.random.uniform(-scale, scale, (rows, columns), key=mx.random.key(seed))
    w = w.astype(mx.bfloat16)
    mx.eval(w)
    return w


class Weight:
    """A matrix [rows, columns], plain or as 4-bit levels in groups of 64."""

    def __init__(self, rows, columns, quantized, seed):
        self.w, self.scales, self.biases = random_matrix(rows, columns, seed), None, None
        if quantized:
            self.w, self.scales, self.biases = mx.quantize(self.w, GROUP, BITS)
            mx.eval(self.w, self.scales, self.biases)
        self.bytes = sum(part.nbytes for part in (self.w, self.scales, self.biases)
                         if part is not None)

    def times(self, x):
        if self.scales is None:
            return x @ self.w.T
        return mx.quantized_matmul(x, self.w, self.scales, self.biases, True, GROUP, BITS)


class Layer:
    def __init__(self, decoder, batch, context_max):
        shape, weight, norm = decoder.shape, decoder.weight, decoder.norm
        rows, kv_rows = shape.heads * shape.head, shape.kv_heads * shape.head
        self.q = weight(rows, shape.width)
        self.k, self.v = weight(kv_rows, shape.width), weight(kv_rows, shape.width)
        self.o = weight(shape.width, rows)
        self.gate = weight(shape.hidden, shape.width)
        self.up = weight(shape.hidden, shape.width)
        self.down = weight(shape.width, shape.hidden)
        self.before, self.after = norm(shape.width), norm(shape.width)
        self.q_norm, self.k_norm = norm(shape.head), norm(shape.head)
        cache = (batch, shape.kv_heads, context_max, shape.head)
        self.keys, self.values = mx.zeros(cache, mx.bfloat16), mx.zeros(cache, mx.bfloat16)
        mx.eval(self.keys, self.values)


class Decoder:
    def __init__(self, shape, quantized, batch, context_max):
        self.shape, self.quantized = shape, quantized
        self.weight_bytes, self.seed = 0, 0
        self.embedding = random_matrix(shape.vocabulary, shape.width, 1000)
        self.last_norm = self.norm(shape.width)
        self.head = self.weight(shape.vocabulary, shape.width)
        self.layers = [Layer(self, batch, context_max) for _ in range(shape.layers)]

    def weight(self, rows, columns):
        self.seed += 1
        weight = Weight(rows, columns, self.quantized, self.seed)
        self.weight_bytes += weight.bytes
        return weight

    def norm(self, size):
        self.seed += 1
        w = mx.random.uniform(0.5, 1.5, (size,), key=mx.random.key(self.seed)).astype(mx.bfloat16)
        mx.eval(w)
        return w

    def attention(self, layer, x, position):
        shape, (batch, count, _) = self.shape, x.shape

        def heads_of(y, heads):
            return y.reshape(batch, count, heads, shape.head).transpose(0, 2, 1, 3)

        q = heads_of(layer.q.times(x), shape.heads)
        k = heads_of(layer.k.times(x), shape.kv_heads)
        v = heads_of(layer.v.times(x), shape.kv_heads)
        if shape.head_norms:
            q = mx.fast.rms_norm(q, layer.q_norm, 1e-6)
            k = mx.fast.rms_norm(k, layer.k_norm, 1e-6)
        rope = dict(traditional=False, base=shape.rope_base, scale=1.0, offset=position)
        q, k = mx.fast.rope(q, shape.head, **rope), mx.fast.rope(k, shape.head, **rope)
        end = position + count
        layer.keys[:, :, position:end] = k
        layer.values[:, :, position:end] = v
        mixed = mx.fast.scaled_dot_product_attention(
            q, layer.keys[:, :, :end], layer.values[:, :, :end], scale=1 / math.sqrt(shape.head),
            mask="causal" if count > 1 else None)
        return layer.o.times(mixed.transpose(0, 2, 1, 3).reshape(batch, count, -1))

    def step(self, tokens, position):
        """The most likely next token of each sequence; the caches grow."""
        x = self.embedding[tokens]
        for layer in self.layers:
            x = x + self.attention(layer, mx.fast.rms_norm(x, layer.before, 1e-5), position)
            y = mx.fast.rms_norm(x, layer.after, 1e-5)
            gate = layer.gate.times(y)
            x = x + layer.down.times(gate * mx.sigmoid(gate) * layer.up.times(y))
        logits = self.head.times(mx.fast.rms_norm(x[:, -1:], self.last_norm, 1e-5))
        return mx.argmax(logits, -1)

    def state(self):
        return [part for layer in self.layers for part in (layer.keys, layer.values)]


def random_tokens(shape, batch, count):
    tokens = mx.random.randint(0, min(30000, shape.vocabulary), (batch, count), mx.int32,
                               key=mx.random.key(7))
    mx.eval(tokens)
    return tokens


def decode(decoder, shape, kind, batch):
    """As mlx-lm generates: the next step is queued, then the token of the last one is read."""
    token = random_tokens(shape, batch, 1)
    host, best = 0.0, 1e9
    for _ in range(3):
        mx.synchronize()
        start, host = time.perf_counter(), 0.0
        for k in range(STEPS):
            step_start = time.perf_counter()
            following = decoder.step(token, CONTEXT + k).astype(mx.int32)
            mx.async_eval(following)
            host += time.perf_counter() - step_start
            token.tolist()
            token = following
        mx.eval(token)
        best = min(best, (time.perf_counter() - start) / STEPS)
    print(f"{shape.name:<10} decode batch {batch} {kind:<5} {batch / best:9.1f} tok/s "
          f"{best * 1e6:8.1f} us/step, host {host / STEPS * 1e6:7.1f} us, "
          f"{decoder.weight_bytes / best / 1e12:.2f} TB/s", flush=True)


def prefill(decoder, shape, kind):
    tokens = random_tokens(shape, 1, PROMPT)

    def run():
        following = decoder.step(tokens, 0)
        mx.eval(decoder.state(), following)

    run()
    best = 1e9
    for _ in range(5):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    print(f"{shape.name:<10} prefill {PROMPT} {kind:<5} {PROMPT / best:9.0f} tok/s "
          f"{best * 1e3:8.2f} ms", flush=True)


def measure(shape, quantized):
    kind = "4bit" if quantized else "bf16"
    decoder = Decoder(shape, quantized, 1, PROMPT + 64)
    prefill(decoder, shape, kind)
    decode(decoder, shape, kind, 1)
    del decoder
    decode(Decoder(shape, quantized, 8, CONTEXT + 64), shape, kind, 8)


def main(arguments):
    model, kind = [*arguments, *["all"] * 2][:2]
    if mx.is_available(mx.gpu):
        mx.set_default_device(mx.gpu)
    shapes = [TINY] if model == "tiny" else [s for s in SHAPES
                                             if model == "all" or s.name.startswith(model)]
    for shape in shapes:
        for quantized in (False, True):
            if kind in ("all", "4bit" if quantized else "bf16"):
                measure(shape, quantized)


if __name__ == "__main__":
    main(sys.argv[1:])
