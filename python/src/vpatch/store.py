"""The store of patches: what `vpatch list`, `show` and `stack` see."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from vpatch import stacks
from vpatch.command import path_of_command
from vpatch.errors import InvalidFile, IOFailure, Mismatch, Misuse, Refused, VPatchError, WrongBase
from vpatch.patch import Patch
from vpatch.patch import open as open_patch


class Store:
    """A store, by the command's rules for its place.

    Attributes:
        path: the store's folder; None for the default one ($VPATCH_STORE, or in the user's data folder).
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Names a store; it is opened by each call."""
        self.path = None if path is None else os.fspath(path)

    def list(
        self, name: str | None = None, *, recipe: str | None = None, base: str | None = None, tag: str | None = None,
        max_drift: float | None = None, measured: bool | None = None,
    ) -> "list[dict[str, Any]]":
        """The patches of the store, newest first, as `vpatch list --json` prints them.

        Args:
            name: only patches whose name contains this.
            recipe: only patches of this recipe.
            base: only patches of this base: the first digits of a root, a model's path, or a patch.
            tag: only patches with this tag.
            max_drift: only patches with a known drift of at most this, in nats per token.
            measured: only patches whose forgetting was (True) or was not (False) measured.
        """
        arguments = ["list"] + ([name] if name is not None else [])
        for option, value in (("--recipe", recipe), ("--base", base), ("--tag", tag), ("--max-drift", max_drift)):
            if value is not None:
                arguments += [option, str(value)]
        if measured is not None:
            arguments.append("--measured" if measured else "--unmeasured")
        found: list[dict[str, Any]] = self._run(*arguments)["patches"]
        return found

    def __getitem__(self, name: str) -> Patch:
        """The patch of that name, tag or identity.

        Raises:
            IOFailure: if the store has none.
        """
        return open_patch(self._file(name))

    def is_stack(self, name: str) -> bool:
        """Whether the store has a stack of that name. False without a store."""
        try:
            return any(stack["name"] == name for stack in self._run("stack", "list"))
        except IOFailure:
            return False

    def stack(self, name: str, base: str | os.PathLike[str] | None = None) -> Patch:
        """A stack of the store as one patch: from its base to the result.

        Args:
            name: the stack's name.
            base: the base's file or folder; None: where the store last saw it.
        """
        facts = self._run("stack", "show", name)
        members = [(self._file(member["identity"]), float(member["scale"])) for member in facts["members"]]
        paths = [path for path in facts["base_paths"] if Path(path).exists()]
        if base is None and not paths:
            raise IOFailure(f"the store does not know where the base {facts['base'][:12]} of {name} is; "
                            "give its path: store.stack(name, base)")
        return stacks.merge(members, paths[0] if base is None else base, method=facts["method"], name=name)

    def _file(self, name: str) -> str:
        return str(self._run("show", name)["path"])

    def _run(self, *arguments: str) -> Any:
        command = [path_of_command(), *arguments, "--json"] + (["--store", self.path] if self.path else [])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise error_of(done.returncode, done.stderr)
        return json.loads(done.stdout)


# docs/exit-codes.md
_ERRORS: dict[int, type[VPatchError]] = {
    1: IOFailure, 2: InvalidFile, 3: WrongBase, 4: Mismatch, 5: Refused, 64: Misuse,
}


def error_of(code: int, message: str) -> VPatchError:
    """The exception for a command that ended with an exit code and a message."""
    return _ERRORS.get(code, VPatchError)(message.strip().removeprefix("vpatch: "))
