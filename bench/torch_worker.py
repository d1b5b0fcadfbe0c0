"""What PyTorch and transformers make of a language model: the other side of models.py.

    torch_worker.py JOB      run by models.py, in the environment of `bench/setup.sh torch`; JOB and output are JSON
"""
import itertools
import json
import sys
import time
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

TUNED = {"sa-proj": ("q_proj", "k_proj", "v_proj", "o_proj"), "gate-up": ("gate_proj", "up_proj")}


def load(job):
    torch.set_num_threads(job["threads"])
    return AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)


def padded(rows):
    """Rows of any lengths as one batch; what fills it up is neither seen nor learned."""
    length = max(map(len, rows))
    fill = [length - len(row) for row in rows]
    return dict(
        input_ids=torch.tensor([row + [0] * n for row, n in zip(rows, fill)]),
        attention_mask=torch.tensor([[1] * len(row) + [0] * n for row, n in zip(rows, fill)]),
        labels=torch.tensor([row + [-100] * n for row, n in zip(rows, fill)]))


def train(job):
    """Steps over the rows in turn, loss on every token; the loss before each step, and its seconds."""
    model = load(job).train()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(part in name for part in TUNED[job["recipe"]]))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=job["rate"], weight_decay=0.0)
    rows = itertools.cycle([json.loads(line)["input_ids"] for line in Path(job["rows"]).read_text().splitlines()])
    losses, seconds, tokens = [], [], []
    for _ in range(job["steps"]):
        taken = list(itertools.islice(rows, job["batch"]))
        batch = padded(taken)
        if min(map(len, taken)) == max(map(len, taken)):
            del batch["attention_mask"]  # nothing is filled up: the fast way through attention
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=job["compute"] == "bf16"):
            loss = model(**batch, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - start)
        losses.append(loss.item())
        tokens.append(sum(map(len, taken)))
    return dict(losses=losses, seconds=seconds, tokens=tokens)


def generate(job):
    """Greedy continuations, each timed from the prompt's ids to the last token; a short one first, to warm up."""
    model, tokenizer = load(job).eval(), AutoTokenizer.from_pretrained(job["model"])
    answers = []
    with torch.inference_mode():
        for text, limit in [(job["prompts"][0], 4), *((prompt, job["limit"]) for prompt in job["prompts"])]:
            ids = tokenizer(text, return_tensors="pt").input_ids
            start = time.perf_counter()
            found = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=limit)
            seconds = time.perf_counter() - start
            answers.append(dict(prompt=ids[0].tolist(), ids=found[0, ids.shape[1]:].tolist(), seconds=seconds))
    return dict(answers=answers[1:])


def margins(job):
    """After each list of ids: by how much the logit of the first token is above that of the second."""
    model = load(job).eval()
    with torch.inference_mode():
        logits = [model(torch.tensor([case["ids"]])).logits[0, -1] for case in job["cases"]]
    return dict(margins=[(found[case["first"]] - found[case["second"]]).item()
                         for found, case in zip(logits, job["cases"])])


def version(job):
    return dict(version=f"torch {torch.__version__}, transformers {transformers.__version__}",
                kernels=torch.backends.cpu.get_cpu_capability())


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    job = json.loads(sys.argv[1])
    print(json.dumps(dict(train=train, generate=generate, margins=margins, version=version)[job["task"]](job)))
