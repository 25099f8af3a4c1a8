import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
ORACLE = HERE.parents[1] / ".cache" / "oracle" / "bin" / "python"


class Oracle:
    """The wheel whose behaviour is the contract, in a process of its own."""

    def __init__(self):
        self.child = subprocess.Popen([ORACLE, HERE / "evaluator.py"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)

    def ask(self, kind, text):
        self.child.stdin.write(json.dumps([kind, text]) + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        assert answer, f"the oracle died of {text}"
        return json.loads(answer)

    def evaluate(self, expression):
        return self.ask("expression", expression)

    def run(self, program):
        return self.ask("program", program)


@pytest.fixture(scope="session")
def oracle():
    if not ORACLE.exists():
        pytest.skip("the oracle is not set up: ./dev setup")
    process = Oracle()
    yield process
    process.child.stdin.close()
    process.child.wait()
