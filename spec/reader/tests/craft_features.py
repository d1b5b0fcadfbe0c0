"""Drafts with the features that flags announce (3.3): an adapter with low-rank changes, and copies."""

import hashlib
from collections.abc import Mapping
from typing import Any

import craft
import craft_lowrank
from craft import Checkpoint, Draft, Entry, Tensor
from craft_lowrank import Factors


class FeatureDraft(Draft):
    """`low_rank`: name of a tensor → its factors. `copies`: name of a tensor → name of its original."""

    def __init__(self, base: Checkpoint, target: Checkpoint, adapter: Mapping[str, Tensor] | None = None,
                 low_rank: Mapping[str, Factors] | None = None, copies: Mapping[str, str] | None = None,
                 held: str = "raw", held_chunk: int = 4 * 2**20, **options: Any) -> None:
        self.held = dict(sorted((adapter or {}).items(), key=lambda item: item[0].encode()))
        self.low_rank, self.copies = low_rank or {}, copies or {}
        super().__init__(base, target, **options)
        for name, t in self.held.items():
            side = t.side()
            e: Entry = {"name": name, "chunks": []} | side
            for i in range(0, len(t.data), held_chunk):
                piece = t.data[i : i + held_chunk]
                self.append(e, "a", craft.plain_chunk(held, piece, t, self.frame), len(piece))
            self.adapter.append(e)

    def _add(self, name: str, base: Tensor | None, target: Tensor | None, coder: str, plain: str, chunk: int,
             ulp: dict[str, Any]) -> None:
        before = self.payload
        super()._add(name, base, target, coder, plain, chunk, ulp)
        e = self.tensors[-1]
        if name in self.copies:
            e["copy"], e["chunks"], self.payload = self.copies[name], [], before
        if name in self.low_rank:
            assert base and target
            f = self.low_rank[name]
            e["low_rank"], e["chunks"], self.payload = f.member(), [], before
            changes = f.changes(base, [*self.held.values()])
            for i in range(0, len(base.data), chunk):
                end = min(i + chunk, len(base.data))
                part = changes[i // base.width : end // base.width]
                self.append(e, "d", self._low_rank(f, base, base.data[i:end], target.data[i:end], part, ulp), end - i)

    def _low_rank(self, f: Factors, t: Tensor, base: bytes, target: bytes, changes: list[float],
                  ulp: dict[str, Any]) -> bytes:
        """A stored chunk of the low-rank coder, or a raw one if that is too long."""
        for within in (f.within, "sparse"):
            stored = craft_lowrank.chunk(base, target, changes, t, within, self.frame, f.spoil, **ulp)
            if len(stored) <= len(base) + 16:
                return stored
        assert f.spoil is None, "the spoiled chunk is too long"
        return craft.difference_chunk("raw", base, target, t, self.frame)

    def add_files(self, config: bytes, header: bytes) -> None:
        """Puts both files of the adapter into the annex."""
        whole = craft.file_bytes(header, self.held)
        self.manifest["adapter"] = {"config": self.blob(config), "header": self.blob(header),
                                    "sha256": hashlib.sha256(whole).hexdigest()}
