"""The operations that the attacks with faults and signals run."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Operation:
    name: str
    #: Name in the folder → name of the source.
    files: dict[str, str]
    command: tuple[str, ...]
    #: The names that it makes or changes; all others must not change.
    results: tuple[str, ...] = ()
    #: Commands to run first.
    setup: tuple[tuple[str, ...], ...] = ()
    #: The model that it changes in place; recover runs on it afterwards.
    model: str | None = None
    #: Results that are compared by patch identity, because they contain a time or a path.
    loose: frozenset[str] = frozenset()
    #: Other files that it may leave: logs, states to resume from.
    besides: tuple[str, ...] = ()
    #: It only reads; its result is what it prints.
    prints: bool = False
    #: Patches of the store whose annotations are compared as well.
    shows: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


def operations() -> list[Operation]:
    return _outputs() + _in_place() + _notes() + _store() + _readers()


PAIR = {"base.st": "base.safetensors", "tuned.st": "tuned-a.safetensors"}
BASE_A = {"base.st": "base.safetensors", "a.vpatch": "a.vpatch"}
BOTH = {**BASE_A, "b.vpatch": "b.vpatch"}
FOLDERS = {"b": "fb", "t": "ft"}
PATCHED = {"b": "fb", "f.vpatch": "f.vpatch"}
TRAINING = {"m": "tl", "rows.jsonl": "rows.jsonl"}
NEW = ("-o", "out.vpatch", "-q", "--no-store")


def _outputs() -> list[Operation]:
    """Operations that write new files."""
    provenance = ("out.st", "out.st.vpatch.json")
    train = ("train", "m", "--recipe", "sa-proj", "--data", "rows.jsonl", *NEW, "--steps", "2", "--batch", "2",
             "--lr", "1e-3", "--resume", "run", "--save-every", "1", "--log", "log.jsonl")
    return [
        Operation("create of files", PAIR, ("create", "base.st", "tuned.st", *NEW), ("out.vpatch",)),
        Operation("create of folders", FOLDERS, ("create", "b", "t", *NEW), ("out.vpatch",)),
        Operation("create --force", {**PAIR, "out.vpatch": "b.vpatch"},
                  ("create", "base.st", "tuned.st", *NEW, "--force"), ("out.vpatch",)),
        Operation("create into the store", PAIR,
                  ("create", "base.st", "tuned.st", "-o", "out.vpatch", "-q", "--name", "mine"), ("out.vpatch",),
                  shows=("mine",)),
        Operation("apply to a file", BASE_A, ("apply", "base.st", "a.vpatch", "-o", "out.st", "-q"), provenance),
        Operation("apply --force", BOTH, ("apply", "base.st", "b.vpatch", "-o", "out.st", "-q", "--force"), provenance,
                  setup=(("apply", "base.st", "a.vpatch", "-o", "out.st", "-q"),)),
        Operation("apply to a folder", PATCHED, ("apply", "b", "f.vpatch", "-o", "out", "-q"), ("out",)),
        Operation("apply --full --stamp", PATCHED, ("apply", "b", "f.vpatch", "-o", "out", "-q", "--full", "--stamp"),
                  ("out",)),
        Operation("apply of a stack", BOTH, ("apply", "base.st", "a.vpatch@0.5", "b.vpatch", "-o", "out.st", "--undo",
                                             "undo.vpatch", "-q"), provenance,
                  # It is complete before the model exists, and the same command accepts it as it is.
                  besides=("undo.vpatch",)),
        Operation("revert -o", {"t": "ft", "f.vpatch": "f.vpatch"}, ("revert", "t", "f.vpatch", "-o", "out", "-q"),
                  ("out",)),
        Operation("compose", {**BASE_A, "c.vpatch": "c.vpatch"},
                  ("compose", "a.vpatch", "c.vpatch", "--base", "base.st", *NEW), ("out.vpatch",)),
        Operation("rebase", {**BASE_A, "other.st": "other.safetensors"},
                  ("rebase", "a.vpatch", "--base", "base.st", "--onto", "other.st", *NEW), ("out.vpatch",)),
        Operation("diff --html", FOLDERS, ("diff", "b", "t", "--html", "out.html", "-q"), ("out.html",)),
        Operation("report", {"p.vpatch": "measured.vpatch", "m": "tl"},
                  ("report", "p.vpatch", "--base", "m", "-o", "out.html", "-q"), ("out.html",)),
        Operation("train --resume", TRAINING, train, ("out.vpatch",), loose=frozenset({"out.vpatch"}),
                  besides=("run", "log.jsonl")),
    ]


def _in_place() -> list[Operation]:
    """Operations that change a model in place."""
    file = {"m.st": "base.safetensors", **BOTH}
    model = ("m.st", "m.st.vpatch.json")
    stack = (("add", "a.vpatch", "b.vpatch", "-q"), ("stack", "new", "s", "--base", "base.st", "a@0.5", "b", "-q"))
    switched = (("switch", "b", "f.vpatch", "-q"),)
    return [
        Operation("switch of a file", file, ("switch", "m.st", "a.vpatch", "-q"), model, model="m.st"),
        Operation("switch of a folder", PATCHED, ("switch", "b", "f.vpatch", "-q"), ("b",), model="b"),
        Operation("switch --by-rename", PATCHED, ("switch", "b", "f.vpatch", "-q", "--by-rename"), ("b",), model="b"),
        Operation("switch of a file --by-rename", file, ("switch", "m.st", "a.vpatch", "-q", "--by-rename"), model,
                  model="m.st"),
        Operation("switch to a stack", file, ("switch", "m.st", "s", "-q"), model, stack, model="m.st"),
        Operation("switch from a stack to a patch", file, ("switch", "m.st", "b", "-q"), model,
                  (*stack, ("switch", "m.st", "s", "-q")), model="m.st"),
        Operation("revert in place", PATCHED, ("revert", "b", "-q"), ("b",), switched, model="b"),
        Operation("revert of a stack", file, ("revert", "m.st", "-q"), model, (*stack, ("switch", "m.st", "s", "-q")),
                  model="m.st"),
        Operation("revert of a member", file, ("revert", "m.st", "a", "-q"), model,
                  (*stack, ("switch", "m.st", "s", "-q")), model="m.st"),
    ]


def _notes() -> list[Operation]:
    """Operations that change the annotations of a patch."""
    results = {"tuned.json": "tuned.json", "base.json": "base.json", "m": "tl"}
    annotate = ("--results", "tuned.json", "--base-results", "base.json", "-q")
    evaluate = ("eval", "m", "--suite", "suite/suite.toml", "--record", "-q", "--patch")
    return [
        Operation("annotate", {**results, "p.vpatch": "trained.vpatch"}, ("annotate", "p.vpatch", *annotate),
                  ("p.vpatch",)),
        Operation("annotate in the store", {**results, "p.vpatch": "trained.vpatch"},
                  ("annotate", "trained", *annotate), setup=(("add", "p.vpatch", "-q"),), shows=("trained",)),
        Operation("sign", {"p.vpatch": "a.vpatch", "key.pem": "key.pem"},
                  ("sign", "p.vpatch", "--key", "key.pem", "-q"), ("p.vpatch",)),
        Operation("sign in the store", {"p.vpatch": "a.vpatch", "key.pem": "key.pem"},
                  ("sign", "a", "--key", "key.pem", "-q"), setup=(("add", "p.vpatch", "-q"),), shows=("a",)),
        Operation("eval --record", {"m": "tl", "suite": "suite", "p.vpatch": "trained.vpatch"},
                  (*evaluate, "p.vpatch", "--base-results", "base.json"), ("p.vpatch",), loose=frozenset({"p.vpatch"}),
                  besides=("base.json",)),
        Operation("eval --record in the store", {"m": "tl", "suite": "suite", "p.vpatch": "trained.vpatch"},
                  (*evaluate, "trained"), setup=(("add", "p.vpatch", "-q"),), shows=("trained",)),
    ]


def _store() -> list[Operation]:
    """Operations that change the store."""
    files = {**BOTH, "c.vpatch": "c.vpatch"}
    added = ("add", "a.vpatch", "b.vpatch", "-q")
    stack = ("stack", "new", "s", "--base", "base.st", "a@0.5", "-q")
    undone = (added, ("stack", "new", "s", "--base", "base.st", "a@0.5", "b", "-q"), ("switch", "base.st", "s", "-q"),
              ("revert", "base.st", "-q"))

    def of(name: str, *command: str, setup: tuple[tuple[str, ...], ...] = (added,), results: tuple[str, ...] = ()
           ) -> Operation:
        return Operation(name, files, command, results, setup, shows=("a",))

    return [
        of("add into a new store", "add", "a.vpatch", "-q", setup=()),
        of("add of two", "add", "b.vpatch", "c.vpatch", "-q", setup=(("add", "a.vpatch", "-q"),)),
        of("rm", "rm", "b", "--force", "-q"),
        of("gc", "gc", "--yes", "-q", "--forget", "base.st", setup=undone),
        of("alias", "alias", "mine", "b", "-q"),
        of("alias that moves", "alias", "a", "b", "-q"),
        of("tag", "tag", "a", "good", "-q"),
        of("stack new", *stack),
        of("stack add", "stack", "add", "s", "b@2", "-q", setup=(added, stack)),
        of("stack remove", "stack", "remove", "s", "a", "-q",
           setup=(added, ("stack", "new", "s", "--base", "base.st", "a@0.5", "b", "-q"))),
        of("stack delete", "stack", "delete", "s", "-q", setup=(added, stack)),
        of("stack export", "stack", "export", "s", "-o", "s.stack", "-q", setup=(added, stack), results=("s.stack",)),
        of("stack import", "stack", "import", "s.stack", "-q", setup=(
            added, stack, ("stack", "export", "s", "-o", "s.stack", "-q"), ("stack", "delete", "s", "-q"))),
        of("fsck --repair", "fsck", "--repair", "-q"),
    ]


def _readers() -> list[Operation]:
    """Operations that only read."""
    added = (("add", "a.vpatch", "b.vpatch", "-q"), ("stack", "new", "s", "--base", "base.st", "a@0.5", "b", "-q"))
    verified = {**FOLDERS, "f.vpatch": "f.vpatch"}

    def of(name: str, files: dict[str, str], *command: str, setup: tuple[tuple[str, ...], ...] = ()) -> Operation:
        return Operation(name, files, command, setup=setup, prints=True)

    return [
        of("verify", verified, "verify", "f.vpatch", "--base", "b", "--target", "t"),
        of("status --full", PATCHED, "status", "b", "--full", "--json", setup=(("switch", "b", "f.vpatch", "-q"),)),
        of("show", {"p.vpatch": "measured.vpatch"}, "show", "p.vpatch", "--json"),
        of("diff", FOLDERS, "diff", "b", "t", "--json"),
        of("score", TRAINING, "score", "m", "--data", "rows.jsonl", "--json"),
        of("list", BOTH, "list", "--json", setup=added),
        of("log", BOTH, "log", setup=added),
        of("stack show", BOTH, "stack", "show", "s", "--json", setup=added),
        of("fsck", BOTH, "fsck", "--json", setup=added),
        of("gc that shows", BOTH, "gc", "--json", setup=added),
        of("generate", TRAINING, "generate", "m", "cat", "--raw", "--max-tokens", "2"),
    ]
