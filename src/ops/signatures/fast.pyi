"""Building blocks of models, each defined by a composition of plain operations."""

module = "fast"
namespace = "fast"


@cpp("array rms_norm(const array& x, const std::optional<array>& weight, float eps)")
def rms_norm(
    x: array,
    weight: array | None,
    eps: float,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """x / sqrt(mean(x^2) + eps) * weight along the last axis, computed in float32.

    Shape: that of x; the weight is [D], the last extent of x, or None.
    Dtype: that of x.
    Errors: ValueError if x has no axes, the weight is not [D], or x is not floating.
    Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.

    >>> mx.fast.rms_norm(mx.array([3.0, 4.0]), None, 1e-5)
    array([0.848528, 1.13137], dtype=float32)
    """


@cpp("array layer_norm(const array& x, const std::optional<array>& weight, "
     "const std::optional<array>& bias, float eps)")
def layer_norm(
    x: array,
    weight: array | None,
    bias: array | None,
    eps: float,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """(x - mean) / sqrt(variance + eps) * weight + bias along the last axis, computed in float32.

    Shape: that of x; weight and bias are [D], the last extent of x, or None.
    Dtype: that of x.
    Errors: ValueError if x has no axes, weight or bias are not [D], or x is not floating.
    Source: Ba et al., Layer Normalization, 2016.

    >>> mx.fast.layer_norm(mx.array([1.0, 3.0]), None, None, 1e-5)
    array([-0.999995, 0.999995], dtype=float32)
    """


@c("mlx_fast_rope", "mlx_fast_rope_dynamic")
@adapter("rope")
@cpp("array rope(const array& x, int dims, bool traditional, std::optional<float> base, "
     "float scale, int offset, const std::optional<array>& freqs = std::nullopt)",
     "array rope(const array& x, int dims, bool traditional, std::optional<float> base, "
     "float scale, const array& offset, const std::optional<array>& freqs = std::nullopt)")
def rope(
    a: array,
    dims: int,
    *,
    traditional: bool,
    base: float | None,
    scale: float,
    offset: int | array,
    freqs: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Rotary position encoding of the first `dims` features, the positions being (offset + t) scale.
    `traditional` rotates neighbouring features, else feature i with i + dims / 2. Exactly one of base
    and freqs ([dims / 2], the wave lengths) is given.

    Shape: that of a, [B, ..., T, D]; the offset is one number or [B].
    Dtype: that of a.
    Errors: ValueError if dims are odd or more than D, or both or none of base and freqs are given.
    Source: Su et al., RoFormer, 2021.

    >>> mx.fast.rope(mx.ones((1, 2, 4)), 4, traditional=False, base=10000.0, scale=1.0, offset=0)[0, 0]
    array([1, 1, 1, 1], dtype=float32)
    """


@ops("attention")
@adapter("scaled_dot_product_attention")
@cpp("array scaled_dot_product_attention(const array& queries, const array& keys, "
     "const array& values, const float scale, const std::string& mask_mode = \"\", "
     "std::optional<array> mask_arr = {}, const std::optional<array>& sinks = {}, "
     "bool force_fused = false)")
def scaled_dot_product_attention(
    q: array,
    k: array,
    v: array,
    *,
    scale: float,
    mask: str | array | None = None,
    sinks: array | None = None,
    force_fused: bool = False,
    stream: StreamOrDevice = None,
) -> array:
    """softmax(q k^T scale + mask) v, the softmax in float32. The mask is None, "causal" (the last
    query sees the last key) or an array, boolean or additive; sinks [N] are scores that take part in
    the softmax and have no value. In C++ mask_mode is "" (none), "causal" or "array".

    Shape: [B, N, T, V] of q [B, N, T, D], k [B, M, S, D] and v [B, M, S, V], N a multiple of M; the
    mask broadcasts to [B, N, T, S].
    Dtype: that which q, k and v promote to.
    Errors: ValueError if the shapes do not fit, or the mask is neither "causal" nor an array.
    Source: Vaswani et al., Attention Is All You Need, 2017; sinks: Xiao et al., 2023.

    >>> x = mx.ones((1, 1, 2, 4))
    >>> mx.fast.scaled_dot_product_attention(x, x, x, scale=0.5, mask="causal").shape
    (1, 1, 2, 4)
    """
