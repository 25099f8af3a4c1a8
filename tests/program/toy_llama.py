"""A model of the Llama family of a few kilobytes, and what it writes by NumPy in float64."""

import numpy as np
from toy_model import ARRAY, CONTROL, FLOAT32, INT32, NORMAL, STRING, UINT32, write_file

HIDDEN, HEADS, KV_HEADS, HEAD_SIZE, FEED_FORWARD, LAYERS = 32, 4, 2, 8, 48, 2
TEXTS = ["<|endoftext|>", "\u0120"] + [chr(c) for c in range(33, 127)]


def metadata(architecture):
    entries = {
        "block_count": (UINT32, LAYERS),
        "embedding_length": (UINT32, HIDDEN),
        "feed_forward_length": (UINT32, FEED_FORWARD),
        "attention.head_count": (UINT32, HEADS),
        "attention.head_count_kv": (UINT32, KV_HEADS),
        "context_length": (UINT32, 512),
        "attention.layer_norm_rms_epsilon": (FLOAT32, 1e-5),
    }
    kinds = [CONTROL] + [NORMAL] * (len(TEXTS) - 1)
    return {
        "general.architecture": (STRING, architecture),
        **{f"{architecture}.{name}": entry for name, entry in entries.items()},
        "tokenizer.ggml.model": (STRING, "gpt2"),
        "tokenizer.ggml.pre": (STRING, "gpt-2"),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, TEXTS)),
        "tokenizer.ggml.token_type": (ARRAY, (INT32, kinds)),
        "tokenizer.ggml.merges": (ARRAY, (STRING, [])),
    }


def tensors(head_size=HEAD_SIZE, kv_heads=KV_HEADS, biased=False, tied=True):
    random = np.random.default_rng(0)

    def normal(*shape):
        return random.normal(0, shape[-1]**-0.5, shape).astype(np.float32)

    made = {"token_embd.weight": normal(len(TEXTS), HIDDEN) * 4,
            "output_norm.weight": 1 + normal(HIDDEN)}
    if not tied:
        made["output.weight"] = normal(len(TEXTS), HIDDEN)
    query, key = HEADS * head_size, kv_heads * head_size
    for layer in range(LAYERS):
        shapes = {"attn_q": (query, HIDDEN), "attn_k": (key, HIDDEN), "attn_v": (key, HIDDEN),
                  "attn_output": (HIDDEN, query), "ffn_gate": (FEED_FORWARD, HIDDEN),
                  "ffn_up": (FEED_FORWARD, HIDDEN), "ffn_down": (HIDDEN, FEED_FORWARD)}
        for name, shape in shapes.items():
            made[f"blk.{layer}.{name}.weight"] = 2 * normal(*shape)
            if biased and name in ("attn_q", "attn_k", "attn_v"):
                made[f"blk.{layer}.{name}.bias"] = normal(shape[0])
        for name in ("attn_norm", "ffn_norm"):
            made[f"blk.{layer}.{name}.weight"] = 1 + normal(HIDDEN)
    return made


def write(path, architecture="llama", changed_metadata=None, changed_tensors=None, **form):
    """Writes the model; None in place of a changed value leaves it out. Returns the path."""
    return write_file(path, {**metadata(architecture), **(changed_metadata or {})},
                      {**tensors(**form), **(changed_tensors or {})})


# ---- The same in NumPy ----
def norm(x, weight):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * weight


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def rotate(x, neighbours, features, scale, stretch):
    """Rotary positions 0, 1, ... of x [heads, T, size]."""
    half = features // 2
    frequency = 10000.0 ** (-np.arange(half) / half) / stretch
    angle = np.arange(x.shape[1])[:, None] * scale * frequency
    c, s = np.cos(angle), np.sin(angle)
    pairs = (slice(0, features, 2), slice(1, features, 2)) if neighbours else (
        slice(0, half), slice(half, features))
    first, second = x[..., pairs[0]], x[..., pairs[1]]
    turned = x.copy()
    turned[..., pairs[0]], turned[..., pairs[1]] = first * c - second * s, first * s + second * c
    return turned


def logits(weights, tokens, neighbours, features, scale=1.0, stretch=1.0):
    """Of the last of the tokens."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    count = len(tokens)
    x = w["token_embd.weight"][tokens]

    def product(name, y):
        return y @ w[name + ".weight"].T + w.get(name + ".bias", 0.0)

    for layer in range(LAYERS):
        at = f"blk.{layer}."
        h = norm(x, w[at + "attn_norm.weight"])
        size = w[at + "attn_q.weight"].shape[0] // HEADS
        q, k, v = (product(at + name, h).reshape(count, -1, size).swapaxes(0, 1)
                   for name in ("attn_q", "attn_k", "attn_v"))
        q, k = (rotate(y, neighbours, features, scale, stretch) for y in (q, k))
        k, v = (y.repeat(HEADS // y.shape[0], 0) for y in (k, v))
        scores = q @ k.swapaxes(1, 2) / size**0.5 + np.triu(np.full((count, count), -np.inf), 1)
        mixed = (softmax(scores) @ v).swapaxes(0, 1).reshape(count, -1)
        x = x + product(at + "attn_output", mixed)
        h = norm(x, w[at + "ffn_norm.weight"])
        gate = product(at + "ffn_gate", h)
        x = x + product(at + "ffn_down", gate / (1 + np.exp(-gate)) * product(at + "ffn_up", h))
    return w.get("output.weight", w["token_embd.weight"]) @ norm(x, w["output_norm.weight"])[-1]


def continuation(weights, prompt, count, **rope):
    """The most likely text behind the prompt."""
    tokens = [TEXTS.index(c.replace(" ", "\u0120")) for c in prompt]
    for _ in range(count):
        tokens.append(int(np.argmax(logits(weights, tokens, **rope))))
        if tokens[-1] == 0:
            break
    return "".join(TEXTS[t] for t in tokens[len(prompt):] if t).replace("\u0120", " ")
