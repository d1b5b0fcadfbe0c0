"""The tools in Python: a delta of two files in memory, timed inside the process.

    worker.py xor|z4ai create BASE TUNED PATCH
    worker.py xor|z4ai decode BASE PATCH OUT        prints {"seconds": ...}

The time runs from when both inputs are in memory to when the result is. It does not include the interpreter's start or
file access, which favours these tools over those timed as whole processes.
"""
import json
import struct
import sys
import time
from pathlib import Path


class Xor:
    """XOR with the base, low and high bytes in planes of their own, zstd -3: the method of ZipLLM's BitX.

    Patch: length of the tuned file's header (8 bytes), that header, then for each tensor that changed, in file order:
    its number (4 bytes) and for each byte plane its compressed length (4 bytes) and a zstd frame. Both files must have
    the same tensors in the same places.
    """

    def __init__(self) -> None:
        import numpy
        import zstandard
        self.np, self.zstd = numpy, zstandard

    def tensors(self, data: bytes | memoryview) -> tuple[bytes | memoryview, list[tuple[int, int, int]]]:
        """The header with its length, and (begin, end, width) of each tensor by offset."""
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(bytes(data[8:start]))
        header.pop("__metadata__", None)
        width = {"BF16": 2, "F16": 2, "F32": 4}
        return data[:start], [(start + t["data_offsets"][0], start + t["data_offsets"][1], width.get(t["dtype"], 1))
                              for t in sorted(header.values(), key=lambda t: t["data_offsets"])]

    def create(self, base: bytes, tuned: bytes) -> bytes:
        header, tensors = self.tensors(tuned)
        if self.tensors(base)[1] != tensors:
            raise SystemExit("xor: the files' layouts differ")
        compressor, out = self.zstd.ZstdCompressor(level=3), [struct.pack("<Q", len(header)), header]
        before, after = (self.np.frombuffer(data, self.np.uint8) for data in (base, tuned))
        for number, (begin, end, width) in enumerate(tensors):
            delta = after[begin:end] ^ before[begin:end]
            if delta.any():
                out.append(struct.pack("<I", number))
                for plane in delta.reshape(-1, width).T:
                    frame = compressor.compress(plane.tobytes())
                    out += struct.pack("<I", len(frame)), frame
        return b"".join(out)

    def decode(self, base: bytes, patch: bytes) -> memoryview:
        decompressor, parts = self.zstd.ZstdDecompressor(), memoryview(patch)
        at = 8 + struct.unpack_from("<Q", parts)[0]
        header, tensors = self.tensors(parts[8:at])
        out = self.np.frombuffer(base, self.np.uint8).copy()
        out[:len(header)] = self.np.frombuffer(header, self.np.uint8)
        while at < len(parts):
            begin, end, width = tensors[struct.unpack_from("<I", parts, at)[0]]
            at += 4
            delta = self.np.empty(((end - begin) // width, width), self.np.uint8)
            for plane in range(width):
                length = struct.unpack_from("<I", parts, at)[0]
                frame = decompressor.decompress(parts[at + 4:at + 4 + length])
                delta[:, plane] = self.np.frombuffer(frame, self.np.uint8)
                at += 4 + length
            out[begin:end] ^= delta.reshape(-1)
        result: memoryview = out.data
        return result


class Z4ai:
    """z4ai's whole-checkpoint delta, with its native kernels or not at all."""

    def __init__(self) -> None:
        from z4ai import _accel, model_delta, rans
        if not _accel.HAVE_NATIVE or rans._load() is None:
            raise SystemExit("z4ai runs without its native kernels; install a C compiler (apt-get install gcc "
                             "libc6-dev), remove the virtual environment and run bench/setup.sh")
        self.delta = model_delta

    def create(self, base: bytes, tuned: bytes) -> bytes:
        return bytes(self.delta.compress(tuned, base))

    def decode(self, base: bytes, patch: bytes) -> bytes:
        return bytes(self.delta.decompress(patch, base))


if __name__ == "__main__":
    name, action, first, second, out = sys.argv[1:]
    peer = {"xor": Xor, "z4ai": Z4ai}[name]()
    inputs = Path(first).read_bytes(), Path(second).read_bytes()
    start = time.perf_counter()
    result = getattr(peer, action)(*inputs)
    seconds = time.perf_counter() - start
    Path(out).write_bytes(result)
    print(json.dumps({"seconds": seconds}))
