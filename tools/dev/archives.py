"""Archives from the package index: fetched once, checked by digest, unpacked in part."""

import fnmatch
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from console import CACHE, VENV, Failure, output, run, step, user_cache
from stamps import digest, done, mark

VENDOR = CACHE / "vendor"


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pip_settings():
    """The user's settings of pip, from its files and its environment variables."""
    settings = {}
    for line in output([VENV / "bin" / "pip", "config", "list"]).splitlines():
        name, _, value = line.partition("=")
        settings[name.split(".")[-1].strip(":")] = value.strip("'\"")
    return settings


def index_arguments(settings):
    """The options of unearth that mean what the user's settings of pip mean.

    Folders of links go along only with an index of the user's own or with none at all, because
    unearth leaves its usual index out as soon as it is given any place.
    """
    options = {"index-url": "--index-url", "extra-index-url": "--index-url",
               "trusted-host": "--trusted-host"}
    if "index-url" in settings or "no-index" in settings:
        options["find-links"] = "--find-link"
    arguments = []
    for name, option in options.items():
        for value in settings.get(name, "").replace("\\n", " ").split():
            arguments += [option, value]
    return arguments


def fetch(package, sha256):
    """The path of the package's source archive, fetched unless it is there already."""
    store = user_cache() / "archives"
    kept = store / f"{sha256}.tar.gz"
    if kept.exists() and sha256_of(kept) == sha256:
        return kept
    step(f"source archive of {package}: fetch from the Python package index")
    store.mkdir(parents=True, exist_ok=True)
    settings = pip_settings()
    environment = dict(os.environ)
    if settings.get("cert"):
        environment["SSL_CERT_FILE"] = settings["cert"]
    with tempfile.TemporaryDirectory(dir=store) as place:
        run([VENV / "bin" / "unearth", *index_arguments(settings), "--no-binary",
             "--download", place, package], env=environment, quiet=True,
            mend="Fetching needs the network once; afterwards ./dev setup works without it.")
        (archive,) = Path(place).iterdir()
        actual = sha256_of(archive)
        if actual != sha256:
            raise Failure(f"{archive.name} has the sha256 {actual}, expected {sha256}: the index "
                          "gave another file than the pinned one; nothing was unpacked")
        archive.replace(kept)
    return kept


def download_wheel(package, sha256, folder):
    """Downloads one wheel with the user's settings of pip, and returns its path."""
    pinned = Path(folder) / "wheel.txt"
    pinned.write_text(f"{package} --hash=sha256:{sha256}\n")
    before = set(Path(folder).glob("*.whl"))
    done = subprocess.run(
        [VENV / "bin" / "pip", "download", "--quiet", "--no-deps", "--require-hashes",
         "--only-binary", ":all:", "--no-cache-dir", "--dest", folder, "-r", pinned],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{package} could not be fetched:\n{done.stdout}"
                      "It comes from the Python package index: the network is needed once.")
    (wheel,) = set(Path(folder).glob("*.whl")) - before
    return wheel


def fetch_wheel(package, sha256):
    """The path of the package's wheel, fetched unless it is there already."""
    store = user_cache() / "archives"
    kept = store / f"{sha256}.whl"
    if not kept.exists():
        store.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=store) as place:
            download_wheel(package, sha256, place).replace(kept)
    return kept


def unpack_wheels(wheels, target):
    """Makes `target` hold those files of wheels that match; a wheel comes with its patterns."""
    fresh = target.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    for wheel, patterns in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if wanted(name, patterns):
                    archive.extract(name, fresh)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def wanted(path, patterns):
    """True if a path matches a pattern, component by component."""
    parts = PurePosixPath(path).parts
    for pattern in patterns:
        pieces = PurePosixPath(pattern).parts
        if len(pieces) == len(parts) and all(map(fnmatch.fnmatchcase, parts, pieces)):
            return True
    return False


def unpack(archive, row):
    target = VENDOR / PurePosixPath(row["folder"]).name
    fresh = target.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            inner = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if not member.isfile() or not inner.is_relative_to(row["folder"]):
                continue
            path = inner.relative_to(row["folder"])
            if not wanted(path, row["keep"]) or fnmatch.fnmatch(path.name, "*_test.cc"):
                continue
            (fresh / path).parent.mkdir(parents=True, exist_ok=True)
            (fresh / path).write_bytes(tar.extractfile(member).read())
    if not fresh.exists():
        raise Failure(f"{row['package']} has no folder {row['folder']}")
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def ensure(rows):
    for row in rows:
        target = VENDOR / PurePosixPath(row["folder"]).name
        key = digest(*(str(row[name]) for name in ("package", "sha256", "folder", "keep")))
        stamp = f"archive-{target.name}"
        if target.is_dir() and done(stamp, key):
            continue
        archive = fetch(row["package"], row["sha256"])
        step(f"{row['name']} {row['version']}: unpack for {row['reason']}")
        unpack(archive, row)
        mark(stamp, key)
