"""Files."""

plain = True


@hand
def load(
    file: str | bytes | os.PathLike[str] | BinaryIO,
    format: str | None = None,
    return_metadata: bool = False,
    *,
    stream: StreamOrDevice = None,
    mmap: bool = True,
) -> Any:
    """The array or arrays of a npy, npz, safetensors or GGUF file; the ending of its name tells the
    format unless it is given. A file named by its path is mapped: its bytes are read when they are
    used, and whoever truncates it meanwhile ends this process (SIGBUS). mmap=False reads it at once.
    With return_metadata the result is a pair with the file's metadata.

    Errors: ValueError for a format that is not known, or without metadata; RuntimeError if the file
    cannot be read.

    >>> import io
    >>> file = io.BytesIO()
    >>> mx.save(file, mx.array([1, 2]))
    >>> _ = file.seek(0)
    >>> mx.load(file, 'npy')
    array([1, 2], dtype=int32)
    """


@hand
def save(file: str | bytes | os.PathLike[str] | BinaryIO, arr: array) -> None:
    """Writes an array in NumPy's format npy.

    Errors: RuntimeError if the file cannot be written.

    >>> import io
    >>> mx.save(io.BytesIO(), mx.array([1, 2]))
    """


@hand
def save_safetensors(
    file: str | bytes | os.PathLike[str] | BinaryIO,
    arrays: dict[str, array],
    metadata: dict[str, str] | None = None,
) -> None:
    """Writes named arrays, and texts about them, in the format safetensors.

    Errors: TypeError for values that are no arrays; RuntimeError if the file cannot be written.

    >>> import io
    >>> mx.save_safetensors(io.BytesIO(), {'a': mx.array([1, 2])})
    """


@hand
def save_gguf(
    file: str | bytes | os.PathLike[str],
    arrays: dict[str, array],
    metadata: dict[str, array | str | list[str]] | None = None,
) -> None:
    """Writes named arrays and metadata in the format GGUF.

    Errors: ValueError for a file without a path; RuntimeError if it cannot be written.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), 'a.gguf')
    >>> mx.save_gguf(path, {'a': mx.array([1.0, 2.0])})
    """


@hand
def savez(file: str | bytes | os.PathLike[str] | BinaryIO, *args: array, **kwargs: array) -> None:
    """Writes arrays into one archive of NumPy's format npz; those without a name are arr_0, arr_1 and so on.

    Errors: ValueError if a name is taken twice.

    >>> import io
    >>> mx.savez(io.BytesIO(), mx.array([1, 2]), b=mx.array(3))
    """


@hand
def savez_compressed(
    file: str | bytes | os.PathLike[str] | BinaryIO,
    *args: array,
    **kwargs: array,
) -> None:
    """As savez, compressed.

    Errors: ValueError if a name is taken twice.

    >>> import io
    >>> mx.savez_compressed(io.BytesIO(), mx.array([1, 2]))
    """
