"""Makes random model folders and tokenises texts with transformers.

Needs transformers 5.24.0 and tokenizers 0.23.3.

    python bench/tokenizer_folders.py FOLDER [--folders 8] [--texts 10000] [--seed 0]
    VPATCH_TOKENIZERS=FOLDER swift test -c release -Xswiftc -enable-testing --filter TokenizerComparison

    python bench/tokenizer_folders.py --fixture     writes fixtures/tokenizers/folders.jsonl

A pair is a model type and the tokenizer class that the folder names. For each pair, folders vary all that affects token
ids: the parts of tokenizer.json; added tokens with every flag in `added_tokens`, `added_tokens_decoder`,
`added_tokens.json`, `special_tokens_map.json`, `additional_special_tokens` and `extra_special_tokens`; named tokens, as
strings or as objects; the settings of the classes. A folder that transformers cannot
load, or with which it does not end, is made again.
"""

import argparse
import copy
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "tokenizers"
sys.path.insert(0, str(FIXTURES))
import make  # noqa: E402 (its folder comes first)

TYPES = [
    "llama",
    "mistral",
    "qwen2",
    "qwen2_5_vl",
    "llava",
    "llava_next",
    "llava_onevision",
    "llava_llama",
    "llava_mistral",
    "llava_qwen",
    "",
    "seed_oss",
    "smollm3",
    "qwen3",
    "gemma3_text",
    "olmo2",
    "phi3",
]
# The names by which files call a class.
CLASSES = {
    "TokenizersBackend": ["TokenizersBackend", "PreTrainedTokenizerFast", "PreTrainedTokenizer", "BloomTokenizerFast"],
    "LlamaTokenizer": ["LlamaTokenizer", "LlamaTokenizerFast"],
    "Qwen2Tokenizer": ["Qwen2Tokenizer", "Qwen2TokenizerFast"],
    "GPT2Tokenizer": ["GPT2Tokenizer", "GPT2TokenizerFast"],
    "CodeLlamaTokenizer": ["CodeLlamaTokenizer", "CodeLlamaTokenizerFast"],
    "GemmaTokenizer": ["GemmaTokenizer", "GemmaTokenizerFast"],
    "CohereTokenizer": ["CohereTokenizer", "CohereTokenizerFast"],
    "GPTNeoXTokenizer": ["GPTNeoXTokenizer", "GPTNeoXTokenizerFast"],
    "Qwen3_5Tokenizer": ["Qwen3_5Tokenizer", "Qwen3_5TokenizerFast"],
    "none": [""],
}
BYTE_LEVEL = ["gpt2", "smollm2", "qwen2", "llama3", "nemo"]
SENTENCE_PIECE = ["llama2", "mistral"]
NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]
FLAGS = ["single_word", "lstrip", "rstrip", "normalized", "special"]
CONTENTS = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "<image>",
    "[INST]",
    "<|eot|>",
    "tool",
    "Tool",
    "TOOL call",
    " lead",
    "trail ",
    "é",
    "e\u0301",
    "ﬁ",
    "▁x",
    "▁",
    "中文",
    "🙂",
    "👩‍👩‍👧",
    "\n",
    "\r\n",
    "  ",
    "12",
    "<0x41>",
    "Ġt",
    "a",
    "the",
    "<|im_",
    "<|im_start|>user",
    "ſ",
    "İ",
    "x\x00y",
    "Å",
    "\u212b",
    "[MASK]",
    "<FILL>",
    "½",
]
NEIGHBOURS = [
    "",
    "",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "\u00a0",
    "\u3000",
    "\x0b",
    "\x1c",
    "\x85",
    "x",
    "X",
    "_",
    "7",
    "é",
    "\u0301",
    "e\u0301",
    "中",
    "🙂",
    "\u200d",
    "ﬁ",
    "▁",
    "▁▁",
    "\x00",
    "\x07",
    "'s",
    ".",
    "a b",
    "½",
    "\ufeff",
    "\u0300\u0323",
    "              ",
    "𐍈",
    "\U0010ffff",
]


class Maker:
    """One folder by chance."""

    def __init__(self, seed: int, model_type: str, kind: str) -> None:
        self.rng = random.Random(seed)
        rng = self.rng
        wants_pieces = kind in ("LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer")
        self.base = rng.choice(SENTENCE_PIECE if (rng.random() < 0.85) == wants_pieces else BYTE_LEVEL)
        self.contents = rng.sample(CONTENTS, rng.randint(4, 14))
        self.files: dict[str, Any] = {}
        data = json.loads((FIXTURES / self.base / "tokenizer.json").read_text())
        self.vocabulary = data["model"]["vocab"]
        self.size = len(self.vocabulary)
        self.changes = self.parts(data)
        self.configure(model_type, kind)
        self.data = copy.deepcopy(data)
        for key, value in self.changes.items():
            if key == "model":
                self.data["model"].update(value)
            else:
                self.data[key] = value

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def token(self, content: str, typed: bool = False, every: bool = True) -> dict[str, Any]:
        flags = {flag: self.chance(0.35) for flag in FLAGS if every or self.chance(0.7)}
        return ({"__type": "AddedToken"} if typed else {}) | {"content": content} | flags

    def some(self, most: int) -> list[str]:
        return self.rng.sample(self.contents, min(len(self.contents), self.rng.randint(0, most)))

    def named(self, content: str) -> Any:
        return self.token(content, typed=True, every=self.chance(0.5)) if self.chance(0.4) else content

    def parts(self, data: dict[str, Any]) -> dict[str, Any]:
        rng = self.rng
        changes: dict[str, Any] = {}
        tokens = data["added_tokens"][: rng.randint(0, 4)] if self.chance(0.5) else []
        known = {token["content"] for token in tokens}
        end = self.size
        for content in self.some(6):
            if content not in known:
                place = self.vocabulary.get(content, end)
                end += place == end
                tokens.append({"id": place} | self.token(content))
        changes["added_tokens"] = sorted(tokens, key=lambda token: token["id"]) if self.chance(0.8) else tokens
        space = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
        metaspace = {
            "type": "Metaspace",
            "replacement": "▁",
            "split": self.chance(0.5),
            "prepend_scheme": rng.choice(["first", "always", "never"]),
        }
        bytes_ = {
            "type": "ByteLevel",
            "add_prefix_space": self.chance(0.3),
            "trim_offsets": True,
            "use_regex": self.chance(0.7),
        }
        digits = {"type": "Digits", "individual_digits": self.chance(0.5)}
        split = {
            "type": "Split",
            "pattern": {"Regex": rng.choice([make.QWEN2, make.LLAMA3, make.NEMO])},
            "behavior": "Isolated",
            "invert": False,
        }
        if self.chance(0.4):
            changes["normalizer"] = rng.choice(
                [
                    None,
                    {"type": "NFC"},
                    {"type": "NFD"},
                    {"type": "Lowercase"},
                    space,
                    {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, space]},
                    {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]},
                    {"type": "Strip", "strip_left": self.chance(0.5), "strip_right": self.chance(0.5)},
                ]
            )
        if self.chance(0.4):
            changes["pre_tokenizer"] = rng.choice(
                [
                    bytes_,
                    metaspace,
                    {"type": "Sequence", "pretokenizers": [digits, bytes_]},
                    {"type": "Sequence", "pretokenizers": [split, bytes_]},
                ]
                + ([None, metaspace] if self.base in SENTENCE_PIECE else [])
            )
        first, last = (rng.choice(list(self.vocabulary)[:40]) for _ in range(2))
        template = [{"Sequence": {"id": "A", "type_id": 0}}]
        if self.chance(0.6):
            template.insert(0, {"SpecialToken": {"id": first, "type_id": 0}})
        if self.chance(0.3):
            template.append({"SpecialToken": {"id": last, "type_id": 0}})
        processing = {
            "type": "TemplateProcessing",
            "single": template,
            "pair": template + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {t: {"id": t, "ids": [self.vocabulary[t]], "tokens": [t]} for t in {first, last}},
        }
        if self.chance(0.5):
            changes["post_processor"] = rng.choice(
                [
                    None,
                    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
                    processing,
                    processing,
                    {
                        "type": "Sequence",
                        "processors": [
                            {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
                            processing,
                        ],
                    },
                ]
            )
        if self.chance(0.3):
            changes["model"] = {
                "unk_token": rng.choice([None, list(self.vocabulary)[0]]),
                "fuse_unk": self.chance(0.5),
                "byte_fallback": self.chance(0.5),
                "ignore_merges": self.chance(0.5),
            }
        return changes

    def configure(self, model_type: str, kind: str) -> None:
        rng = self.rng
        config: dict[str, Any] = {}
        name = rng.choice(CLASSES[kind])
        model: dict[str, Any] = {"model_type": model_type} if model_type else {}
        if name:
            if self.chance(0.9) or name == "PreTrainedTokenizer":
                config["tokenizer_class"] = name
            elif model:
                model["tokenizer_class"] = name
            else:
                config["tokenizer_class"] = name
        if model:
            self.files["config.json"] = model
        settings: list[tuple[str, list[Any]]] = [
            ("add_prefix_space", [True, False]),
            ("legacy", [True, False, None]),
            ("add_bos_token", [True, False]),
            ("add_eos_token", [True, False]),
            ("model_max_length", [7]),
            ("clean_up_tokenization_spaces", [True, False]),
            ("split_special_tokens", [False, True]),
            ("errors", ["replace"]),
            ("use_default_system_prompt", [False]),
        ]
        for key, values in settings:
            if self.chance(0.08 if key == "split_special_tokens" else 0.25):
                config[key] = rng.choice(values)
        for name in NAMES:
            if self.chance(0.25):
                config[name] = self.named(rng.choice(self.contents)) if self.chance(0.9) else None
        if self.chance(0.2):
            config["image_token"] = self.named(rng.choice(self.contents))
        if kind == "CodeLlamaTokenizer" and self.chance(0.3):
            config["fill_token"] = None
        if kind == "CodeLlamaTokenizer" and self.chance(0.2):
            config["prefix_token"] = self.named(rng.choice(self.contents))
        for key in ["additional_special_tokens", "extra_special_tokens"]:
            if self.chance(0.3):
                config[key] = [self.named(content) for content in self.some(3)]
            elif key == "extra_special_tokens" and self.chance(0.15):
                config[key] = {f"name_{i}": self.named(content) for i, content in enumerate(self.some(2))}
        if self.chance(0.45):
            listed = [token for token in self.changes["added_tokens"] if self.chance(0.8)]
            decoder = {
                str(token["id"]): {k: v for k, v in token.items() if k != "id"} for token in listed if self.chance(0.8)
            }
            end = max([self.size] + [int(key) + 1 for key in decoder])
            for content in self.some(5):
                decoder[
                    str(self.vocabulary.get(content, end) if self.chance(0.8) else rng.randrange(self.size + 40))
                ] = self.token(content, every=self.chance(0.7))
                end += 1
            config["added_tokens_decoder"] = decoder
        if self.chance(0.35):
            entries: dict[str, Any] = {}
            for name in NAMES + ["image_token"]:
                if self.chance(0.25):
                    content = rng.choice(self.contents)
                    entries[name] = self.token(content, every=self.chance(0.7)) if self.chance(0.5) else content
            if self.chance(0.3):
                entries["additional_special_tokens"] = self.some(3)
            if self.chance(0.2):
                entries["extra_special_tokens"] = [
                    self.token(content) if self.chance(0.4) else content for content in self.some(3)
                ]
            self.files["special_tokens_map.json"] = entries
        if self.chance(0.35):
            self.files["added_tokens.json"] = {
                content: self.vocabulary.get(content, self.size + i) for i, content in enumerate(self.some(5))
            }
        if config or self.chance(0.5):
            self.files["tokenizer_config.json"] = config

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in (self.files | {"tokenizer.json": self.data}).items():
            (folder / name).write_text(json.dumps(value, ensure_ascii=False))


def texts_of(seed: int, count: int, tokens: list[str]) -> list[str]:
    """Texts around added tokens, and texts of all kinds."""
    rng = random.Random(seed)
    hard = []
    tokens = tokens or ["<none>"]
    for _ in range(count // 2):
        text = rng.choice(NEIGHBOURS)
        for _ in range(rng.choice([1, 1, 2, 3])):
            token = rng.choice(tokens)
            if rng.random() < 0.1:
                token = token[: rng.randint(0, len(token))]
            elif rng.random() < 0.1:
                token = token.swapcase()
            text += token + rng.choice(NEIGHBOURS) + (rng.choice(NEIGHBOURS) if rng.random() < 0.4 else "")
        hard.append(text)
    rest = list(make.strings(seed, count, tokens))
    if count < len(rest) // 2:
        rest = rng.sample(rest, count)
    return (hard + rest)[:count] if count < 200 else hard + rest[: count - len(hard)]


def cases(tokenizer: Any, texts: list[str], decodings: int, seed: int) -> Any:
    """In the form of `fixtures/tokenizers`."""
    ids = tokenizer(texts)["input_ids"]
    bare = tokenizer(texts, add_special_tokens=False)["input_ids"]
    rng = random.Random(seed)
    count = len(tokenizer)
    rows: list[tuple[str | None, list[int], list[int]]] = list(zip(texts, ids, bare, strict=True))
    for _ in range(decodings):
        chosen = [rng.randrange(count + 3) for _ in range(rng.choice([1, 2, 3, 8]))]
        rows.append((None, chosen, chosen))
    for text, whole, without in rows:
        case: dict[str, Any] = {"text": text} if text is not None else {}
        case["ids"] = whole
        if without != whole:
            case["bare"] = without
        decoded, skipped = (tokenizer.decode(whole, skip_special_tokens=skip) for skip in (False, True))
        if decoded != text:
            case["decoded"] = decoded
        if skipped != decoded:
            case["skipped"] = skipped
        yield case


def load(folder: Path) -> Any:
    """The tokenizer, or why there is none."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder))
    except BaseException as error:  # Panics of tokenizers are no exceptions.
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{type(error).__name__}: {error}"


def made(
    folder: Path, model_type: str, kind: str, seed: int, texts: int, decodings: int
) -> tuple[Maker, list[Any]] | None:
    """A folder and its cases; nothing where transformers does not load it, or not tokenise with it."""
    maker = Maker(seed, model_type, kind)
    shutil.rmtree(folder, ignore_errors=True)
    maker.write(folder)
    tokenizer = load(folder)
    if isinstance(tokenizer, str):
        return None
    words = texts_of(seed, texts, maker.contents + list(tokenizer.get_added_vocab())[:30])
    if type(tokenizer).__name__ == "CodeLlamaTokenizer" and tokenizer.fill_token is not None:
        words = [text for text in words if tokenizer.fill_token not in text]
    try:
        return maker, list(cases(tokenizer, words, decodings, seed))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None


def write_cases(connection: Any, folder: Path, model_type: str, kind: str, seed: int, texts: int) -> None:
    """Makes a folder with its cases.jsonl, and sends their count; 0 if transformers cannot use the folder."""
    result = made(folder, model_type, kind, seed, texts, texts // 10)
    if result is not None:
        with open(folder / "cases.jsonl", "w") as file:
            for row in result[1]:
                file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
    connection.send(len(result[1]) if result is not None else 0)


def count_within(seconds: int, *arguments: Any) -> int:
    """The count of cases that a process of its own made in time: with some folders transformers never ends."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=write_cases, args=(sender, *arguments))
    process.start()
    sender.close()
    try:
        return int(receiver.recv()) if receiver.poll(seconds) else 0
    except EOFError:
        return 0
    finally:
        process.kill()
        process.join()


def fixture() -> None:
    """A folder for each pair, as changes to the tokenizers that are there."""
    seed = 0
    with open(FIXTURES / "folders.jsonl", "w") as file, tempfile.TemporaryDirectory() as folder:
        for model_type in TYPES:
            for kind in CLASSES:
                result = None
                while result is None:
                    seed += 1
                    result = made(Path(folder) / "model", model_type, kind, seed, 14, 5)
                maker, rows = result
                line = {
                    "pair": f"{model_type or 'no type'}, {kind}",
                    "base": maker.base,
                    "changes": maker.changes,
                    "files": maker.files,
                    "cases": rows,
                }
                file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--fixture", action="store_true")
    parser.add_argument("--folders", type=int, default=8)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=120, help="for one folder; one that takes longer is made again")
    parser.add_argument("--types", nargs="*", default=TYPES)
    parser.add_argument("--classes", nargs="*", default=list(CLASSES))
    arguments = parser.parse_args()
    import transformers

    transformers.logging.set_verbosity_error()
    if arguments.fixture:
        fixture()
        return
    for model_type in arguments.types:
        for kind in arguments.classes:
            seed, failed, count = arguments.seed * 1_000_003 + hash_of(model_type + kind), 0, 0
            for i in range(arguments.folders):
                folder = arguments.folder / f"{model_type or 'no-type'}+{kind}+{i:02}"
                made_cases = 0
                while made_cases == 0:
                    seed += 1
                    made_cases = count_within(arguments.seconds, folder, model_type, kind, seed, arguments.texts)
                    failed += made_cases == 0
                count += made_cases
            print(
                f"{model_type or 'no type'}, {kind}: {count} cases; {failed} folders that transformers cannot use",
                flush=True,
            )


def hash_of(text: str) -> int:
    return sum(ord(character) * int(31**i) for i, character in enumerate(text)) % 1_000_003


if __name__ == "__main__":
    main()
