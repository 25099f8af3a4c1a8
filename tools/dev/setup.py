"""./dev setup: everything a build needs, done once."""

import tomllib

import archives
import cuda
import debian
import environments
from console import REQUIREMENTS, Failure, say

GROUPS = ("build", "clang", "peers")
CHOICES = {"--cuda": True, "--no-cuda": False}  # whether NVIDIA's compiler is fetched; remembered


def ensure(*groups):
    table = tomllib.loads((REQUIREMENTS / "dependencies.toml").read_text())
    wanted = {"build", *groups}
    debian.ensure([row for row in table["debian"] if row.get("group", "build") in wanted])
    environments.ensure("venv", "tools", "tools that build, test and tidy")
    archives.ensure(table["archive"])
    cuda.ensure(table["wheel"])
    environments.ensure("oracle", "oracle", "the MLX wheel, whose behaviour is the contract")
    if "peers" in wanted:
        environments.ensure("peers", "peers", "PyTorch, JAX and llama.cpp to measure against: "
                            "3 GB, and llama.cpp compiles for 30 minutes on two cores")


def main(arguments):
    unknown = [argument for argument in arguments if argument not in (*GROUPS, *CHOICES)]
    if unknown:
        raise Failure(f"setup knows no {unknown[0]}; choose among {', '.join((*GROUPS, *CHOICES))}")
    for choice in arguments:
        if choice in CHOICES:
            cuda.choose(CHOICES[choice])
    ensure(*(argument for argument in arguments if argument in GROUPS))
    say("everything is set up")
