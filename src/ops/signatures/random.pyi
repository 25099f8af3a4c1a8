"""Random arrays.
A key (uint32 of shape [2]) says which numbers come out; the same key always gives the same ones.
Without a key, each call takes the next of the calling thread's default sequence.
The generator is Threefry-2x32 with 20 rounds (Salmon et al., Parallel random numbers: as easy as
1, 2, 3, 2011)."""

module = "random"
namespace = "random"
header = "lazuli/random.h"

state: list[array]


@cpp("void seed(uint64_t seed)")
def seed(seed: int) -> None:
    """Starts the calling thread's default sequence anew.

    Shape: none.
    Dtype: none.
    Errors: TypeError for a number below 0 or above 64 bits.
    Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011.

    >>> mx.random.seed(0)
    """


@cpp("array key(uint64_t seed)")
def key(seed: int) -> array:
    """The key that a number stands for.

    Shape: [2].
    Dtype: uint32.
    Errors: TypeError for a number below 0 or above 64 bits.
    Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011.

    >>> mx.random.key(7)
    array([0, 7], dtype=uint32)
    """


@c("mlx_random_split_num")
@cpp("array split(const array& key, int num)")
def split(key: array, num: int = 2, stream: StreamOrDevice = None) -> array:
    """Keys that depend on one key and on nothing else.

    Shape: [num, 2].
    Dtype: uint32.
    Errors: ValueError if the key is none, or num is negative.
    Source: Claessen and Palka, Splittable pseudorandom number generators, 2013.

    >>> mx.random.split(mx.random.key(7)).shape
    (2, 2)
    """


@ops("random_bits")
@cpp("array uniform(const array& low, const array& high, const Shape& shape, Dtype dtype, "
     "const Key& key)")
def uniform(
    low: scalar | array = 0,
    high: scalar | array = 1,
    shape: Sequence[int] = [],
    dtype: Dtype | None = float32,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Uniform in [low, high); the bounds broadcast to the shape.

    Shape: shape.
    Dtype: dtype.
    Errors: ValueError if the dtype is not floating, or the bounds do not broadcast.
    Source: NumPy 2, random.Generator.uniform.

    >>> mx.random.uniform(shape=[2], key=mx.random.key(0)).shape
    (2,)
    """


@c("mlx_random_normal_broadcast")
@ops("random_bits")
@cpp("array normal(const Shape& shape, Dtype dtype, const std::optional<array>& loc, "
     "const std::optional<array>& scale, const Key& key)")
def normal(
    shape: Sequence[int] = [],
    dtype: Dtype | None = float32,
    loc: scalar | array | None = None,
    scale: scalar | array | None = None,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Normally distributed with mean loc and standard deviation scale, which broadcast to the shape;
    0 and 1 by default.

    Shape: shape.
    Dtype: dtype.
    Errors: ValueError if the dtype is not floating or complex, or loc or scale do not broadcast.
    Source: NumPy 2, random.Generator.normal.

    >>> mx.random.normal([2, 3], key=mx.random.key(0)).shape
    (2, 3)
    """


@ops("random_bits")
@adapter("truncated_normal")
def truncated_normal(
    lower: scalar | array,
    upper: scalar | array,
    shape: Sequence[int] | None = None,
    dtype: Dtype | None = float32,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """The standard normal distribution, cut to (lower, upper).

    Shape: shape; by default that of the bounds, broadcast together.
    Dtype: dtype.
    Errors: ValueError if the dtype is not floating, or the bounds do not broadcast.
    Source: Robert, Simulation of truncated normal variables, 1995.

    >>> mx.random.truncated_normal(-1, 1, [3], key=mx.random.key(0)).shape
    (3,)
    """


@ops("random_bits")
@cpp("array randint(const array& low, const array& high, const Shape& shape, Dtype dtype, "
     "const Key& key)")
def randint(
    low: scalar | array,
    high: scalar | array,
    shape: Sequence[int] = [],
    dtype: Dtype | None = int32,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Whole numbers in [low, high); the bounds broadcast to the shape.

    Shape: shape.
    Dtype: dtype.
    Errors: ValueError if the dtype is no integer or bool, or the bounds do not broadcast.
    Source: NumPy 2, random.Generator.integers.

    >>> mx.random.randint(5, 6, [3])
    array([5, 5, 5], dtype=int32)
    """


@ops("random_bits")
@adapter("bernoulli")
def bernoulli(
    p: scalar | array = 0.5,
    shape: Sequence[int] | None = None,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """True with probability p, which broadcasts to the shape.

    Shape: shape; by default that of p.
    Dtype: bool.
    Errors: ValueError if p is not floating, or does not broadcast.
    Source: NumPy 2, random.Generator.binomial of one trial.

    >>> mx.random.bernoulli(1.0, [2])
    array([True, True], dtype=bool)
    """


@ops("random_bits")
@adapter("categorical")
def categorical(
    logits: array,
    axis: int = -1,
    shape: Sequence[int] | None = None,
    num_samples: int | None = None,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Indices along the axis with the probabilities softmax(logits): one for each distribution,
    num_samples for each, or shape in all.

    Shape: that of logits without the axis, with num_samples as a new last axis; or shape, to which
    logits without the axis broadcast.
    Dtype: uint32.
    Errors: ValueError if both shape and num_samples are given; IndexError for an axis out of range.
    Source: Gumbel, Statistical theory of extreme values, 1954: the largest of logits plus noise.

    >>> mx.random.categorical(mx.array([0.0, 100.0]), num_samples=3)
    array([1, 1, 1], dtype=uint32)
    """


@ops("random_bits")
@cpp("array gumbel(const Shape& shape, Dtype dtype, const Key& key)")
def gumbel(
    shape: Sequence[int] = [],
    dtype: Dtype | None = float32,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """The standard Gumbel distribution: -log(-log(u)) of uniform u.

    Shape: shape.
    Dtype: dtype.
    Errors: ValueError if the dtype is not floating.
    Source: Gumbel, Statistical theory of extreme values, 1954.

    >>> mx.random.gumbel([2], key=mx.random.key(0)).shape
    (2,)
    """


@ops("random_bits")
@cpp("array laplace(const Shape& shape, Dtype dtype, float loc, float scale, const Key& key)")
def laplace(
    shape: Sequence[int] = [],
    dtype: Dtype | None = float32,
    loc: float = 0.0,
    scale: float = 1.0,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """The Laplace distribution with mean loc and scale.

    Shape: shape.
    Dtype: dtype.
    Errors: ValueError if the dtype is not floating.
    Source: NumPy 2, random.Generator.laplace.

    >>> mx.random.laplace([2], key=mx.random.key(0)).shape
    (2,)
    """


@ops("random_bits")
@adapter("permutation")
def permutation(
    x: int | array,
    axis: int = 0,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """The slices of an array along the axis in random order, or the numbers [0, x).

    Shape: that of x, or [x].
    Dtype: that of x, or int32.
    Errors: IndexError if the axis is out of range; TypeError if x is neither array nor integer.
    Source: NumPy 2, random.Generator.permutation.

    >>> mx.sort(mx.random.permutation(3))
    array([0, 1, 2], dtype=uint32)
    """
