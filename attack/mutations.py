"""Hostile files for every command that reads them: no crash by a signal, no hang, no memory out of proportion.

`make fuzz` tests the parts of a patch that digests protect: it corrects them. This attack tests the other files.
"""
import copy
import hashlib
import json
import random
import shutil
import sqlite3
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command import Vpatch
from lab import FIXTURES, SUITE, Lab
from outcome import Outcome

#: Limits of memory and time for a small file.
MEGABYTES = 600
SECONDS = 20

NASTY: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**32, 2**53 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**400, 1e308,
    -1e308, 5e-324, 0.1, -0.5, 1.5, 1e15, 1e16, 1e300, "", " ", "\0", "\x1b[31mX\x1b[0m", "<script>", "\u202e\u2066abc",
    "a" * 5000, "é", "e\u0301", [], {}, [[]], [1, 2, 3], [1] * 3000, {"a": 1}, {"": ""}, "9" * 50, "1e999", "nan",
    "inf",
    "../../etc/passwd", "/dev/zero", "/dev/stdin", "\n\n", "%s%n", "(a|a)*b", "(a+)+$", "((a?)?)?" * 20, "a{1,100000}",
    "(x{1,1000}){1,1000}", "[^\\s]", "(?:a*)*c", "\\p{Foo}", "(" * 500 + "a" + ")" * 500]
SCRAPS = [b'"', b"'", b"\\", b"[", b"]", b"{", b"}", b"=", b"\n", b"\0", b"#", b'"""', b"\r", b"\xff", b"9" * 400, b"-",
          b".", b"e999", b"\\ud800", b"inf", b"[" * 200, b"@nan", b"\xe2\x80\xae", b" " * 1000, b"9223372036854775807",
          b"1e300", b"-1"]

Change = Callable[[bytes, random.Random], bytes]


def change_bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(max(1, len(changed)))
        kind = rng.randrange(4)
        if kind == 0 and changed:
            changed[at % len(changed)] = rng.randrange(256)
        elif kind == 1:
            changed[at:at] = rng.choice(SCRAPS)
        elif kind == 2:
            del changed[at:at + rng.choice([1, 2, 10, 100, 10_000])]
        else:
            of = rng.randrange(max(1, len(changed)))
            changed[at:at] = changed[of:of + rng.choice([3, 20, 100])]
    return bytes(changed)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        items: Any = value.items()
    else:
        items = enumerate(value[:50]) if isinstance(value, list) else ()
    for key, below in items:
        found += _places(below, (*path, key))
        if len(found) > 2000:
            break
    return found


def change_value(value: Any, rng: random.Random) -> Any:
    value = copy.deepcopy(value)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        places = [path for path in _places(value) if path]
        if not places:
            return rng.choice(NASTY)
        *above, key = rng.choice(places)
        container = value
        for step in above:
            container = container[step]
        kind = rng.randrange(10)
        if kind < 6:
            container[key] = copy.deepcopy(rng.choice(NASTY))
        elif kind == 6:
            del container[key]
        elif kind == 7 and isinstance(container[key], int | float):
            container[key] = rng.choice([container[key] + 1, -container[key], container[key] * 2, 2**63 - 1])
        elif kind == 8 and isinstance(container[key], list):
            container[key] = container[key] * 50
        elif isinstance(container, dict):
            container[rng.choice(["x", "\0", "é", "name", "a" * 300])] = copy.deepcopy(rng.choice(NASTY))
    return value


def change_json(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.15:
        return change_bytes(data, rng)
    text = json.dumps(change_value(json.loads(data), rng), ensure_ascii=rng.random() < 0.5)
    return text.replace("Infinity", "1e999").encode("utf-8", "surrogatepass")


PATTERNS = [value for value in NASTY if isinstance(value, str) and any(mark in value for mark in "([\\")] + [
    "(a|aa)*b", "((a|a)(a|a))*b", "(?i:[^]])", "(?=(?=(?=a)))", "(?!a)", "\\", "[z-a]", "(?:", "a**", "(?<a>b)\\1", "",
    "$", "()", "(?:)*", "(?:|a)*", "[\\p{L}\\p{N}]+|[^\\s]", "(.*)*.*=.*", "(a|b|ab)*c", "^(([a-z])+.)+[A-Z]([a-z])+$"]


def change_tokenizer(data: bytes, rng: random.Random) -> bytes:
    """Changes the pre-tokenizer's pattern, or anything except the vocabulary; sometimes the vocabulary."""
    tokenizer = json.loads(data)
    vocabulary, merges = tokenizer["model"].pop("vocab"), tokenizer["model"].pop("merges")
    kind = rng.random()
    if kind < 0.4:
        tokenizer["pre_tokenizer"] = {
            "type": "Split", "pattern": {"Regex": rng.choice(PATTERNS)}, "invert": rng.random() < 0.5,
            "behavior": rng.choice(["Isolated", "Removed", "MergedWithPrevious", "Contiguous", "X"])}
    elif kind < 0.8:
        tokenizer = change_value(tokenizer, rng)
    else:
        vocabulary[rng.choice(list(vocabulary))] = rng.choice([-1, 10**9, 2**31, 2**63, 0, 1.5, None, "x"])
        merges[rng.randrange(len(merges))] = rng.choice(["a", "a b c", "", ["a"], [1, 2], "\0 \0", None])
    if isinstance(tokenizer, dict) and isinstance(tokenizer.get("model"), dict):
        tokenizer["model"] |= {"vocab": vocabulary, "merges": merges}
    text = json.dumps(tokenizer, ensure_ascii=rng.random() < 0.5).replace("Infinity", "1e999")
    return text.encode("utf-8", "surrogatepass")


def change_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines()
    at = rng.randrange(len(lines))
    lines[at] = change_json(lines[at], rng)
    return b"\n".join(lines)


def change_text(data: bytes, rng: random.Random) -> bytes:
    """Changes the value of a line, or with a probability of one half any bytes."""
    lines = data.split(b"\n")
    with_values = [at for at, line in enumerate(lines) if b"=" in line]
    if rng.random() < 0.5 or not with_values:
        return change_bytes(data, rng)
    at = rng.choice(with_values)
    values = [json.dumps(value).encode() for value in NASTY if isinstance(value, str | int | float)]
    lines[at] = lines[at].split(b"=")[0] + b"= " + rng.choice(values)
    return b"\n".join(lines)


def change_header(data: bytes, rng: random.Random) -> bytes:
    """Changes the header of a safetensors file and corrects its length."""
    (length,) = struct.unpack_from("<Q", data)
    header = change_json(data[8:8 + length], rng)
    return struct.pack("<Q", len(header)) + header + data[8 + length:]


def change_state(data: bytes, rng: random.Random) -> bytes:
    """Changes the metadata of a training state."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    state = json.loads(header["__metadata__"]["vpatch.training"])
    header["__metadata__"]["vpatch.training"] = json.dumps(change_value(state, rng)).replace("Infinity", "1e999")
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + length:]


def change_journal(data: bytes, rng: random.Random) -> bytes:
    """Changes the header of a journal and corrects its digest (spec/journal.md). The model is a copy: it is refused."""
    (length,) = struct.unpack_from("<Q", data, 16)
    header = json.dumps(change_value(json.loads(data[64:64 + length]), rng), sort_keys=True,
                        separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    start = data[:16] + struct.pack("<Q", len(header)) + data[24:32]
    return start + hashlib.sha256(start + header).digest() + header + data[64 + length:]


def change_catalogue(path: Path, rng: random.Random) -> None:
    """Changes values of the catalogue, with SQLite."""
    with sqlite3.connect(path) as database:
        tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
        database.execute("pragma ignore_check_constraints = 1")
        database.execute("pragma writable_schema = 1")
        for _ in range(rng.choice([1, 1, 2])):
            table = rng.choice(tables)
            columns = [row[1] for row in database.execute(f'pragma table_info("{table}")')]
            value = rng.choice([value for value in NASTY if isinstance(value, str | float) or
                                   (isinstance(value, int) and abs(value) < 2**63)] + [b"\0\1", None])
            try:
                database.execute(f'update "{table}" set "{rng.choice(columns)}" = ?', (value,))
            except (sqlite3.Error, OverflowError, UnicodeEncodeError):
                database.execute(f'delete from "{table}"')
    database.close()


@dataclass(frozen=True)
class Target:
    name: str
    #: Name in the folder → name of the source.
    files: dict[str, str]
    #: The file to change.
    file: str
    change: Change
    commands: tuple[tuple[str, ...], ...]
    #: Commands that make the file. They run once.
    setup: tuple[tuple[str, ...], ...] = ()


def targets(lab: Lab) -> list[Target]:
    (lab.sources / "full.toml").write_text(
        SUITE + 'context = 32\nstride = 16\n[[task]]\nname = "mass"\nkind = "mass"\nrole = "probe"\n'
        'data = "rows.jsonl"\nlimit = 2\nformat = "raw"\nmax_tokens = 2\nwords = ["cat", "1"]\n')
    shutil.copy(FIXTURES / "images" / "rgb.jpg", lab.sources / "image.jpg")
    shutil.copy(FIXTURES / "images" / "palette4-trns.png", lab.sources / "image.png")
    shutil.copy(FIXTURES / "images" / "lossy-alpha.webp", lab.sources / "image.webp")
    seeing = lab.sources / "seeing"
    if not seeing.exists():
        shutil.copytree(FIXTURES / "tiny-models" / "tiny-qwen2.5-vl", seeing)
        token = json.loads((seeing / "config.json").read_text()).get("image_token_id", 0)
        (lab.sources / "seen.jsonl").write_text(json.dumps({"input_ids": [1, 9, token, 7], "images": ["i"]}) + "\n")
    model = {"m": "tl", "rows.jsonl": "rows.jsonl"}
    score = ("score", "m", "--text", "cat dog " + "a" * 40, "--json")
    generate = ("generate", "m", "hi cat", "--max-tokens", "3", "--chat-template", "chatml")
    train = ("train", "m", "--recipe", "sa-proj", "--data", "rows.jsonl", "-o", "o.vpatch", "--no-store", "-q",
             "--steps", "2", "--batch", "2", "--lr", "1e-3", "--force", "--max-drift", "5", "--drift-every", "1")
    resume = (*train, "--resume", "run", "--save-every", "1")
    live = {"m": "fb", "f.vpatch": "f.vpatch", "g.vpatch": "g.vpatch"}
    pair = {"b.st": "base.safetensors", "t.st": "tuned-a.safetensors", "a.vpatch": "a.vpatch"}
    annotate = {"p.vpatch": "trained.vpatch", "r.json": "tuned.json", "b.json": "base.json"}
    look = ("score", "m", "--data", "seen.jsonl", "--json", "--features", "none")
    evaluate = ("eval", "m", "--suite", "suite/suite.toml", "-q")
    sees = {"m": "seeing", "seen.jsonl": "seen.jsonl"}
    png = {**sees, "i": "image.png"}
    suite = {**model, "suite": "suite", "suite/suite.toml": "full.toml"}
    patch = (("verify", "a.vpatch"), ("show", "a.vpatch", "--json"), ("apply", "b.st", "a.vpatch", "-o", "o.st", "-q"),
             ("add", "a.vpatch", "-q"))
    listing = (("list",), ("list", "--json"), ("log",), ("fsck",), ("gc",), ("stack", "list"), ("stack", "show", "s"),
               ("show", "a"), ("tag",), ("alias",), ("switch", "b.st", "s", "-q"), ("fsck", "--repair"))
    stacked = (("add", "a.vpatch", "b.vpatch", "-q"), ("stack", "new", "s", "--base", "b.st", "a@0.5", "b", "-q"))
    return [
        Target("safetensors header", pair, "t.st", change_header,
               (("diff", "b.st", "t.st"), ("create", "b.st", "t.st", "-o", "p.vpatch", "-q", "--no-store"))),
        Target("patch", pair, "a.vpatch", change_bytes, patch),
        Target("index", live, "m/model.safetensors.index.json", change_json,
               (("status", "m"), ("switch", "m", "f.vpatch", "-q"))),
        Target("provenance", live, "m/vpatch.json", change_json,
               (("status", "m", "--full"), ("revert", "m", "-q"), ("switch", "m", "g.vpatch", "-q")),
               (("switch", "m", "f.vpatch", "-q"),)),
        Target("journal", live, "m/.vpatch-journal", change_journal,
               (("status", "m"), ("recover", "m")), (("JOURNAL",),)),
        Target("stack file", {**pair, "b.vpatch": "b.vpatch"}, "s.stack", change_text,
               (("stack", "import", "s.stack", "--name", "x"), ("apply", "b.st", "--stack", "s.stack", "-o", "o.st"),
                ("stack", "diff", "s.stack", "s")), (*stacked, ("stack", "export", "s", "-o", "s.stack"))),
        Target("catalogue", {**pair, "b.vpatch": "b.vpatch"}, "store/catalogue.sqlite", change_bytes, listing, stacked),
        Target("config.json", model, "m/config.json", change_json, (score, train)),
        Target("tokenizer.json", model, "m/tokenizer.json", change_tokenizer, (score, generate)),
        Target("generation_config.json", model, "m/generation_config.json", change_json, (generate,)),
        Target("rows", model, "rows.jsonl", change_lines, (("score", "m", "--data", "rows.jsonl", "--json"), train)),
        Target("training state", model, "run/training.safetensors", change_state, (resume,), (resume,)),
        Target("suite", suite, "suite/suite.toml", change_text, (evaluate,)),
        Target("suite data", suite, "suite/rows.jsonl", change_lines, (evaluate,)),
        Target("results", annotate, "r.json", change_json,
               (("annotate", "p.vpatch", "--results", "r.json", "--base-results", "b.json"),
                ("report", "p.vpatch", "-o", "r.html", "--force"), ("gate", "p.vpatch", "--max-forgetting", "1"))),
        Target("preprocessor_config.json", png, "m/preprocessor_config.json", change_json, (look,)),
        Target("config.json of a model that sees", png, "m/config.json", change_json, (look,)),
        Target("JPEG", {**sees, "i": "image.jpg"}, "i", change_bytes, (look,)),
        Target("PNG", png, "i", change_bytes, (look,)),
        Target("WebP", {**sees, "i": "image.webp"}, "i", change_bytes, (look,)),
        Target("PEM", {"a.vpatch": "a.vpatch", "key.pem": "key.pem", "pub.pem": "pub.pem"}, "key.pem", change_bytes,
               (("sign", "a.vpatch", "--key", "key.pem", "-q"),)),
    ]


def _complaints(vpatch: Vpatch, command: tuple[str, ...], folder: Path) -> list[str]:
    run = vpatch.run(command, folder, timeout=SECONDS)
    if run.hung:
        return [f"{command[0]} hangs"]
    if run.code < 0:
        return [f"{command[0]} is ended by signal {-run.code}"]
    if run.megabytes > MEGABYTES:
        return [f"{command[0]} takes more than {MEGABYTES} MB"]
    if "Fatal error" in run.errors:
        return [f"{command[0]}: a fatal error"]
    return [f"{command[0]} fails without a message"] if run.code and not run.errors.strip() and \
        command[0] not in ("gate", "fsck", "status") else []


def _journal(lab: Lab, vpatch: Vpatch, folder: Path) -> None:
    """Makes a journal: a switch is killed right after the journal gets its name."""
    log = folder / "log"
    command = ("switch", "m", "f.vpatch", "-q")
    shutil.copytree(folder / "m", folder / "kept")
    vpatch.run(command, folder, {**vpatch.fault_environment(folder, log=log), "FAULT_CALLS": "rename"})
    at = next(at for at, line in enumerate(log.read_text().splitlines(), 1) if line.endswith(".vpatch-journal"))
    shutil.rmtree(folder / "m")
    shutil.move(folder / "kept", folder / "m")
    vpatch.run(command, folder, {**vpatch.fault_environment(folder), "FAULT_CALLS": "rename", "FAULT_AT": str(at),
                                 "FAULT_MODE": "kill-after"})


def attack(lab: Lab, count: int, only: str | None = None) -> Outcome:
    """Tries `count` changed files, divided among the kinds."""
    outcome = Outcome("hostile files", "files")
    chosen = [target for target in targets(lab) if not only or only in target.name]
    base = lab.place("mutations")
    each = -(-count // len(chosen))

    def try_target(target: Target) -> None:
        rng = random.Random(f"{lab.seed} {target.name}")
        whole = base / target.name.replace(" ", "-") / "whole"
        whole.mkdir(parents=True)
        for name, source in target.files.items():
            path = lab.sources / source
            if path.is_dir():
                shutil.copytree(path, whole / name)
            else:
                shutil.copyfile(path, whole / name)
        folder = whole.parent / "d"
        vpatch = lab.vpatch.with_environment({"VPATCH_STORE": "store"})
        for command in target.setup:
            if command == ("JOURNAL",):
                _journal(lab, vpatch, whole)
            else:
                lab.do(*command, folder=whole, store=whole / "store")
        data = (whole / target.file).read_bytes()
        for number in range(each):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(whole, folder)
            path = folder / target.file
            if target.name == "catalogue" and number % 2:
                change_catalogue(path, rng)
            else:
                path.unlink()
                path.write_bytes(target.change(data, rng))
            changed = path.read_bytes()
            for command in target.commands:
                complaints = [f"{target.name}: {complaint}" for complaint in _complaints(vpatch, command, folder)]
                if complaints:
                    outcome.complain(complaints[0], _kept(lab, target, number, changed))
            outcome.count(note=target.name)

    with ThreadPoolExecutor(lab.jobs) as pool:
        for _ in pool.map(try_target, chosen):
            pass
    return outcome.end()


def _kept(lab: Lab, target: Target, number: int, changed: bytes) -> str:
    """Keeps the file that caused a failure outside of the temporary folder, and returns its path."""
    path = Path("/tmp") / f"vpatch-attack-{lab.seed}-{number}-{Path(target.file).name}"
    path.write_bytes(changed)
    return str(path)
