"""zstd frames as section 1 allows them: one frame, nothing before or after it, size known, window limited."""

import zstandard

from .refused import Refused, require


def decode(data: bytes, window: int, rule: str, *, exactly: int | None = None, at_most: int | None = None) -> bytes:
    """The limits are checked on the frame's own header, before anything is allocated."""
    require(data[:4] == b"\x28\xb5\x2f\xfd", rule, "not a zstd frame")
    try:
        head = zstandard.get_frame_parameters(data)
    except zstandard.ZstdError as error:
        raise Refused(rule, f"zstd frame header: {error}") from None
    size = head.content_size
    require(size != zstandard.CONTENTSIZE_UNKNOWN, rule, "zstd frame without its content size")
    require(head.dict_id == 0, rule, f"zstd frame asks for dictionary {head.dict_id}")
    what = f"zstd frame asks for a window of {head.window_size} bytes; the limit is {window}"
    require(head.window_size <= window, rule, what)
    require(exactly is None or size == exactly, rule, f"zstd frame of {size} bytes, not of {exactly}")
    require(at_most is None or size <= at_most, rule, f"zstd frame of {size} bytes; the limit is {at_most}")
    if size == 0:  # python-zstandard returns early on empty frames and does not check the blocks; check them here
        decoder = zstandard.ZstdDecompressor(max_window_size=max(window, 1024)).decompressobj()
        try:
            out = decoder.decompress(data)
        except zstandard.ZstdError as error:
            raise Refused(rule, f"zstd: {error}") from None
        require(decoder.eof and not decoder.unused_data and not out, rule, "zstd frame is not one empty frame")
        return b""
    try:
        # A single-shot decode into a buffer of exactly `size` bytes: the output cannot exceed it.
        plain: bytes = zstandard.ZstdDecompressor(max_window_size=window).decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Refused(rule, f"zstd: {error}") from None
    return plain
