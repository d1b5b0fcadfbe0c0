"""Servers of vLLM and SGLang on this machine with vpatch in them, and what a client says to them (docs/serving.md).

scripts/test-servers.sh makes their environments, and names them in VPATCH_VLLM and VPATCH_SGLANG (the Pythons).
"""
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
Json = dict[str, Any]

VLLM = ["-m", "vllm.entrypoints.openai.api_server", "--served-model-name", "m", "--dtype", "bfloat16",
        "--max-model-len", "512", "--max-num-seqs", "8", "--enforce-eager"]
VLLM_VPATCH = ["--worker-extension-cls", "vpatch.vllm.Extension", "--weight-transfer-config", '{"backend": "vpatch"}']
SGLANG = ["-m", "sglang.launch_server", "--device", "cpu", "--dtype", "bfloat16", "--attention-backend", "torch_native",
          "--sampling-backend", "pytorch", "--disable-cuda-graph", "--mem-fraction-static", "0.2",
          "--max-total-tokens", "4096", "--context-length", "512", "--max-running-requests", "8"]


def installed(folder: Path) -> Path:
    """A folder that makes the package of this repository count as installed: servers look for its entry points."""
    project = tomllib.loads((ROOT / "python/pyproject.toml").read_text())["project"]
    made = folder / "vpatch-0.dist-info"
    made.mkdir(parents=True, exist_ok=True)
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: vpatch\nVersion: 0\n")
    (made / "entry_points.txt").write_text("\n".join(
        f"[{group}]\n" + "\n".join(f"{name} = {place}" for name, place in entries.items())
        for group, entries in project["entry-points"].items()) + "\n")
    return folder


def environment(kind: str, work: Path, *, with_plugin: bool = True) -> dict[str, str]:
    """The environment of a server's process, or of a script that holds an engine."""
    paths = [ROOT / "python/src", *([installed(work / "installed")] if with_plugin else []),
             *([ROOT / "bench/stubs"] if kind == "sglang" else [])]
    own = {"PYTHONPATH": ":".join(map(str, paths)), "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1",
           "VPATCH_STORE": str(work / "store")}
    kinds = {"vllm": {"VLLM_SERVER_DEV_MODE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"},
             "sglang": {"SGLANG_USE_CPU_ENGINE": "1"}}
    return {**os.environ, **own, **kinds[kind]}


def python_of(kind: str) -> str:
    """The Python of a server's environment."""
    name = f"VPATCH_{kind.upper()}"
    if name not in os.environ:
        sys.exit(f"{name} is not set; run this by scripts/test-servers.sh")
    return os.environ[name]


class Server:
    """A server. Use it in a `with` block."""

    def __init__(
        self, kind: str, model: Path, work: Path, *, options: list[str] | None = None, with_plugin: bool = True,
        port: int = 0, extra: dict[str, str] | None = None,
    ) -> None:
        """Starts a server and waits until it answers.

        Args:
            kind: "vllm" or "sglang".
            model: the model's folder.
            work: for the log and the store.
            options: instead of those that load vpatch.
            with_plugin: whether the package counts as installed.
            port: 0 for a free one.
            extra: environment variables.
        """
        with socket.socket() as free:
            free.bind(("127.0.0.1", port))
            port = free.getsockname()[1]
        self.kind = kind
        self.url = f"http://127.0.0.1:{port}"
        self.log = work / f"{kind}-{port}.log"
        own = VLLM + (VLLM_VPATCH if options is None else options) if kind == "vllm" else SGLANG + (options or [])
        flag = "--model" if kind == "vllm" else "--model-path"
        command = [python_of(kind), *own, flag, str(model), "--host", "127.0.0.1", "--port", str(port)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, env={**environment(kind, work, with_plugin=with_plugin), **(extra or {})}, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True)
        end = time.monotonic() + 900
        while self.post("/health", method="GET")[0] != 200:
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{kind} does not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(1)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Kills the server with all its processes, without a warning."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def post(self, path: str, body: object = None, *, method: str = "POST", timeout: float = 300) -> tuple[int, Any]:
        """Status and JSON of an answer; status 0 without one."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"} if data else {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        except OSError:
            return 0, None
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode(errors="replace")

    def memory(self) -> int:
        """The resident memory of all its processes, in bytes."""
        total = 0
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and os.getpgid(int(folder.name)) == self.process.pid:
                    total += int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                continue
        return total

    # Questions.

    def answer(self, prompt: str, tokens: int = 4) -> tuple[tuple[str, ...], tuple[float, ...], str | None]:
        """A greedy continuation: tokens, log-probabilities, and the weight version that SGLang reports with it."""
        if self.kind == "vllm":
            _, reply = self.post("/v1/completions", {
                "model": "m", "prompt": prompt, "max_tokens": tokens, "temperature": 0, "logprobs": 1,
                "ignore_eos": True})
            found = reply["choices"][0]["logprobs"]
            return tuple(found["tokens"]), tuple(found["token_logprobs"]), None
        _, reply = self.post("/generate", {
            "text": prompt, "return_logprob": True,
            "sampling_params": {"temperature": 0, "max_new_tokens": tokens, "ignore_eos": True}})
        found = reply["meta_info"]["output_token_logprobs"]
        version = reply["meta_info"]["weight_version"]
        return tuple(str(item[1]) for item in found), tuple(item[0] for item in found), version

    # Patches: the requests of docs/serving.md.

    def ask(self, request: Json) -> Json:
        """A request's reply, without a pause."""
        if self.kind == "vllm":
            _, reply = self.post("/collective_rpc", {"method": "vpatch", "args": [request]})
            return dict(reply["results"][0])
        text = base64.b64encode(json.dumps(request).encode()).decode()
        _, reply = self.post(
            "/update_weights_from_tensor", {"serialized_named_tensors": [text], "load_format": "vpatch"})
        return dict(json.loads(reply["message"]))

    def swap(self, request: Json, mode: str = "wait") -> Json:
        """Makes a change as a client should: on vLLM in a pause."""
        if self.kind == "sglang":
            return self.ask(request)
        checked = self.ask({**request, "action": "check", "of": request["action"]})
        if not checked["ok"]:
            return checked
        if checked["session_open"]:
            self.post("/finish_weight_update", {})
        self.post(f"/pause?mode={mode}")
        try:
            if self.post("/start_weight_update")[0] != 200:
                return {"ok": False, "error": {"kind": "refused", "message": "another client is changing the weights"}}
            status, _ = self.post("/update_weights", {"update_info": request})
            if status != 200:
                reply = self.ask({"action": "status"})
                return {**reply, "ok": False, "error": reply["last_error"]}
            self.post("/finish_weight_update", {"weight_version": checked["weight_version"]})
            return self.ask({"action": "status"})
        finally:
            self.post("/resume")

    def put(self, patch: Path | str, **more: Any) -> Json:
        """Puts a patch in."""
        return self.swap({"action": "apply", "patch": str(patch), **more})

    def take(self, **more: Any) -> Json:
        """Takes the patch on top out."""
        return self.swap({"action": "revert", **more})

    def weight_version(self) -> str:
        """What the server reports as the version of its weights."""
        path = "/weight_info" if self.kind == "vllm" else "/model_info"
        return str(self.post(path, method="GET")[1]["weight_version"])

    def reload(self, folder: Path) -> None:
        """The server's own way: all weights again from a folder."""
        if self.kind == "vllm":
            status, reply = self.post("/collective_rpc", {
                "method": "reload_weights", "kwargs": {"weights_path": str(folder)}})
            self.post("/reset_prefix_cache")
        else:
            status, reply = self.post("/update_weights_from_disk", {"model_path": str(folder)})
        if status != 200:
            sys.exit(f"the server does not reload: {reply}")
