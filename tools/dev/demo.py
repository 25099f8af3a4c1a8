"""./dev demo: from a fresh checkout to text from a real model."""

import build
import model
import setup
from console import Failure, run, say, step

PROMPT = "The meaning to life and the universe is"


def main(arguments):
    setup.ensure()
    place = build.build("release", ["lazuli_program"])
    program = place / "bin" / "lazuli"
    if not program.exists():
        raise Failure("the program apps/lazuli was not built, so there is nothing to show")
    weights = model.ensure()
    prompt = " ".join(arguments) or PROMPT
    step(f"lazuli generate -m {weights} \"{prompt}\"")
    run([program, "generate", "-m", weights, prompt])
    say("")
    say(f"Try your own words: ./dev demo \"Once upon a time\", or {program.name} --help")
