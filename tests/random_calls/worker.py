"""Makes the calls of a range of numbers, one after the other, and says which one it is at.

Its parent reads "begin N" before a call and "fault N text" for one that went wrong; a death or a
silence is the parent's to notice."""

import os
import resource
import sys

ADDRESS_SPACE = 6 << 30
NEVER_IN_A_MESSAGE = ("std::", "nanobind", "bad_cast", "basic_string", "vector::", "terminate")


def prepare_folder():
    """Files for the calls that load."""
    import lazuli.core as mx
    os.mkdir("folder")
    mx.save("a.npy", mx.arange(6))
    mx.savez("b.npz", x=mx.arange(3))
    mx.save_safetensors("c.safetensors", {"x": mx.ones((2, 2))})
    mx.save_gguf("d.gguf", {"x": mx.ones((2, 2))})
    open("empty.gguf", "wb").close()


def restore(limits):
    """What a call has changed for those after it."""
    import lazuli.core as mx
    mx.set_default_device(mx.cpu)
    mx.set_memory_limit(limits[0])
    mx.set_cache_limit(limits[1])
    mx.enable_compile()
    mx.random.seed(0)


def fault_of(error):
    """What is wrong with an exception, if anything is."""
    text = str(error)
    if isinstance(error, SystemError) or type(error).__name__ == "Wrong":
        return f"{type(error).__name__}: {text}"
    if any(part in text for part in NEVER_IN_A_MESSAGE):
        return f"{type(error).__name__} tells of the inside: {text}"
    if not text and not isinstance(error, (MemoryError, KeyError, StopIteration, AssertionError)):
        return f"{type(error).__name__} says nothing"
    return None


def make(number):
    """The fault of a call, or None."""
    from targets import Call
    call = Call(number)
    try:
        call.run()
    except Exception as error:
        fault = fault_of(error)
        return fault and f"{call.describe()}: {fault}"
    return None


def main():
    first, last = int(sys.argv[1]), int(sys.argv[2])
    import lazuli.core as mx
    limits = (mx.get_memory_limit(), mx.set_cache_limit(1 << 30))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prepare_folder()
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for number in range(first, last):
        try:
            out.write(f"begin {number}\n")
            fault = make(number)
            restore(limits)
            if fault:
                out.write(f"fault {number} {fault[:600]!r}\n")
        except KeyboardInterrupt:  # it takes long, and can be stopped
            restore(limits)
    out.write("end\n")


if __name__ == "__main__":
    main()
