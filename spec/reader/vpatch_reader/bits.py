"""Section 1: the end of a bit stream."""

from .refused import require


def check_padding(data: bytes, used: int, rule: str) -> None:
    """After `used` bits, only fewer than eight zero bits may be left."""
    left = 8 * len(data) - used
    require(left < 8, rule, f"{left} bits are left over")
    require(left == 0 or data[-1] >> (8 - left) == 0, rule, "padding is not zero")
