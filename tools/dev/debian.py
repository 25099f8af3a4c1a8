"""The Debian packages: what is missing, and the permission to install it."""

import os
import shutil
import subprocess

from console import Failure, run, say, step, unattended


def installed(names):
    """The upstream versions of those of the packages that are installed."""
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status} ${Version}\n", *names],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    found = {}
    for line in listed.stdout.splitlines():
        name, status, version = line.split(" ", 2)
        if status == "installed":
            found[name] = version.split(":")[-1]
    return found


def allowed(command):
    """Root, or a machine where nobody can be asked, decides by itself; a person is asked."""
    if os.geteuid() == 0:
        return True
    if unattended() or not shutil.which("sudo"):
        return False
    answer = input(f"May I run `sudo {command}`? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def warn_of_versions(packages, found):
    for package in packages:
        version = found.get(package["name"])
        if version and not version.startswith(package["version"]):
            say(f"    note: {package['name']} is {version}; Lazuli is tested with "
                f"{package['version']}")


def ensure(packages):
    if not shutil.which("apt-get"):
        say("    note: this is not Debian; the build needs the libraries in docs/dependencies.md")
        return
    names = [package["name"] for package in packages]
    missing = [package for package in packages if package["name"] not in installed(names)]
    if missing:
        step("Debian packages that are missing:")
        for package in missing:
            say(f"    {package['name']:<24} {package['reason']}")
        wanted = [package["name"] for package in missing]
        command = f"apt-get install --no-install-recommends {' '.join(wanted)}"
        if not allowed(command):
            raise Failure(f"only root may install them; run\n    sudo {command}\nand start again")
        prefix = [] if os.geteuid() == 0 else ["sudo"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run([*prefix, "apt-get", "update", "-q"], env=environment, quiet=True)
        run([*prefix, "apt-get", "install", "-y", "-q", "--no-install-recommends", *wanted],
            env=environment, quiet=True)
    warn_of_versions(packages, installed(names))
