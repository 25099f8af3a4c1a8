"""NVIDIA's GPUs."""

module = "cuda"
plain = True


@hand
def is_available() -> bool:
    """Whether there is an NVIDIA GPU that can be used.

    >>> mx.cuda.is_available() in (True, False)
    True
    """
