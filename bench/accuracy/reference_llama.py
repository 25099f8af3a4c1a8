"""The logits of Llama and Qwen2 in float32, from the weights that a GGUF file stands for.

Written from the published descriptions (Touvron et al., 2023, arXiv:2302.13971; Yang et al., 2024,
arXiv:2407.10671) and GGUF's order of rows: of the architecture `llama` neighbouring features of a
query or key turn together, of `qwen2` feature i with i + size / 2.
"""

import torch
from reference import norm


def rotate(x, base, neighbours):
    """Rotary positions 0, 1, ... of x [heads, T, size]."""
    half = x.shape[-1] // 2
    frequency = base ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * frequency
    cosine, sine = angle.cos().float(), angle.sin().float()
    if neighbours:
        first, second = x[..., 0::2], x[..., 1::2]
    else:
        first, second = x[..., :half], x[..., half:]
    turned = [first * cosine - second * sine, first * sine + second * cosine]
    return torch.stack(turned, -1).flatten(-2) if neighbours else torch.cat(turned, -1)


def product(weights, name, x):
    y = x @ weights[name + ".weight"].T
    return y + weights[name + ".bias"] if name + ".bias" in weights else y


def attend(settings, weights, prefix, x):
    """The attention block of one layer on x [T, hidden]."""
    count = x.shape[0]
    size = settings["embedding_length"] // settings["attention.head_count"]
    base = settings.get("rope.freq_base", 10000.0)
    neighbours = settings["architecture"] == "llama"

    def heads(name):
        return product(weights, f"{prefix}attn_{name}", x).reshape(count, -1, size).transpose(0, 1)

    q, k = (rotate(heads(name), base, neighbours) for name in "qk")
    group = settings["attention.head_count"] // settings["attention.head_count_kv"]
    k, v = (y.repeat_interleave(group, 0) for y in (k, heads("v")))
    hidden = torch.ones(count, count).triu(1).bool()
    scores = q @ k.transpose(-1, -2) / size ** 0.5
    mixed = scores.masked_fill(hidden, float("-inf")).softmax(-1) @ v
    return product(weights, prefix + "attn_output", mixed.transpose(0, 1).reshape(count, -1))


def hidden_states(settings, weights, tokens):
    """What the output matrix is multiplied with, [T, hidden]."""
    epsilon = settings["attention.layer_norm_rms_epsilon"]
    x = weights["token_embd.weight"][torch.tensor(tokens)]
    for layer in range(settings["block_count"]):
        prefix = f"blk.{layer}."
        h = norm(x, weights[prefix + "attn_norm.weight"], epsilon)
        x = x + attend(settings, weights, prefix, h)
        h = norm(x, weights[prefix + "ffn_norm.weight"], epsilon)
        gate = torch.nn.functional.silu(product(weights, prefix + "ffn_gate", h))
        x = x + product(weights, prefix + "ffn_down", gate * product(weights, prefix + "ffn_up", h))
    return norm(x, weights["output_norm.weight"], epsilon)
