"""The program lazuli as its users meet it: words, output, prompts, interrupts, damaged models."""

import json
import os
import pty
import resource
import signal
import subprocess
import threading
import time

import numpy as np
import pytest
import toy_model
from toy_model import ARRAY, FLOAT32, INT32, STRING, UINT32, UINT64

PROGRAM = os.environ["LAZULI_PROGRAM"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LAZULI_GPU"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return toy_model.write(tmp_path_factory.mktemp("model") / "toy.gguf")


def lazuli(*arguments, **options):
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("env", ENVIRONMENT)
    options.setdefault("timeout", 120)
    return subprocess.run([PROGRAM, *map(str, arguments)], stderr=subprocess.PIPE, check=False,
                          **options)


def generate(model, *arguments, **options):
    return lazuli("generate", "-m", model, "-n", 4, *arguments, **options)


def refusal(tmp_path, metadata=None, tensors=None):
    """What is said of a model with these changes, which must be refused before anything is
    written."""
    path = toy_model.write(tmp_path / "odd.gguf", metadata, tensors)
    done = generate(path, "hi")
    assert (done.returncode, done.stdout) == (1, b"")
    message = done.stderr.decode()
    assert str(path) in message
    return message


# ---- Prompts ----
def test_a_prompt_comes_from_the_command_line_a_file_or_standard_input(model, tmp_path):
    file = tmp_path / "prompt"
    file.write_text("hi there\n")
    by_word = generate(model, "-q", "hi there").stdout
    assert by_word.startswith(b"hi there")
    assert generate(model, "-q", "-f", file).stdout == by_word
    assert generate(model, "-q", "-", input=b"hi there\n").stdout == by_word
    assert generate(model, "-q", "--", "-hi").stdout.startswith(b"-hi")


def test_a_prompt_longer_than_an_argument_may_be(model):
    done = lazuli("generate", "-m", model, "-n", 1, "--json", "-", input=b"ab " * 1300)
    assert json.loads(done.stdout)["prompt_tokens"] == 3901


def test_a_prompt_that_does_not_fit_is_an_error(model):
    done = generate(model, "-", input=b"ab " * 100_000)
    assert done.returncode == 1
    assert b"300001 prompt tokens and 4 new ones exceed the model's 4096" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("x", "-f", "y")])
def test_exactly_one_prompt_is_needed(model, arguments):
    done = generate(model, *arguments)
    assert done.returncode == 2
    assert b"prompt" in done.stderr


def test_a_file_that_is_read_gives_what_a_mapped_one_gives(model):
    assert generate(model, "-q", "--no-mmap", "hi").stdout == generate(model, "-q", "hi").stdout


# ---- Wrong words ----
@pytest.mark.parametrize("arguments, named", [
    (["bogus"], "there is no command 'bogus'"),
    ([], "a command is missing"),
    (["generate", "-dash"], "'-dash' is not an option; write -- before a prompt"),
    (["info", "--nonsense", "x"], "'--nonsense' is not an option"),
    (["generate", "-n", "0", "x"], "--tokens"),
    (["generate", "-t", "-1", "x"], "temperature"),
    (["generate", "-t", "nan", "x"], "temperature is not a finite number"),
    (["generate", "--top-p", "0", "x"], "top_p"),
    (["generate", "--top-k", "-1", "x"], "top_k"),
])
def test_wrong_words_are_named_before_anything_is_loaded(arguments, named):
    done = lazuli(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert named in done.stderr.decode()


def test_a_missing_file_is_an_error_and_no_wrong_usage(tmp_path):
    done = lazuli("info", tmp_path / "none.gguf")
    assert done.returncode == 1
    assert b"No such file" in done.stderr


# ---- Output ----
@pytest.mark.parametrize("command", ["info", "devices", "help", "generate", "json"])
def test_output_that_is_lost_is_an_error(model, command):
    arguments = {"info": ["info", model], "devices": ["devices"], "help": ["--help"],
                 "generate": ["generate", "-m", model, "hi"],
                 "json": ["generate", "-m", model, "--json", "hi"]}[command]
    with open("/dev/full", "wb") as full:
        done = lazuli(*arguments, stdout=full)
    assert done.returncode == 1
    assert b"standard output cannot be written: No space left" in done.stderr
    done = lazuli(*arguments, stdout=None, preexec_fn=lambda: os.close(1))
    assert done.returncode == 1
    assert b"standard output cannot be written" in done.stderr


def test_a_reader_that_has_gone_ends_the_text(model):
    read, write = os.pipe()
    os.close(read)
    done = lazuli("generate", "-m", model, "-n", 4000, "hi", stdout=write, restore_signals=False,
                  preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
    os.close(write)
    assert done.returncode == 1
    assert b"Broken pipe" in done.stderr


def on_a_terminal(*arguments):
    """What the program writes where standard output is a terminal."""
    terminal, end = pty.openpty()
    done = lazuli(*arguments, stdout=end)
    os.close(end)
    shown = b""
    try:
        while block := os.read(terminal, 1 << 16):
            shown += block
    except OSError:  # the end of a terminal without a writer
        pass
    os.close(terminal)
    assert done.returncode == 0
    return shown


def test_controls_never_reach_a_terminal(model, tmp_path):
    # Every token is likely to be a byte, so that the model writes escapes sooner or later.
    file = tmp_path / "prompt"
    file.write_bytes(b"\x1b[31m\xc2\x9b\x7fx")
    shown = on_a_terminal("generate", "-m", model, "-n", 300, "-t", "5", "-q", "-f", file)
    assert not set(shown) & ({*range(32), 127} - {9, 10, 13})
    assert b"\xc2\x9b" not in shown
    key = {"general.\x1b[31m": (STRING, "\x1b]0;title\x07")}
    path = toy_model.write(tmp_path / "escapes.gguf", key)
    assert b"\x1b" not in on_a_terminal("info", path)


def test_info_without_a_file_tells_what_the_build_has():
    facts = json.loads(lazuli("info", "--json").stdout)
    assert list(facts) == ["cuda_architectures", "onednn", "openblas", "python", "sanitizers",
                           "simd_targets", "version"]
    assert facts["simd_targets"]
    lines = lazuli("info").stdout.decode().splitlines()
    assert lines[0] == f"lazuli {facts['version']}"
    assert lazuli("--version").stdout.decode().strip() == lines[0]
    told = {line[:20].strip(): line[20:] for line in lines[1:]}
    assert told["SIMD targets"] == " ".join(facts["simd_targets"])
    assert told["oneDNN"] == ("yes" if facts["onednn"] else "no")
    assert told["GPU kernels ahead"] == (" ".join(facts["cuda_architectures"]) or "none")


def test_info_tells_which_model_a_file_holds(model, tmp_path):
    told = lazuli("info", model).stdout.decode()
    assert "Gemma 3 that lazuli generate runs, layers 2, context 4096, vocabulary 354\n" in told
    facts = json.loads(lazuli("info", "--json", model).stdout)["model"]
    assert facts["weight_bytes"] > 0
    del facts["weight_bytes"]
    assert facts == {"family": "Gemma 3", "layers": 2, "context": 4096, "vocabulary": 354}


def test_info_tells_why_a_file_cannot_be_run(tmp_path):
    path = toy_model.write(tmp_path / "odd.gguf", {"general.architecture": (STRING, "bert")})
    done = lazuli("info", path)
    assert done.returncode == 0
    assert b"lazuli generate cannot run it: gguf file" in done.stdout
    assert b"general.architecture = \"bert\"" in done.stdout
    assert "gemma3" in json.loads(lazuli("info", "--json", path).stdout)["model"]["problem"]


def test_a_small_address_space_ends_no_command():
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (150_000 << 10, 150_000 << 10))

    done = lazuli("info", "/dev/null", preexec_fn=limit, timeout=20)
    assert done.returncode == 1
    assert b"magic" in done.stderr
    assert lazuli("--help", preexec_fn=limit, timeout=20).returncode == 0


def test_devices_tells_the_threads_that_compute():
    core = min(os.sched_getaffinity(0))
    done = lazuli("devices", "--json", preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    assert json.loads(done.stdout)["devices"][0]["threads"] == 1


# ---- Interrupts ----
def interrupted(process, times):
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    return process.wait(timeout=60)


def start(*arguments):
    return subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=ENVIRONMENT)


def test_an_interrupt_ends_a_prompt(tmp_path):
    # Layers that see all of 400,000 tokens take hours.
    path = toy_model.write(tmp_path / "long.gguf", {
        "gemma3.context_length": (UINT32, 1 << 20),
        "gemma3.attention.sliding_window": (UINT32, 1 << 20)})
    file = tmp_path / "prompt"
    file.write_text("a" * 400_000)
    process = start("generate", "-m", path, "-f", file)
    assert process.stdout.read(1) == b"a"  # the prompt is shown before it is computed
    threading.Thread(target=process.stdout.read, daemon=True).start()
    time.sleep(0.5)
    assert interrupted(process, 1) == 130


def test_a_second_interrupt_ends_what_does_not_listen(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)  # nobody will ever write into it
    process = start("generate", "-m", path, "hi")
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    assert interrupted(process, 1) == -signal.SIGINT


# ---- Models that are not sound ----
def test_another_architecture_is_named_first_and_without_its_escapes(tmp_path):
    other = {"general.architecture": (STRING, "qwen2\x1b[31m"),
             "tokenizer.ggml.model": (STRING, "gpt2")}
    message = refusal(tmp_path, other)
    assert "metadata key 'general.architecture' is 'qwen2\\x1b[31m'" in message
    assert "\x1b" not in message
    assert "gemma3" in message  # what can be run is named
    assert len(refusal(tmp_path, {"general.architecture": (STRING, "A" * 3_000_000)})) < 500


@pytest.mark.parametrize("key", ["block_count", "embedding_length", "attention.head_count_kv",
                                 "attention.sliding_window", "context_length"])
@pytest.mark.parametrize("size", [2**32 + 2, 2**31, 0])
def test_sizes_that_are_no_sizes(tmp_path, key, size):
    message = refusal(tmp_path, {f"gemma3.{key}": (UINT64, size)})
    assert f"metadata key 'gemma3.{key}' is {size}" in message


@pytest.mark.parametrize("key", ["attention.layer_norm_rms_epsilon", "rope.freq_base"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0, 0.0])
def test_numbers_that_are_no_numbers(tmp_path, key, number):
    assert f"'gemma3.{key}' is" in refusal(tmp_path, {f"gemma3.{key}": (FLOAT32, number)})


@pytest.mark.parametrize("key, size, tensor", [
    ("embedding_length", 16, "token_embd.weight"),
    ("embedding_length", 64, "token_embd.weight"),
    ("attention.key_length", 8, "blk.0.attn_q.weight"),
    ("attention.head_count", 2, "blk.0.attn_q.weight"),
    ("attention.head_count_kv", 1, "blk.0.attn_k.weight"),
    ("feed_forward_length", 32, "blk.0.ffn_gate.weight"),
])
def test_metadata_that_the_shapes_contradict(tmp_path, key, size, tensor):
    message = refusal(tmp_path, {f"gemma3.{key}": (UINT32, size)})
    assert f"tensor '{tensor}' has the shape [" in message and "by the metadata it is [" in message


@pytest.mark.parametrize("tensor, shape", [
    ("blk.0.ffn_gate.weight", (63, 32)), ("blk.1.ffn_up.weight", (65, 32)),
    ("blk.0.attn_q_norm.weight", (1,)), ("blk.0.attn_q.weight", (33, 32)),
    ("blk.1.attn_norm.weight", (2, 16)), ("output_norm.weight", (33,)),
])
def test_shapes_that_do_not_fit(tmp_path, tensor, shape):
    message = refusal(tmp_path, None, {tensor: np.ones(shape, np.float32)})
    text = ", ".join(map(str, shape))
    assert f"tensor '{tensor}' has the shape [{text}]" in message


def test_more_layers_than_the_metadata_says(tmp_path):
    message = refusal(tmp_path, {"gemma3.block_count": (UINT32, 1)})
    assert "'gemma3.block_count' is 1, but the file has more layers" in message


@pytest.mark.parametrize("key, entry", [
    ("token_type", (ARRAY, (FLOAT32, [1.0] * 354))),
    ("tokens", (ARRAY, (INT32, [1] * 354))),
    ("scores", (ARRAY, (STRING, ["x"] * 354))),
])
def test_arrays_of_another_type_name_file_and_key(tmp_path, key, entry):
    assert f"'tokenizer.ggml.{key}' cannot be read" in refusal(
        tmp_path, {f"tokenizer.ggml.{key}": entry})


@pytest.mark.parametrize("arguments", [("-t", "0"), ("-t", "0.8")])
@pytest.mark.parametrize("damage", [float("nan"), float("inf")])
def test_a_model_that_computes_no_numbers_writes_nothing(tmp_path, arguments, damage):
    norm = np.ones(toy_model.HIDDEN, np.float32)
    norm[3] = damage
    path = toy_model.write(tmp_path / "damaged.gguf", None, {"output_norm.weight": norm})
    done = generate(path, "-q", *arguments, "hi")
    assert done.returncode == 1
    assert done.stdout == b"hi"
    assert b"logits are not finite" in done.stderr


def test_a_tokenizer_of_more_tokens_than_the_embedding_has_rows(tmp_path):
    few = toy_model.tensors()["token_embd.weight"][:300]
    path = toy_model.write(tmp_path / "few.gguf", None, {"token_embd.weight": few})
    done = generate(path, "-q", "zz")
    assert done.returncode == 1
    assert b"the model's embedding has 300 rows" in done.stderr
