"""Remembers what was done, so that it is done once: a stamp holds a digest of what went in."""

import hashlib

from console import STAMPS


def digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()


def done(name, key):
    path = STAMPS / name
    return path.exists() and path.read_text() == key


def mark(name, key):
    STAMPS.mkdir(parents=True, exist_ok=True)
    (STAMPS / name).write_text(key)
