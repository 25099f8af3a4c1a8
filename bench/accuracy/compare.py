"""Compares our logits with a float32 computation: agreement of the first choice, mean divergence.

    compare.py MODEL.gguf TOKENS RECORD NAME=LOGITS...

TOKENS and LOGITS are what logits_bench wrote. Prints one JSON object a comparison. RECORD, unless
it is '-', gets the reference in a compact form for tests/models/logits_recording.h: each line has a
token and the ids and log-probabilities of the eight likeliest continuations behind it.
"""

import json
import sys

import numpy
import reference
import reference_llama
import torch

REFERENCES = {"gemma3": reference, "llama": reference_llama, "qwen2": reference_llama}
KEPT = 8
STEP = 64


def divergence(wanted, given):
    """KL(wanted || given) of each row of log-probabilities."""
    return (wanted.exp() * (wanted - given)).sum(-1)


def log_probabilities(states, embedding):
    return (states @ embedding.T).double().log_softmax(-1)


def main(model, tokens_path, record, *named):
    settings, weights = reference.load(model)
    with open(tokens_path, encoding="utf-8") as file:
        tokens = [int(line) for line in file]
    with torch.no_grad():
        states = REFERENCES[settings["architecture"]].hidden_states(settings, weights, tokens)
    embedding = weights.get("output.weight", weights["token_embd.weight"])
    files = {name: numpy.memmap(path, numpy.float32).reshape(len(tokens), -1)
             for name, path in (pair.split("=") for pair in named)}
    totals = {name: [0, 0.0, 0.0] for name in files}
    lines = []
    for at in range(0, len(tokens), STEP):
        wanted = log_probabilities(states[at:at + STEP], embedding)
        best = wanted.topk(KEPT, -1)
        for i, token in enumerate(tokens[at:at + STEP]):
            pairs = zip(best.indices[i].tolist(), best.values[i].tolist(), strict=True)
            lines.append(f"{token} " + " ".join(f"{k}:{v:.4f}" for k, v in pairs))
        for name, logits in files.items():
            given = torch.tensor(logits[at:at + STEP]).double().log_softmax(-1)
            gaps = divergence(wanted, given)
            total = totals[name]
            total[0] += int((given.argmax(-1) == best.indices[:, 0]).sum())
            total[1] += float(gaps.sum())
            total[2] = max(total[2], float(gaps.max()))
    for name, (same, gap, worst) in totals.items():
        print(json.dumps({"name": name, "positions": len(tokens), "top1": same / len(tokens),
                          "kl_mean": gap / len(tokens), "kl_max": worst}))
    if record != "-":
        with open(record, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


main(*sys.argv[1:])
