"""The folder for what the bench downloads and makes: `$XDG_CACHE_HOME/vpatch`, outside the repository."""
import os
from pathlib import Path


def folder(*parts: str) -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(root, "vpatch", *parts)
    path.mkdir(parents=True, exist_ok=True)
    return path
