"""Stacks, section 5.1: elements widened to float64, and float64 narrowed to a dtype by one rounding."""

import numpy as np

# dtype: bits, mantissa bits, bias
FLOATS = {
    "F64": (64, 52, 1023), "F32": (32, 23, 127), "F16": (16, 10, 15), "BF16": (16, 7, 127),
    "F8_E5M2": (8, 2, 15), "F8_E4M3": (8, 3, 7),
}
CANONICAL_NAN = {"F64": 0x7FF8 << 48, "F32": 0x7FC00000, "F16": 0x7E00, "BF16": 0x7FC0, "F8_E5M2": 0x7E,
                 "F8_E4M3": 0x7F}


def _finite(dtype: str) -> np.ndarray:
    """The magnitudes in the order of their codes; after the largest, the value that would follow it."""
    bits, mantissa, bias = FLOATS[dtype]
    past = 0x7F if dtype == "F8_E4M3" else (1 << (bits - 1)) - (1 << mantissa)
    code = np.arange(past + 1)
    exponent, fraction = code >> mantissa, code & ((1 << mantissa) - 1)
    lead = np.where(exponent > 0, 1.0, 0.0)
    magnitudes: np.ndarray = np.ldexp(lead + fraction / 2.0**mantissa, np.maximum(exponent, 1) - bias)
    return magnitudes


_TABLES = {dtype: _finite(dtype) for dtype in ("F16", "BF16", "F8_E5M2", "F8_E4M3")}


def widen(u: np.ndarray, dtype: str) -> np.ndarray:
    """Bits, as unsigned integers → float64."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        if dtype == "F64":
            return u.view(np.float64)
        if dtype == "F32":
            return u.view(np.float32).astype(np.float64)
    table = _TABLES[dtype]
    sign = 1 << (FLOATS[dtype][0] - 1)
    special = np.full(sign, np.nan)
    special[: len(table) - 1] = table[:-1]
    if dtype != "F8_E4M3":
        special[len(table) - 1] = np.inf
    magnitude = special[u & (sign - 1)]
    signed: np.ndarray = np.where(u & sign, -magnitude, magnitude)
    return signed


def narrow(x: np.ndarray, dtype: str) -> np.ndarray:
    """float64 → bits. A value rounds up if it is above the mean of its neighbours; that mean is exact in float64."""
    bits = FLOATS[dtype][0]
    unsigned = np.dtype(f"<u{bits // 8}")
    if dtype == "F64":
        u = x.view(unsigned).copy()
    elif dtype == "F32":
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            u = x.astype(np.float32).view(unsigned).copy()
    else:
        table = _TABLES[dtype]
        size = np.minimum(np.abs(x), table[-1])
        low = np.clip(np.searchsorted(table, size, side="right") - 1, 0, len(table) - 2)
        half = (table[low] + table[low + 1]) / 2
        code = low + ((size > half) | ((size == half) & (low % 2 == 1)))
        u = (code + np.where(np.signbit(x), 1 << (bits - 1), 0)).astype(unsigned)
        if dtype == "F8_E4M3":  # above the largest number there is only NaN
            u[code == len(table) - 1] = CANONICAL_NAN[dtype]
    u[np.isnan(x)] = CANONICAL_NAN[dtype]
    return u
