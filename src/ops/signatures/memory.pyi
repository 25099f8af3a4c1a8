"""Memory in use, in bytes, of a device; of the default one unless it is given."""

plain = True


@hand
def get_active_memory(device: Device | DeviceType | None = None) -> int:
    """Bytes held by arrays.

    >>> mx.get_active_memory() >= 0
    True
    """


@hand
def get_peak_memory(device: Device | DeviceType | None = None) -> int:
    """The most bytes ever held since the last reset.

    >>> mx.get_peak_memory() >= mx.get_active_memory()
    True
    """


@hand
def reset_peak_memory(device: Device | DeviceType | None = None) -> None:
    """Forgets the peak so far.

    >>> mx.reset_peak_memory()
    """


@hand
def get_cache_memory(device: Device | DeviceType | None = None) -> int:
    """Bytes of freed arrays, kept for the next allocations.

    >>> mx.get_cache_memory() >= 0
    True
    """


@hand
def clear_cache(device: Device | DeviceType | None = None) -> None:
    """Gives the kept bytes back.

    >>> mx.clear_cache()
    """


@hand
def get_memory_limit(device: Device | DeviceType | None = None) -> int:
    """The budget for arrays and what is kept.

    >>> mx.get_memory_limit() > 0
    True
    """


@hand
def set_memory_limit(limit: int, device: Device | DeviceType | None = None) -> int:
    """Sets the budget and returns the one before. Beyond a GPU's, arrays that were not used for longest
    move to the host.

    Errors: MemoryError later, where an array does not fit into the budget.

    >>> limit = mx.set_memory_limit(mx.get_memory_limit())
    """


@hand
def set_cache_limit(limit: int, device: Device | DeviceType | None = None) -> int:
    """Sets the most bytes that are kept for the next allocations and returns the limit before.

    >>> limit = mx.set_cache_limit(1 << 30)
    >>> mx.set_cache_limit(limit)
    1073741824
    """


@hand
def set_wired_limit(limit: int) -> int:
    """Has no effect, since the system does not take memory of a GPU away; returns 0.

    >>> mx.set_wired_limit(0)
    0
    """
