"""Quantised matrices.
w ~ scale q + bias for each group of `group_size` (32, 64, 128) along the last axis, q of `bits` bits,
packed into uint32. Defaults: group 64, 4 bits.

Products of float32 are accurate to float32, within 1e-6 of sum |x| |w|, whatever a row holds.
Of halves, rows computed together and alone differ by at most a unit in the last place of the
result and one of sqrt(sum x^2 w^2), its typical size."""


@c("")
@ops("affine_quantize")
@adapter("quantize")
@cpp("std::vector<array> quantize(const array& w, std::optional<int> group_size = std::nullopt, "
     "std::optional<int> bits = std::nullopt, const std::string& mode = \"affine\")")
def quantize(
    w: array,
    group_size: int | None = None,
    bits: int | None = None,
    mode: str = "affine",
    *,
    stream: StreamOrDevice = None,
) -> tuple[array, array, array]:
    """Packed integers, scales and biases of the groups along the last axis.

    Shape: [..., N bits / 32], [..., N / group_size] and [..., N / group_size] of w's [..., N].
    Dtype: uint32, that of w, that of w.
    Errors: ValueError if N is no multiple of the group, or for sizes and modes that are not there.
    Source: Frantar et al., GPTQ, 2022: groups with a scale and a zero point.

    >>> q, scales, biases = mx.quantize(mx.ones((2, 64)))
    >>> q.shape, scales.shape, biases.shape
    ((2, 8), (2, 1), (2, 1))
    """


@c("")
@ops("affine_dequantize")
@adapter("dequantize")
@cpp("array dequantize(const array& w, const array& scales, const std::optional<array>& biases, "
     "std::optional<int> group_size = std::nullopt, std::optional<int> bits = std::nullopt, "
     "const std::string& mode = \"affine\")")
def dequantize(
    w: array,
    scales: array,
    biases: array | None = None,
    group_size: int | None = None,
    bits: int | None = None,
    mode: str = "affine",
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The numbers that packed integers, scales and biases stand for.

    Shape: [..., N] of packed [..., N bits / 32].
    Dtype: dtype; by default that of the scales.
    Errors: ValueError if the shapes do not fit, or for sizes and modes that are not there.
    Source: Frantar et al., GPTQ, 2022: groups with a scale and a zero point.

    >>> mx.dequantize(*mx.quantize(mx.ones((2, 64)))).shape
    (2, 64)
    """


@cpp("array quantized_matmul(const array& x, const array& w, const array& scales, "
     "const std::optional<array>& biases = std::nullopt, bool transpose = true, "
     "std::optional<int> group_size = std::nullopt, std::optional<int> bits = std::nullopt, "
     "const std::string& mode = \"affine\")")
def quantized_matmul(
    x: array,
    w: array,
    scales: array,
    biases: array | None = None,
    transpose: bool = True,
    group_size: int | None = None,
    bits: int | None = None,
    mode: str = "affine",
    *,
    stream: StreamOrDevice = None,
) -> array:
    """x times the transposed quantised matrix, or times the matrix itself.

    Shape: [..., M, N] of x's [..., M, K] and w's N rows of K numbers (K rows of N if not transpose).
    Dtype: that which x and the scales promote to.
    Errors: ValueError if the shapes do not fit, or for sizes and modes that are not there.
    Source: Frantar et al., GPTQ, 2022: groups with a scale and a zero point.

    >>> mx.quantized_matmul(mx.ones((1, 64)), *mx.quantize(mx.ones((2, 64))))
    array([[64, 64]], dtype=float32)
    """
