"""Trains with transformers' Trainer or with TRL, with vpatch's callback.

    trainer_outputs_worker.py JOB      run by trainer_outputs.py, in the environment python-torch; JOB is a JSON file
"""
import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
import vpatch


def arguments(job: dict[str, Any]) -> dict[str, Any]:
    """What both trainers are told."""
    return {"output_dir": str(Path(job["out"], "run")), "max_steps": job["steps"], "learning_rate": job["rate"],
            "per_device_train_batch_size": 2, "logging_steps": 1, "save_strategy": "no", "use_cpu": True,
            "report_to": [], "disable_tqdm": True}


def by_hf(job: dict[str, Any], model: Any, tokenizer: Any, callback: Any) -> Any:
    data = [{"input_ids": tokenizer.apply_chat_template(row, return_dict=True)["input_ids"][:job["length"]]}
            for row in job["rows"]]
    return transformers.Trainer(
        model=model, args=transformers.TrainingArguments(**arguments(job)), train_dataset=data, callbacks=[callback],
        processing_class=tokenizer,
        data_collator=transformers.DataCollatorForLanguageModeling(tokenizer, mlm=False))


def by_trl(job: dict[str, Any], model: Any, tokenizer: Any, callback: Any) -> Any:
    import datasets
    import trl

    settings = trl.SFTConfig(**arguments(job), max_length=job["length"], bf16=False, gradient_checkpointing=False)
    return trl.SFTTrainer(
        model=model, args=settings, callbacks=[callback], processing_class=tokenizer,
        train_dataset=datasets.Dataset.from_list([{"messages": row} for row in job["rows"]]))


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.bfloat16)
    tokenizer = transformers.AutoTokenizer.from_pretrained(job["base"])
    exec(job["setting"], {"model": model})  # what `vpatch recipe` printed
    out = Path(job["out"])
    callback = vpatch.PatchCallback(base=job["base"], output=out / "callback.vpatch", recipe=job["recipe"])
    make = {"hf": by_hf, "trl": by_trl}[job["tool"]]
    trainer = make(job, model, tokenizer, callback)
    trainer.train()
    trainer.save_model(str(out / "model"))


if __name__ == "__main__":
    main()
