"""Apple's GPUs, which are not there."""

module = "metal"
plain = True


@hand
def is_available() -> bool:
    """False: there is no Metal here.

    >>> mx.metal.is_available()
    False
    """


@hand
def device_info() -> dict[str, Any]:
    """Nothing: there is no device of Metal's.

    >>> mx.metal.device_info()
    {}
    """


@hand
def get_active_memory() -> int:
    """As the function of that name of lazuli.core.

    >>> mx.metal.get_active_memory() >= 0
    True
    """


@hand
def get_peak_memory() -> int:
    """As the function of that name of lazuli.core.

    >>> mx.metal.get_peak_memory() >= 0
    True
    """


@hand
def get_cache_memory() -> int:
    """As the function of that name of lazuli.core.

    >>> mx.metal.get_cache_memory() >= 0
    True
    """


@hand
def reset_peak_memory() -> None:
    """As the function of that name of lazuli.core.

    >>> mx.metal.reset_peak_memory()
    """


@hand
def clear_cache() -> None:
    """As the function of that name of lazuli.core.

    >>> mx.metal.clear_cache()
    """


@hand
def set_memory_limit(limit: int) -> int:
    """As the function of that name of lazuli.core.

    >>> limit = mx.metal.set_memory_limit(mx.get_memory_limit())
    """


@hand
def set_cache_limit(limit: int) -> int:
    """As the function of that name of lazuli.core.

    >>> limit = mx.metal.set_cache_limit(1 << 30)
    >>> mx.set_cache_limit(limit)
    1073741824
    """


@hand
def set_wired_limit(limit: int) -> int:
    """Has no effect; returns 0.

    >>> mx.metal.set_wired_limit(0)
    0
    """


@hand
def start_capture(path: str) -> None:
    """Has no effect.

    >>> mx.metal.start_capture('trace')
    """


@hand
def stop_capture() -> None:
    """Has no effect.

    >>> mx.metal.stop_capture()
    """
