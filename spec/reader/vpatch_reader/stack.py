"""Stacks (../stacks.md): their text files and identities, and the tensors that they make.

Tensors are whole in memory; there are no pieces and no threads.
"""

import hashlib
import math
import struct
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from .apply import Run
from .elements import to_bytes
from .floats import FLOATS, narrow, widen
from .refused import require
from .units import units

PARAMETERS = {
    "sum": (), "linear": (), "ties": ("density", "lambda"), "dare": ("density", "seed"),
    "dare-ties": ("density", "lambda", "seed"), "slerp": (),
}
DEFAULTS = {"density": 0.5, "lambda": 1.0, "seed": 0, "toward-base": 0.0}
ORDER = ("density", "lambda", "seed", "toward-base")


# --- sections 1, 2, 3, 6: what a stack is -----------------------------------------------------


@dataclass
class Stack:
    base: str  # a root
    method: str
    parameters: dict[str, float]
    members: list[tuple[str, float]] = field(default_factory=list)  # name as in the file, scale

    @property
    def method_text(self) -> str:
        words = [self.method]
        for key in ORDER:
            if key in self.parameters and (key != "toward-base" or self.parameters[key] != 0):
                value = self.parameters[key]
                words.append(f"{key}={value if key == 'seed' else decimal(value)}")
        return " ".join(words)

    def identity(self, identities: list[str]) -> str:
        """`identities` are those of the members, in the order of `members`."""
        members = sorted((bytes.fromhex(i), scale) for i, (_, scale) in zip(identities, self.members, strict=True))
        text = b"vpatch.stack.1\n" + bytes.fromhex(self.base) + self.method_text.encode() + b"\n"
        return hashlib.sha256(text + b"".join(i + struct.pack("<d", scale) for i, scale in members)).hexdigest()


def decimal(x: float) -> str:
    """The shortest decimal that reads back as `x`, as section 2 writes it."""
    if x == 0:
        return "0"
    digits, exponent = _digits(repr(float(x)))
    sign = "-" if x < 0 else ""
    if Fraction(1, 10**4) <= abs(Fraction(x)) <= 2**53:
        point = exponent + 1
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        whole, rest = digits[:point].ljust(point, "0"), digits[point:]
        return sign + whole + (f".{rest}" if rest else "")
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _digits(text: str) -> tuple[str, int]:
    """Significant digits, and the power of ten of the first digit."""
    number, _, power = text.lstrip("-").partition("e")
    whole, _, fraction = number.partition(".")
    digits = whole + fraction
    exponent = len(whole) - 1 + int(power or 0)
    stripped = digits.lstrip("0")
    return stripped.rstrip("0"), exponent - (len(digits) - len(stripped))


def parse(data: bytes) -> Stack:
    """Section 6."""
    lines = [line.removesuffix(b"\r").decode("utf-8").replace("\t", " ").split(" ") for line in data.split(b"\n")]
    statements = []
    for words in lines:
        words = [word for word in words if word]
        comment = next((i for i, word in enumerate(words) if word.startswith("#")), len(words))
        if words[:comment]:
            statements.append(words[:comment])
    require(statements and statements[0] == ["vpatch-stack", "1"], "stack-file",
            "the first statement is not `vpatch-stack 1`")
    found: dict[str, list[str]] = {}
    members = []
    for key, *values in statements[1:]:
        require(key in ("name", "base", "method", "patch"), "stack-file", f"unknown statement {key!r}")
        require(len(values) == 1 or (key == "method" and values), "stack-file",
                f"{key!r} is followed by {len(values)} words")
        if key == "patch":
            members.append(_member(values[0]))
            continue
        require(key not in found, "stack-file", f"{key!r} occurs twice")
        found[key] = values
    require("base" in found, "stack-file", "no base")
    name, *words = found.get("method", ["sum"])
    return Stack(found["base"][0], name, _parameters(name, words), members)


def _parameters(method: str, words: list[str]) -> dict[str, float]:
    require(method in PARAMETERS, "stack", f"unknown method {method!r}")
    given = [word.partition("=")[::2] for word in words]
    keys = [key for key, _ in given]
    known = (*PARAMETERS[method], "toward-base")
    good = len(set(keys)) == len(keys) and set(keys) <= set(known)
    require(good, "stack", f"unknown or repeated parameters of {method}: {keys}")
    values = {key: DEFAULTS[key] for key in known} | {k: int(v) if k == "seed" else float(v) + 0.0 for k, v in given}
    require(0 < values.get("density", 1) <= 1, "stack", "density is not in (0, 1]")
    require(math.isfinite(values.get("lambda", 1)), "stack", "lambda is not finite")
    require(0 <= values.get("seed", 0) < 2**64, "stack", "seed has more than 64 bits")
    require(0 <= values["toward-base"] <= 1, "stack", "toward-base is not in [0, 1]")
    return values


def _member(text: str) -> tuple[str, float]:
    name, at, tail = text.rpartition("@")
    try:
        scale = float(tail) if at and not set(tail) - set("0123456789+-.eE") else math.inf
    except ValueError:
        scale = math.inf
    return (name, scale + 0.0) if math.isfinite(scale) else (text, 1.0)


# --- section 4: which tensors are merged, and how ---------------------------------------------


@dataclass
class Member:
    """A member that takes part."""

    run: Run
    identity: bytes
    scale: float

    def touches(self, name: str) -> bool:
        return name in self.run.tensors and self.run.tensors[name].op != "same"

    def makes(self, name: str) -> object:
        """The tensor's target, touched or not; None if it is removed or never existed."""
        return self.run.tensors[name].target if name in self.run.tensors else None

    def tuned(self, name: str) -> bytes:
        return b"".join(self.run.pieces(self.run.tensors[name]))


class Merge:
    """`runs` are the members' patches on the base, in the order of the stack's members."""

    def __init__(self, stack: Stack, runs: list[Run]) -> None:
        for run in runs:
            require(run.patch.base == stack.base, "stack", "a member has another base")
        pairs = zip(runs, stack.members, strict=True)
        members = [Member(run, bytes.fromhex(run.patch.identity), scale) for run, (_, scale) in pairs]
        members.sort(key=lambda m: m.identity)
        require(len({m.identity for m in members}) == len(members), "stack", "a patch is a member twice")
        require(all(math.isfinite(m.scale) for m in members), "stack", "a scale is not finite")
        self.model = runs[0].model
        self.parameters = stack.parameters
        self.method = stack.method
        self.rest = 1 - stack.parameters["toward-base"]
        self.total = 0.0
        for m in members:
            self.total += m.scale
        self.t = 0.0  # only for slerp
        if self.method == "slerp":
            good = len(members) == 2 and all(m.scale >= 0 for m in members) and self.total > 0
            require(good and math.isfinite(self.total), "stack",
                    "slerp needs two members with scales that are not negative")
            self.t = members[1].scale / self.total
            if self.t in (0, 1):
                self.method, members = "linear", [members[int(self.t)]]
                self.total = members[0].scale
        self.members = [m for m in members if m.scale != 0]
        if self.method == "linear" and self.members:
            require(math.isfinite(self.total) and self.total != 0, "stack", "the sum of the scales is 0 or not finite")
        names = {name for m in self.members for name in m.run.tensors if m.touches(name)}
        self.names = sorted(names, key=lambda n: n.encode())
        models = [{name: e.base.dtype for name, e in runs[0].tensors.items() if e.base}]
        models += [{name: e.target.dtype for name, e in m.run.tensors.items() if e.target} for m in self.members]
        for unit in units(models):
            self.check_unit(unit)
        for name in self.names:
            if not self.is_mergeable(name):
                self.check(name)

    def check_unit(self, unit: set[str]) -> None:  # 4.1
        them = [m for m in self.members if any(m.touches(name) for name in unit)]
        if not them:
            return
        for name in unit:
            alike = all(m.makes(name) == them[0].makes(name) for m in them)
            require(alike, "stack", f"members make different tensors of {name!r}, which is in a unit")
        require(self.rest == 1, "stack", f"the unit of {min(unit)!r} cannot be moved toward the base")
        if self.method in ("linear", "slerp"):
            require(len(them) == len(self.members), "stack", f"not all members touch the unit of {min(unit)!r}")
        else:
            require(all(m.scale == 1 for m in them), "stack", f"the unit of {min(unit)!r} cannot be scaled")
        adds = self.method in ("sum", "linear") or (self.method == "dare" and self.parameters["density"] == 1)
        for name in unit:
            found = self.contributors(name)
            if found and self.is_mergeable(name):
                alone = len(found) == 1 and adds and self.weight(found[0]) == 1
                require(alone, "stack", f"{name!r} is in a unit and cannot be merged")

    def contributors(self, name: str) -> list[Member]:
        return [m for m in self.members if m.touches(name)]

    def is_mergeable(self, name: str) -> bool:
        entries = [m.run.tensors[name] for m in self.contributors(name)]
        return all(e.op == "change" and e.base is not None and e.base.dtype in FLOATS for e in entries)

    def check(self, name: str) -> None:
        them = self.contributors(name)
        targets = [m.run.tensors[name].target for m in them]
        require(all(t == targets[0] for t in targets), "stack", f"members make different tensors of {name!r}")
        require(self.rest == 1, "stack", f"{name!r} cannot be moved toward the base")
        if self.method in ("linear", "slerp"):
            require(len(them) == len(self.members), "stack", f"not all members touch {name!r}")
        else:
            require(all(m.scale == 1 for m in them), "stack", f"{name!r} cannot be scaled")

    def tensor(self, name: str) -> bytes | None:
        """The result's bytes; None for a tensor that is removed."""
        them = self.contributors(name)
        if self.rest == 0 or not them:
            _, info = self.model.tensors[name]
            return self.model.read(name, 0, info.length)
        entry = them[0].run.tensors[name]
        if not self.is_mergeable(name):
            return them[0].tuned(name) if entry.target else None
        assert entry.base and entry.base.length is not None  # it changes
        unsigned = f"<u{FLOATS[entry.base.dtype][0] // 8}"
        base = np.frombuffer(self.model.read(name, 0, entry.base.length), unsigned)
        tuned = [np.frombuffer(m.tuned(name), unsigned) for m in them]
        rule = {"ties": self.elect, "dare-ties": self.elect, "slerp": self.between}.get(self.method, self.add)
        with np.errstate(all="ignore"):
            return to_bytes(rule(name, entry.base.dtype, base, tuned, them))

    # --- section 5 ----------------------------------------------------------------------------

    def weight(self, m: Member) -> float:
        match self.method:
            case "linear":
                return m.scale / self.total
            case "dare" | "dare-ties":
                return m.scale / self.parameters["density"]
        return m.scale

    def changes(self, name: str, dtype: str, base: np.ndarray, tuned: np.ndarray,
                m: Member) -> tuple[np.ndarray, np.ndarray]:  # 5.2, 5.5
        """Differences, and a mask of the elements that the member takes part in."""
        changed = base != tuned
        if self.method in ("dare", "dare-ties"):
            key = dare_key(int(self.parameters["seed"]), m.identity, name)
            changed &= (scramble(key, base.size) >> np.uint64(11)) * 2.0**-53 < self.parameters["density"]
        return np.where(changed, widen(tuned, dtype) - widen(base, dtype), 0.0), changed

    def add(self, name: str, dtype: str, base: np.ndarray, tuned: list[np.ndarray],
            them: list[Member]) -> np.ndarray:  # 5.3
        total, count = np.zeros(base.size), np.zeros(base.size, int)
        as_is, bits_do = base.copy(), np.zeros(base.size, bool)
        for u, m in zip(tuned, them, strict=True):
            delta, changed = self.changes(name, dtype, base, u, m)
            w = self.weight(m)
            total = np.where(changed, total + w * delta, total)
            count += changed
            as_is = np.where(changed, u, as_is)
            bits_do = np.where(changed, w == 1 and self.rest == 1, bits_do)
        moved = narrow(widen(base, dtype) + self.rest * total, dtype)
        return np.where(count == 0, base, np.where((count == 1) & bits_do, as_is, moved))

    def elect(self, name: str, dtype: str, base: np.ndarray, tuned: list[np.ndarray],
              them: list[Member]) -> np.ndarray:  # 5.4
        kept, weights = [], [self.weight(m) for m in them]
        for u, m in zip(tuned, them, strict=True):
            delta, _ = self.changes(name, dtype, base, u, m)
            if self.method == "ties" and self.parameters["density"] < 1:
                delta = largest(delta, max(1, math.floor(self.parameters["density"] * base.size)))
            kept.append(delta)
        shares = [np.where(delta == 0, 0.0, w * delta) for w, delta in zip(weights, kept, strict=True)]
        votes = np.zeros(base.size)
        for p in shares:
            votes = votes + p
        total, divisor, count = np.zeros(base.size), np.zeros(base.size), np.zeros(base.size, int)
        last, as_is = np.zeros(base.size), base.copy()
        bits_do = np.zeros(base.size, bool)
        for u, p, w, delta in zip(tuned, shares, weights, kept, strict=True):
            takes = np.where(np.isnan(votes), p != 0, np.where(votes >= 0, p > 0, p < 0))
            total = np.where(takes, total + p, total)
            divisor = np.where(takes, divisor + w, divisor)
            last = np.where(takes, delta, last)
            as_is = np.where(takes, u, as_is)
            exact = self.parameters["lambda"] == 1 and self.rest == 1 and (self.method == "ties" or w == 1)
            bits_do = np.where(takes, exact, bits_do)
            count += takes
        if self.method == "ties":
            total = np.where(count == 1, last, total / np.where(divisor == 0, 1.0, divisor))
        moved = narrow(widen(base, dtype) + self.rest * (self.parameters["lambda"] * total), dtype)
        return np.where(count == 0, base, np.where((count == 1) & bits_do, as_is, moved))

    def between(self, name: str, dtype: str, base: np.ndarray, tuned: list[np.ndarray],
                them: list[Member]) -> np.ndarray:  # 5.6
        sides = dict(zip((m.identity for m in them), tuned, strict=True))
        one, two = (sides.get(m.identity, base) for m in self.members)
        a, b, x = widen(one, dtype), widen(two, dtype), widen(base, dtype)
        aa, bb, ab = lanes(a, a), lanes(b, b), lanes(a, b)
        cosine = ab / (np.sqrt(aa) * np.sqrt(bb))
        on_line = not (math.isfinite(aa) and math.isfinite(bb) and abs(cosine) <= 0.9995)
        u, v = 1 - self.t, self.t
        if not on_line:
            angle = acos(float(cosine))
            u, v = sin((1 - self.t) * angle) / sin(angle), sin(self.t * angle) / sin(angle)
        same = on_line & (one == two)
        value = np.where(same, a, u * a + v * b)
        result = narrow(value if self.rest == 1 else x + self.rest * (value - x), dtype)
        return np.where(same & ((one == base) | (self.rest == 1)), one, result)


def dare_key(seed: int, identity: bytes, name: str) -> int:
    text = b"vpatch.dare.1\n" + struct.pack("<Q", seed) + identity + name.encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little")


def scramble(key: int, count: int) -> np.ndarray:
    """5.5: z for the elements 0 … count − 1."""
    u = np.uint64
    z = u(key) + np.arange(1, count + 1, dtype=u) * u(0x9E3779B97F4A7C15)
    z = (z ^ (z >> u(30))) * u(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> u(27))) * u(0x94D049BB133111EB)
    return z ^ (z >> u(31))


def largest(delta: np.ndarray, count: int) -> np.ndarray:
    """5.4: the `count` differences of the greatest magnitude, zeros elsewhere."""
    magnitude = np.where(np.isnan(delta), np.int64(0x7FF8 << 48), np.abs(delta).view(np.int64))
    kept = np.argsort(-magnitude, kind="stable")[:count]
    result = np.zeros_like(delta)
    result[kept] = delta[kept]
    return result


def lanes(a: np.ndarray, b: np.ndarray) -> np.float64:
    """5.6: the sum of the products in eight lanes."""
    products = np.zeros(-(-a.size // 8) * 8)
    products[: a.size] = a * b
    total = np.zeros(8)
    for row in products.reshape(-1, 8):
        total = total + row
    even, odd = (total[0] + total[4]) + (total[2] + total[6]), (total[1] + total[5]) + (total[3] + total[7])
    whole: np.float64 = even + odd
    return whole


def acos(c: float) -> float:
    return 2 * atan(math.sqrt((1 - c) / (1 + c)))


def atan(x: float) -> float:
    for _ in range(3):
        x = x / (1 + math.sqrt(1 + x * x))
    y, s = x * x, 0.0
    for n in range(23, 0, -2):
        s = (1 / n if n % 4 == 1 else -(1 / n)) + y * s
    return 8 * (x * s)


def sin(x: float) -> float:
    if x > float.fromhex("0x1.921FB54442D18p+0"):
        x = float.fromhex("0x1.921FB54442D18p+1") - x
    y, s = x * x, 1.0
    for n in range(22, 0, -2):
        s = 1 - (y / (n * (n + 1))) * s
    return x * s
