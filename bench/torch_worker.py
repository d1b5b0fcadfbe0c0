"""PyTorch and transformers on the same models: the other side of the comparison in models.py and vision.py.

    torch_worker.py JOB      run by them, in the environment of `bench/setup.sh torch`; JOB and output are JSON
"""
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoTokenizer

TUNED = {"sa-proj": ("q_proj", "k_proj", "v_proj", "o_proj"), "gate-up": ("gate_proj", "up_proj"),
         "projector": ("multi_modal_projector", "visual.merger")}
TOWER = ("vision_tower", "visual")


Job = dict[str, Any]  # what the bench asks for
Rows = list[list[int]]


def load(job: Job) -> Any:
    torch.set_num_threads(job["threads"])
    kind = transformers.AutoConfig.from_pretrained(job["model"]).architectures[0]
    return getattr(transformers, kind).from_pretrained(job["model"], dtype=torch.float32)


def is_tuned(name: str, recipe: str) -> bool:
    """A tower has projections of the same names as the language model's."""
    mine = recipe == "projector" or not any(part in name.split(".") for part in TOWER)
    return mine and any(part in name for part in TUNED[recipe])


def padded(rows: Rows, labels: Rows) -> dict[str, torch.Tensor]:
    """Rows of any lengths as one batch; what fills it up is neither seen nor learned."""
    length = max(map(len, rows))
    fill = [length - len(row) for row in rows]
    return {
        "input_ids": torch.tensor([row + [0] * n for row, n in zip(rows, fill, strict=True)]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * n for row, n in zip(rows, fill, strict=True)]),
        "labels": torch.tensor([row + [-100] * n for row, n in zip(labels, fill, strict=True)])}


class Pictures:
    """What a model that sees takes of the rows' images, made once for each list of files."""

    def __init__(self, job: Job, model: Any) -> None:
        self.folder, self.model = Path(job["rows"]).parent, model
        self.kept: dict[tuple[str, ...], dict[str, Any]] = {}
        self.processor: Any = None

    def of(self, rows: list[dict[str, Any]], ids: torch.Tensor) -> dict[str, Any]:
        """What stands beside the ids of a batch."""
        files = tuple(name for row in rows for name in row.get("images", []))
        if not files:
            return {}
        if files not in self.kept:
            from PIL import Image
            if self.processor is None:
                self.processor = transformers.AutoImageProcessor.from_pretrained(self.model.config._name_or_path)
            images = [Image.open(self.folder / name).convert("RGB") for name in files]
            self.kept[files] = dict(self.processor(images=images, return_tensors="pt"))
        found = dict(self.kept[files])
        if "image_grid_thw" in found:  # Qwen's positions depend on which tokens are an image's
            found["mm_token_type_ids"] = (ids == self.model.config.image_token_id).int()
        return found


def train(job: Job) -> dict[str, Any]:
    """Steps over the rows in turn, loss on every token or on the labels; the loss before each step, and its seconds.

    The rows' images are made into pixel values before the clock runs, and go through the tower once a step.
    """
    model = load(job).train()
    if rank := job.get("lora"):
        from peft import LoraConfig, get_peft_model
        targets = list(TUNED[job["recipe"]])
        model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets))
    else:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(is_tuned(name, job["recipe"]))
    pictures = Pictures(job, model)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=job["rate"], weight_decay=0.0)
    rows = itertools.cycle([json.loads(line) for line in Path(job["rows"]).read_text().splitlines()])
    losses, seconds, tokens = [], [], []
    for _ in range(job["steps"]):
        whole = list(itertools.islice(rows, job["batch"]))
        taken = [row["input_ids"] for row in whole]
        batch = padded(taken, [row.get("labels", row["input_ids"]) for row in whole])
        if min(map(len, taken)) == max(map(len, taken)):
            del batch["attention_mask"]  # nothing is filled up: the fast way through attention
        batch |= pictures.of(whole, batch["input_ids"])
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=job["compute"] == "bf16"):
            loss = model(**batch, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - start)
        losses.append(loss.item())
        tokens.append(sum(map(len, taken)))
    return {"losses": losses, "seconds": seconds, "tokens": tokens}


def generate(job: Job) -> dict[str, Any]:
    """Greedy continuations, each timed from the prompt's ids to the last token; a short one first, to warm up."""
    model, tokenizer = load(job).eval(), AutoTokenizer.from_pretrained(job["model"])
    answers = []
    with torch.inference_mode():
        for text, limit in [(job["prompts"][0], 4), *((prompt, job["limit"]) for prompt in job["prompts"])]:
            ids = tokenizer(text, return_tensors="pt").input_ids
            start = time.perf_counter()
            found = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=limit)
            seconds = time.perf_counter() - start
            answers.append({"prompt": ids[0].tolist(), "ids": found[0, ids.shape[1]:].tolist(), "seconds": seconds})
    return {"answers": answers[1:]}


def margins(job: Job) -> dict[str, Any]:
    """After each list of ids: by how much the logit of the first token is above that of the second."""
    model = load(job).eval()
    with torch.inference_mode():
        logits = [model(torch.tensor([case["ids"]])).logits[0, -1] for case in job["cases"]]
    return {"margins": [(found[case["first"]] - found[case["second"]]).item()
                        for found, case in zip(logits, job["cases"], strict=True)]}


def version(job: Job) -> dict[str, str]:
    return {"version": f"torch {torch.__version__}, transformers {transformers.__version__}",
            "kernels": torch.backends.cpu.get_cpu_capability()}


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    job = json.loads(sys.argv[1])
    print(json.dumps({"train": train, "generate": generate, "margins": margins, "version": version}[job["task"]](job)))
