"""Devices and streams."""

plain = True


@hand
def default_device() -> Device:
    """The device on which operations run unless they are told otherwise.

    >>> mx.set_default_device(mx.cpu)
    >>> mx.default_device()
    Device(cpu, 0)
    """


@hand
def set_default_device(device: Device | DeviceType) -> None:
    """Makes a device the default one.

    Errors: RuntimeError if it does not exist.

    >>> mx.set_default_device(mx.cpu)
    """


@hand
def is_available(device: Device | DeviceType) -> bool:
    """Whether a device can be used.

    >>> mx.is_available(mx.cpu)
    True
    """


@hand
def why_unavailable(device: Device | DeviceType) -> str:
    """Empty for a device that is available, else what is missing and how to get it.

    >>> mx.why_unavailable(mx.cpu)
    ''
    """


@hand
def device_count(device_type: DeviceType) -> int:
    """How many devices of a kind there are.

    >>> mx.device_count(mx.cpu)
    1
    """


@hand
def device_info(d: Device | DeviceType | None = None) -> dict[str, Any]:
    """Facts about a device: its name, architecture and memory in bytes; of a CPU also its threads.

    Errors: RuntimeError if it does not exist.

    >>> mx.device_info(mx.cpu)['memory_size'] > 0
    True
    """


@hand
def default_stream(device: Device | DeviceType) -> Stream:
    """The stream of a device on which operations run unless they are told otherwise.

    Errors: RuntimeError if the device does not exist.

    >>> mx.default_stream(mx.cpu).device
    Device(cpu, 0)
    """


@hand
def set_default_stream(stream: Stream) -> None:
    """Makes a stream the default one of its device.

    >>> mx.set_default_stream(mx.default_stream(mx.cpu))
    """


@hand
def new_stream(device: Device | DeviceType) -> Stream:
    """A further stream of a device; work of different streams runs side by side.

    Errors: RuntimeError if the device does not exist.

    >>> mx.new_stream(mx.cpu).device
    Device(cpu, 0)
    """


@hand
def stream(s: Stream | Device | DeviceType) -> StreamContext:
    """A context in which the stream, or the device's default one, is the default.

    >>> with mx.stream(mx.cpu):
    ...     a = mx.ones(2) + 1
    """


@hand
def synchronize(stream: StreamOrDevice = None) -> None:
    """Waits until the work on a stream, the default one unless it is given, has run.

    >>> mx.synchronize()
    """
