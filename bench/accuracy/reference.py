"""The logits of Gemma 3 in float32, from the weights that a GGUF file stands for.

Written from the model's published description (Gemma Team, 2025, arXiv:2503.19786): every weight is
dequantised by the package `gguf`, everything is computed by PyTorch in float32.
"""

import gguf
import torch


def load(path):
    """The settings and the float32 weights of a file."""
    reader = gguf.GGUFReader(path)
    architecture = reader.fields["general.architecture"].contents()
    settings = {"architecture": architecture}
    for name, field in reader.fields.items():
        if name.startswith(architecture + "."):
            settings[name.removeprefix(architecture + ".")] = field.contents()
    weights = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        weights[tensor.name] = torch.tensor(values, dtype=torch.float32)
    return settings, weights


def norm(x, weight, epsilon):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight


def rotate(x, base):
    """Rotary positions 0, 1, ... of x [heads, T, size]; feature i turns with i + size / 2."""
    half = x.shape[-1] // 2
    frequency = base ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * frequency
    cosine, sine = angle.cos().float(), angle.sin().float()
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], -1)


def attend(settings, weights, prefix, x, is_global):
    """The attention block of one layer on x [T, hidden]."""
    count, size = x.shape[0], settings["attention.key_length"]
    epsilon = settings["attention.layer_norm_rms_epsilon"]
    base = settings["rope.freq_base"] if is_global else 10000.0

    def heads(name):
        y = x @ weights[f"{prefix}attn_{name}.weight"].T
        return y.reshape(count, -1, size).transpose(0, 1)

    q = rotate(norm(heads("q"), weights[prefix + "attn_q_norm.weight"], epsilon), base)
    k = rotate(norm(heads("k"), weights[prefix + "attn_k_norm.weight"], epsilon), base)
    v = heads("v")
    distance = torch.arange(count)[:, None] - torch.arange(count)[None]
    hidden = distance < 0
    if not is_global:
        hidden = hidden | (distance >= settings["attention.sliding_window"])
    scores = q @ k.transpose(-1, -2) / size ** 0.5
    mixed = scores.masked_fill(hidden, float("-inf")).softmax(-1) @ v
    mixed = mixed.transpose(0, 1).reshape(count, -1)
    return mixed @ weights[prefix + "attn_output.weight"].T


def hidden_states(settings, weights, tokens):
    """What the output matrix is multiplied with, [T, hidden]."""
    epsilon = settings["attention.layer_norm_rms_epsilon"]
    embedding = weights["token_embd.weight"]
    x = embedding[torch.tensor(tokens)] * embedding.shape[1] ** 0.5
    for layer in range(settings["block_count"]):
        prefix = f"blk.{layer}."

        def normed(value, name, prefix=prefix):
            return norm(value, weights[f"{prefix}{name}.weight"], epsilon)

        h = attend(settings, weights, prefix, normed(x, "attn_norm"), (layer + 1) % 6 == 0)
        x = x + normed(h, "post_attention_norm")
        h = normed(x, "ffn_norm")
        gate = torch.nn.functional.gelu(h @ weights[prefix + "ffn_gate.weight"].T,
                                        approximate="tanh")
        both = gate * (h @ weights[prefix + "ffn_up.weight"].T)
        h = both @ weights[prefix + "ffn_down.weight"].T
        x = x + normed(h, "post_ffw_norm")
    return norm(x, weights["output_norm.weight"], epsilon)
