"""Compares results with transformers and PyTorch on the real model: ids, chat text, log-probabilities, training."""
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import model_speed
from report import Bar, Column, Row, Section, Table

if TYPE_CHECKING:
    from models import Context

REFERENCE = Path(__file__).parents[1] / "fixtures" / "smollm2-reference.json"
NEAR, NEAR_LOSS = 2e-3, 1e-4  # log-probabilities; losses of training steps, in nats
STEPS, RATE = 3, 1e-4
ANSWER = "Blue.<|im_end|>\n"


def score(context: "Context", *options: object) -> list[dict[str, Any]]:
    run = context.vpatch.score(context.model, *options, "--threads", context.threads)
    return [json.loads(line) for line in run.output.splitlines()]


def texts(context: "Context", reference: dict[str, Any]) -> list[Row]:
    """How the reference's rows and its conversation come out."""
    rows: list[Row] = []
    for row in reference["rows"]:
        found = score(context, "--text", row["text"])[0]
        apart = [abs(a - b) for a, b in zip(found["logprobs"], row["logprob_of_next"], strict=False)]
        rows.append({"text": row["text"], "tokens": len(row["ids"]), "ids": found["ids"] == row["ids"],
                     "apart": max(apart, default=None)})
    # A conversation has the ids of its text.
    chat, data = reference["chat_template"], context.scratch / "chat.jsonl"
    messages = [*chat["messages"], {"role": "assistant", "content": ANSWER.partition("<")[0]}]
    data.write_text(json.dumps({"messages": messages}) + "\n")
    conversation, written = score(context, "--data", data)[0], score(context, "--text", chat["text"] + ANSWER)[0]
    rows.append({"text": "a conversation, by the chat template", "tokens": len(written["ids"]),
                 "ids": conversation["ids"] == written["ids"]})
    return rows


def steps(context: "Context", reference: dict[str, Any]) -> Iterator[Row]:
    """The largest difference of the losses of a few steps on the reference's rows, which have different lengths."""
    data = context.scratch / "reference.jsonl"
    rows = [row["ids"] for row in reference["rows"] if len(row["ids"]) > 1]
    data.write_text("".join(json.dumps({"input_ids": row}) + "\n" for row in rows))
    for recipe in model_speed.RECIPES:
        for compute in model_speed.PRECISIONS:
            ours, theirs = (side(context, data, recipe, compute, steps=STEPS, rate=RATE, batch=len(rows))[0]["losses"]
                            for side in (model_speed.train, model_speed.train_torch))
            yield {"recipe": recipe, "compute": compute, "ours": ours, "theirs": theirs,
                   "apart": max(abs(a - b) for a, b in zip(ours, theirs, strict=True))}


def section(context: "Context") -> Section:
    reference = json.loads(REFERENCE.read_text())
    context.say("parity: texts")
    rows = texts(context, reference)
    context.say("parity: training")
    trained = list(steps(context, reference))

    def losses(found: Sequence[float]) -> str:
        return " ".join(f"{loss:.5f}" for loss in found)

    def tiny(value: float) -> str:
        return f"{value:.1e}"

    tables = [
        Table(f"Texts, compared with {reference['source']}", [
            Column("text", "text", lambda text: "`" + json.dumps(text, ensure_ascii=False).replace("|", "\\|") + "`",
                   right=False),
            Column("tokens", "tokens"),
            Column("ids", "ids", lambda same: "same" if same else "**differ**", right=False),
            Column("apart", "largest difference of log-probabilities", tiny)], rows),
        Table(f"Losses of {STEPS} AdamW steps at {RATE:g}, compared with PyTorch at the same precision", [
            Column("recipe", "recipe", right=False), Column("compute", "compute", right=False),
            Column("ours", "vpatch", losses, right=False), Column("theirs", "PyTorch", losses, right=False),
            Column("apart", "largest difference", tiny)], trained)]
    wrong, apart = sum(not row["ids"] for row in rows), max(row.get("apart") or 0 for row in rows)
    loss = max(row["apart"] for row in trained if row["compute"] == "f32")
    return Section("Parity on SmolLM2-135M", tables, [
        Bar("texts with different ids", str(wrong), "0", wrong == 0),
        Bar("largest difference of log-probabilities", tiny(apart), f"≤ {NEAR:g}", apart <= NEAR),
        Bar("largest difference of training losses, f32", tiny(loss), f"≤ {NEAR_LOSS:g}", loss <= NEAR_LOSS)])
