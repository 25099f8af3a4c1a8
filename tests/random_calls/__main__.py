"""Random calls of everything public, with odd arguments: none may crash, hang or tell of insides.

    PYTHONPATH=build/release/python python tests/random_calls --calls 100000
    PYTHONPATH=build/release/python python tests/random_calls --call 4711

The calls run in processes of their own with a limit of memory; each follows from its number alone,
so that it can be made again."""

import argparse
import collections
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
CALLS_PER_WORKER = 2000


class Worker:
    """A process that makes the calls from `first` to `last`; a new one where it dies."""

    def __init__(self, first, last, seconds):
        self.next, self.last, self.seconds = first, last, seconds
        self.faults = []
        self.start()

    def start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.current, self.since, self.interrupted = None, time.monotonic(), False
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", HERE / "worker.py", str(self.next),
             str(self.last)], cwd=self.folder.name, stdout=subprocess.PIPE,
            stderr=open(Path(self.folder.name) / "stderr", "wb"), env=environment())
        self.pending = b""

    def take(self):
        """Reads what the worker has said; False when it has ended."""
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        *lines, self.pending = (self.pending + data).split(b"\n")
        for line in lines:
            kind, _, rest = line.decode().partition(" ")
            if kind == "begin":
                self.current, self.since, self.interrupted = int(rest), time.monotonic(), False
            elif kind == "fault":
                number, _, text = rest.partition(" ")
                self.faults.append((int(number), text))
        return bool(data)

    def has_hung(self):
        """Long work is none, if it ends when it is interrupted."""
        if time.monotonic() - self.since <= self.seconds:
            return False
        if self.interrupted:
            return True
        self.process.send_signal(signal.SIGINT)
        self.since, self.interrupted = time.monotonic(), True
        return False

    def end(self, hung):
        """Notes how the process went; whether calls are left."""
        if hung:
            self.process.kill()
        code = self.process.wait()
        if hung:
            self.faults.append((self.current, f"no end, {self.seconds} s after an interrupt"))
        elif code != 0:
            said = (Path(self.folder.name) / "stderr").read_text(errors="replace")[-600:]
            if code > 0:
                raise RuntimeError(f"the worker failed at call {self.current}: {said}")
            name = signal.Signals(-code).name
            self.faults.append((self.current, f"the process died: {name} {said!r}"))
        self.folder.cleanup()
        if code == 0:
            return False
        self.next = self.current + 1
        return self.next < self.last


def environment():
    # Its folder is another one. Each thread of the products' library takes address space.
    paths = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1"}


def run(calls, first, workers, seconds, report):
    """All calls; returns the faults by number."""
    ranges = [(start, min(start + CALLS_PER_WORKER, first + calls))
              for start in range(first, first + calls, CALLS_PER_WORKER)]
    waiting, active, faults = collections.deque(ranges), [], []
    while waiting or active:
        while waiting and len(active) < workers:
            active.append(Worker(*waiting.popleft(), seconds))
        ready, _, _ = select.select([w.process.stdout for w in active], [], [], 1.0)
        for worker in list(active):
            known = len(worker.faults)
            ended = worker.process.stdout in ready and not worker.take()
            hung = not ended and worker.has_hung()
            if ended or hung:
                if worker.end(hung):
                    worker.start()
                else:
                    active.remove(worker)
            for fault in worker.faults[known:]:
                report(fault)
                faults.append(fault)
    return sorted(faults)


def replay(number):
    sys.path.insert(0, str(HERE))
    from targets import Call
    call = Call(number)
    print(call.describe(), flush=True)
    call.run()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first call")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=30,
                        help="after which a call is interrupted; as long again, and it hangs")
    parser.add_argument("--call", type=int, help="makes this one here")
    options = parser.parse_args()
    if options.call is not None:
        return replay(options.call)
    faults = run(options.calls, options.first, options.workers, options.seconds,
                 lambda fault: print(f"call {fault[0]}: {fault[1]}", flush=True))
    print(f"{options.calls} calls, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
