"""Groups of processes; this one alone, until there are back-ends."""

module = "distributed"
plain = True


@hand
def is_available(backend: str = "any") -> bool:
    """Whether groups of several processes can be made.

    Errors: ValueError for a back-end that is not known.

    >>> mx.distributed.is_available()
    False
    """


@hand
def init(strict: bool = False, backend: str = "any", *, all_gather_factory: Any = None) -> Group:
    """The group of all processes: this one.

    Errors: RuntimeError if strict; ValueError for a back-end that is not known.

    >>> mx.distributed.init().size()
    1
    """


@hand
def all_sum(x: array, *, group: Group | None = None, stream: StreamOrDevice = None) -> array:
    """The sums over the processes. In a group of one process, the array itself.

    >>> mx.distributed.all_sum(mx.array([1, 2]))
    array([1, 2], dtype=int32)
    """


@hand
def all_max(x: array, *, group: Group | None = None, stream: StreamOrDevice = None) -> array:
    """The largest elements over the processes. In a group of one process, the array itself.

    >>> mx.distributed.all_max(mx.array([1, 2]))
    array([1, 2], dtype=int32)
    """


@hand
def all_min(x: array, *, group: Group | None = None, stream: StreamOrDevice = None) -> array:
    """The smallest elements over the processes. In a group of one process, the array itself.

    >>> mx.distributed.all_min(mx.array([1, 2]))
    array([1, 2], dtype=int32)
    """


@hand
def all_gather(x: array, *, group: Group | None = None, stream: StreamOrDevice = None) -> array:
    """The arrays of all processes, one after the other along the first axis. In a group of one process, the array itself.

    >>> mx.distributed.all_gather(mx.array([1, 2]))
    array([1, 2], dtype=int32)
    """


@hand
def sum_scatter(x: array, *, group: Group | None = None, stream: StreamOrDevice = None) -> array:
    """The sums over the processes, of which each gets its part along the first axis. In a group of one process, the array itself.

    >>> mx.distributed.sum_scatter(mx.array([1, 2]))
    array([1, 2], dtype=int32)
    """


@hand
def send(x: array, dst: int, *, group: Group | None = None, stream: StreamOrDevice = None) -> array:
    """Sends an array to a process.

    Errors: ValueError in a group of one process.

    >>> mx.distributed.send(mx.array(1), 0)
    Traceback (most recent call last):
    ValueError: [distributed] A group of one process has nobody to send to.
    
    """


@hand
def recv(
    shape: Sequence[int],
    dtype: Dtype,
    src: int,
    *,
    group: Group | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Receives an array from a process.

    Errors: ValueError in a group of one process.

    >>> mx.distributed.recv([1], mx.int32, 0)
    Traceback (most recent call last):
    ValueError: [distributed] A group of one process has nobody to receive from.
    
    """


@hand
def recv_like(
    x: array,
    src: int,
    *,
    group: Group | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Receives an array of the shape and dtype of x from a process.

    Errors: ValueError in a group of one process.

    >>> mx.distributed.recv_like(mx.array(1), 0)
    Traceback (most recent call last):
    ValueError: [distributed] A group of one process has nobody to receive from.
    
    """


class Group:
    """Processes that exchange arrays."""

    def rank(self) -> int:
        """The number of this process."""

    def size(self) -> int:
        """How many processes there are."""

    def split(self, color: int, key: int = -1) -> Group:
        """Raises RuntimeError: the group has one process."""
