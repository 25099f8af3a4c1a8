"""The commands behind ./dev. Each is a module with main(arguments)."""

import importlib
import sys

from console import Failure

COMMANDS = {
    "setup": ("setup", "[peers] [clang] [--no-cuda]  fetch what a build needs, once"),
    "build": ("build", "[preset] [target...]  configure and build (presets: release, debug, ...)"),
    "test": ("test", "[name...] [--preset P] [--device gpu]  build and run the tests"),
    "bench": ("bench", "[name...]  measure, beside the peers that are set up"),
    "demo": ("demo", "[prompt]  set up, build, fetch a model and write text with it"),
    "models": ("model", "[name...]  fetch models that tests need; list them"),
    "release": ("release", "pack the wheel for every machine and GPU, and try it"),
    "tidy": ("housekeeping", "[--fix]  check what keeps the house in order"),
    "gen": ("gen", "[--check]  write the generated files anew"),
}


def usage():
    lines = ["usage: ./dev COMMAND [argument...]", ""]
    lines += [f"  {name:<8} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(lines)


def main(arguments):
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        print(usage())
        return 0
    if arguments[0] not in COMMANDS:
        print(f"dev: there is no command {arguments[0]}\n\n{usage()}", file=sys.stderr)
        return 2
    module = importlib.import_module(COMMANDS[arguments[0]][0])
    try:
        return module.main(arguments[1:]) or 0
    except Failure as failure:
        print(f"dev: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dev: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
