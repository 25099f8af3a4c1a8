"""A Gemma 3 model of a few kilobytes, written by hand, with whatever a test wants to be wrong."""

import struct

import numpy as np

HIDDEN, HEADS, KV_HEADS, HEAD_SIZE, FEED_FORWARD, LAYERS = 32, 4, 2, 16, 64, 2
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
STRING, ARRAY, UINT32, INT32, FLOAT32, BOOL, UINT64 = 8, 9, 4, 5, 6, 7, 10
NUMBERS = {UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?", UINT64: "<Q"}


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, content):
    if kind == STRING:
        return text(content)
    if kind == ARRAY:
        element, items = content
        return struct.pack("<IQ", element, len(items)) + b"".join(value(element, i) for i in items)
    return struct.pack(NUMBERS[kind], content)


def vocabulary():
    """Texts and kinds: three roles, 256 bytes, the printable characters, two ends."""
    texts = ["<unk>", "<bos>", "<eos>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256
    characters = ["\u2581"] + [chr(c) for c in range(33, 127)]
    return texts + characters, kinds + [NORMAL] * len(characters)


def metadata():
    texts, kinds = vocabulary()
    scores = [0.0] * len(texts)
    return {
        "general.architecture": (STRING, "gemma3"),
        "gemma3.block_count": (UINT32, LAYERS),
        "gemma3.embedding_length": (UINT32, HIDDEN),
        "gemma3.feed_forward_length": (UINT32, FEED_FORWARD),
        "gemma3.attention.head_count": (UINT32, HEADS),
        "gemma3.attention.head_count_kv": (UINT32, KV_HEADS),
        "gemma3.attention.key_length": (UINT32, HEAD_SIZE),
        "gemma3.attention.sliding_window": (UINT32, 8),
        "gemma3.context_length": (UINT32, 4096),
        "gemma3.attention.layer_norm_rms_epsilon": (FLOAT32, 1e-6),
        "tokenizer.ggml.model": (STRING, "llama"),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, texts)),
        "tokenizer.ggml.scores": (ARRAY, (FLOAT32, scores)),
        "tokenizer.ggml.token_type": (ARRAY, (INT32, kinds)),
        "tokenizer.ggml.add_space_prefix": (BOOL, False),
    }


def tensors():
    random = np.random.default_rng(0)

    def matrix(rows, columns):
        return random.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)

    def norm(size):
        return np.ones(size, np.float32)

    made = {"token_embd.weight": matrix(len(vocabulary()[0]), HIDDEN),
            "output_norm.weight": norm(HIDDEN)}
    for layer in range(LAYERS):
        parts = {
            "attn_q": matrix(HEADS * HEAD_SIZE, HIDDEN),
            "attn_k": matrix(KV_HEADS * HEAD_SIZE, HIDDEN),
            "attn_v": matrix(KV_HEADS * HEAD_SIZE, HIDDEN),
            "attn_output": matrix(HIDDEN, HEADS * HEAD_SIZE),
            "ffn_gate": matrix(FEED_FORWARD, HIDDEN), "ffn_up": matrix(FEED_FORWARD, HIDDEN),
            "ffn_down": matrix(HIDDEN, FEED_FORWARD),
            "attn_q_norm": norm(HEAD_SIZE), "attn_k_norm": norm(HEAD_SIZE),
        }
        norms = ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        parts |= {name: norm(HIDDEN) for name in norms}
        made |= {f"blk.{layer}.{name}.weight": array for name, array in parts.items()}
    return made


def write(path, changed_metadata=None, changed_tensors=None):
    """Writes the model; None in place of a changed value leaves it out. Returns the path."""
    return write_file(path, {**metadata(), **(changed_metadata or {})},
                      {**tensors(), **(changed_tensors or {})})


def write_file(path, entries, arrays):
    """Writes metadata and float32 tensors, without those that are None. Returns the path."""
    entries = {key: entry for key, entry in entries.items() if entry is not None}
    arrays = {name: array for name, array in arrays.items() if array is not None}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(arrays), len(entries))
    for key, (kind, content) in entries.items():
        head += text(key) + struct.pack("<I", kind) + value(kind, content)
    data = b""
    for name, array in arrays.items():
        head += text(name) + struct.pack("<I", array.ndim)
        head += struct.pack(f"<{array.ndim}Q", *reversed(array.shape))
        head += struct.pack("<IQ", 0, len(data))
        data += array.astype("<f4").tobytes()
        data += b"\0" * (-len(data) % 32)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + data)
    return path
