"""Checks the settings that `vpatch recipe --for` prints with the training tools' own rules.

    trainer_settings.py [--vpatch VPATCH]     with torch, transformers and peft; bench/requirements-torch.txt

The rules are taken from the tools' published wheels: axolotl's `freeze_layers_except`, ms-swift's `freeze_parameters`
and `activate_parameters`, LLaMA-Factory's `_setup_freeze_tuning` and `_setup_full_tuning`, and PEFT itself. Each runs
on tiny models on the meta device, and must make exactly the recipe's parameters trainable. Which parameters those are
is found with transformers: each gets a value of its own, the model is saved, and the values in the file tell which
tensor is which parameter. Where vpatch says that a tool cannot be told, the command that it advises is run, and all
that LLaMA-Factory could be told is tried.
"""

import argparse
import ast
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wheels
import zoo

os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

AXOLOTL = "axolotl==0.19.0"
MS_SWIFT = "ms-swift==4.6.0"
LLAMA_FACTORY = "llamafactory==0.9.5"
PEFT = "peft==0.21.2"

TOOLS = ["hf", "trl", "axolotl", "ms-swift", "llama-factory", "peft"]
RECIPES = [
    "sa-proj", "sa-qkv", "attention-output", "gate-up", "gate-up-dense", "gate-up-experts", "mlp", "down", "experts",
    "router", "norms", "embeddings", "llm", "projector", "vision", "full",
]  # fmt: skip
#: Models of which every recipe is checked. Of the families in zoo.py only a few are.
MODELS = ["llama", "qwen2", "qwen2_5_vl", "llava_onevision", "qwen3_moe"]
FEW_RECIPES = ["sa-proj", "gate-up", "full"]

Names = frozenset[str]


class Silent:
    """A logger, or anything else that is called for its effects alone."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


# --- models ---


class Model:
    """A tiny model on the meta device, its files, and which tensor of the files is which parameter."""

    def __init__(self, family: str, folder: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

        self.family = family
        self.folder = folder / family
        config = self.config(family)
        self.auto = AutoModelForImageTextToText if hasattr(config, "vision_config") else AutoModelForCausalLM
        model = self.auto.from_config(config).float()
        self.names = [name for name, _ in model.named_parameters()]
        with torch.no_grad():
            for number, (_, parameter) in enumerate(model.named_parameters()):
                parameter.fill_(number)
        model.save_pretrained(self.folder)
        #: Tensor of the file -> parameters in memory. A tensor may be missing: buffers belong to no parameter.
        self.parameters_of: dict[str, set[str]] = {}
        buffers = {name for name, _ in model.named_buffers()}
        for name, tensor in load_file(self.folder / "model.safetensors").items():
            if name not in buffers:
                self.parameters_of[name] = {self.names[int(value)] for value in tensor.unique().tolist()}
        self.type: str = model.config.model_type
        self._config = model.config
        self._running = self.new()

    @staticmethod
    def config(family: str) -> Any:
        from transformers import CONFIG_MAPPING

        if family in zoo.LANGUAGE or family in zoo.VISION_LANGUAGE:
            return zoo.config(family)
        if family in ("llama", "qwen2"):
            return CONFIG_MAPPING[family](**zoo.TEXT)
        rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
        text = zoo.TEXT | {"rope_parameters": rope}
        image = zoo.IMAGE | {"model_type": f"{family}_vision", "fullatt_block_indexes": [1], "window_size": 32}
        return CONFIG_MAPPING[family](text_config=text, vision_config=image, **zoo.TOKENS)

    def new(self) -> Any:
        """A model without weights."""
        with torch.device("meta"):
            return self.auto.from_config(self._config)

    def running(self) -> Any:
        """The same model every time, everything trainable."""
        return self._running.requires_grad_(True)

    def wanted(self, tensors: list[str]) -> Names:
        """The parameters of a recipe, given its tensors in the file."""
        chosen = set(tensors)
        found = {name for tensor in tensors for name in self.parameters_of.get(tensor, set())}
        outside = {name for tensor, names in self.parameters_of.items() if tensor not in chosen for name in names}
        assert not found & outside, f"{self.family}: a parameter is only partly in the recipe: {found & outside}"
        return frozenset(found)


def trainable(model: Any) -> Names:
    return frozenset(name for name, parameter in model.named_parameters() if parameter.requires_grad)


# --- the tools' rules ---


def text_of(package: str, path: str) -> str:
    archive: zipfile.ZipFile = wheels.wheel(package)
    return archive.read(path).decode()


def extracted(source: str, names: list[str], namespace: dict[str, Any]) -> dict[str, Any]:
    """Runs those definitions of a module that have these names, or call or assign one of them."""
    wanted = set(names)
    chosen: list[ast.stmt] = [ast.ImportFrom("__future__", [ast.alias("annotations")], 0)]
    for statement in ast.parse(source).body:
        own: set[str] = set()
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                own = {name}
            case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
                own = {name}
            case ast.AnnAssign(target=ast.Name(id=name)):
                own = {name}
        if own & wanted:
            chosen.append(statement)
    module = ast.fix_missing_locations(ast.Module(chosen, []))
    exec(compile(module, "<wheel>", "exec"), namespace)
    missing = wanted - namespace.keys()
    assert not missing, f"the wheel has no {missing}"
    return namespace


class Rules:
    def __init__(self) -> None:
        self.axolotl = self._axolotl()
        self.swift = self._swift()
        self.factory, self.factory_arguments = self._factory()
        import peft

        assert peft.__version__ == PEFT.split("==")[1], peft.__version__

    @staticmethod
    def _axolotl() -> Callable[[Any, list[str]], None]:
        """The module itself, with stubs for what it imports of axolotl."""
        stubs: dict[str, dict[str, Any]] = {
            "axolotl": {}, "axolotl.utils": {}, "axolotl.utils.distributed": {"is_main_process": lambda: False},
            "axolotl.utils.logging": {"get_logger": lambda _: Silent()},
        }  # fmt: skip
        for name, members in stubs.items():
            stub = types.ModuleType(name)
            vars(stub).update(members)
            sys.modules[name] = stub
        module = types.ModuleType("axolotl.utils.freeze")
        exec(compile(text_of(AXOLOTL, "axolotl/utils/freeze.py"), "freeze.py", "exec"), vars(module))
        freeze: Callable[[Any, list[str]], None] = vars(module)["freeze_layers_except"]
        return freeze

    @staticmethod
    def _swift() -> dict[str, Any]:
        from bisect import bisect_right
        from contextlib import nullcontext

        import numpy

        return extracted(
            text_of(MS_SWIFT, "swift/utils/transformers_utils.py"),
            ["get_n_params_grads", "freeze_parameters", "activate_parameters"],
            {"re": re, "np": numpy, "bisect_right": bisect_right, "nullcontext": nullcontext, "logger": Silent(),
             "is_deepspeed_zero3_enabled": lambda: False})  # fmt: skip

    @staticmethod
    def _factory() -> tuple[dict[str, Any], Callable[..., Any]]:
        from dataclasses import dataclass

        names = ["CompositeModel", "COMPOSITE_MODELS", "_register_composite_model", "get_forbidden_modules"]
        visual = text_of(LLAMA_FACTORY, "llamafactory/model/model_utils/visual.py")
        namespace = extracted(visual, names, {"dataclass": dataclass, "logger": Silent()})
        adapter = text_of(LLAMA_FACTORY, "llamafactory/model/adapter.py")
        namespace = extracted(adapter, ["_setup_full_tuning", "_setup_freeze_tuning"], namespace | {"re": re})
        hparams = types.ModuleType("finetuning_args")
        sys.modules[hparams.__name__] = hparams
        source = text_of(LLAMA_FACTORY, "llamafactory/hparams/finetuning_args.py")
        exec(compile(source, "finetuning_args.py", "exec"), vars(hparams))
        return namespace, vars(hparams)["FinetuningArguments"]

    # Each takes what vpatch printed.

    def by_hf(self, text: str, model: Model) -> Names:
        running = model.running()
        exec(text, {"model": running})
        return trainable(running)

    def by_axolotl(self, text: str, model: Model) -> Names:
        import yaml

        running = model.running()
        self.axolotl(running, yaml.safe_load(text)["unfrozen_parameters"])
        return trainable(running)

    def by_swift(self, text: str, model: Model) -> Names:
        parser = argparse.ArgumentParser()
        parser.add_argument("--tuner_type", choices=["full"], required=True)
        parser.add_argument("--freeze_parameters_ratio", type=float, required=True)
        parser.add_argument("--trainable_parameters_regex", required=True)
        given = parser.parse_args(shlex.split(text))
        running = model.running()
        self.swift["freeze_parameters"](running, given.freeze_parameters_ratio, [], None)
        assert not trainable(running)
        self.swift["activate_parameters"](running, [], given.trainable_parameters_regex)
        return trainable(running)

    def by_factory(self, text: str, model: Model) -> Names:
        import yaml

        return self.factory_with(yaml.safe_load(text), model)

    def factory_with(self, values: dict[str, Any], model: Model) -> Names:
        arguments = self.factory_arguments(**values)
        running = model.running()
        self.factory[f"_setup_{arguments.finetuning_type}_tuning"](running, arguments, True, False)
        return trainable(running)

    def by_peft(self, text: str, model: Model) -> Names:
        from peft import get_peft_model

        namespace: dict[str, Any] = {}
        exec(text, namespace)
        tuned = get_peft_model(model.new(), namespace["config"]).base_model
        chosen = {f"{name}.weight" for name in tuned.targeted_module_names} | set(tuned.targeted_parameter_names)
        # Nothing but the factors is trainable, and each chosen parameter has some.
        assert all(".lora_" in name for name in trainable(tuned))
        factors = {name.split(".lora_")[0] for name in trainable(tuned)}
        assert len(factors) == len(chosen), (len(factors), len(chosen))
        return frozenset(chosen)

    def biases_by_peft(self, text: str, model: Model) -> Names:
        """What is trained beside the factors with the option that a note names."""
        from peft import get_peft_model

        namespace: dict[str, Any] = {}
        exec(text, namespace)
        namespace["config"].bias = "lora_only"
        found = trainable(get_peft_model(model.new(), namespace["config"]).base_model.model)
        return frozenset(name.replace(".base_layer", "") for name in found if ".lora_" not in name)

    def by(self, tool: str, text: str, model: Model) -> Names:
        rules = {"hf": self.by_hf, "trl": self.by_hf, "axolotl": self.by_axolotl, "ms-swift": self.by_swift,
                 "llama-factory": self.by_factory, "peft": self.by_peft}  # fmt: skip
        return rules[tool](text, model)

    def factory_could(self, model: Model, wanted: Names) -> dict[str, Any] | None:
        """Some config of LLaMA-Factory that selects exactly these.

        It tunes what any of the modules in its lists selects. So if some lists will do, then so will all modules that
        select nothing else.
        """
        layers = zoo.TEXT["num_hidden_layers"]
        hidden = sorted({name.split(".0.")[-1].split(".")[0] for name in model.names if ".0." in name})
        other = sorted({name.split(".")[-2] for name in model.names if not re.search(r"\.\d+\.", name)})
        lists = [("freeze_trainable_modules", hidden, layers), ("freeze_extra_modules", other, 0)]
        is_composite = model.type in self.factory["COMPOSITE_MODELS"]
        for vision, projector in itertools.product((True, False), repeat=2) if is_composite else [(True, True)]:
            flags = {"freeze_vision_tower": vision, "freeze_multi_modal_projector": projector}
            best: dict[str, Any] = {"finetuning_type": "freeze", "freeze_trainable_layers": 0, **flags}
            none = best.copy()
            for key, modules, count in lists:
                fit = [module for module in modules
                       if self.factory_with(none | {key: module, "freeze_trainable_layers": count}, model) <= wanted]
                if fit:
                    best |= {key: ",".join(fit), "freeze_trainable_layers": best["freeze_trainable_layers"] or count}
            for values in (best, {"finetuning_type": "full", **flags}):
                if self.factory_with(values, model) == wanted:
                    return values
        return None


# --- vpatch ---


class Check:
    def __init__(self, vpatch: Path, rules: Rules) -> None:
        self.vpatch = vpatch
        self.rules = rules
        self.refused: dict[str, str] = {}

    def run(self, *arguments: object) -> tuple[int, str, str]:
        done = subprocess.run([self.vpatch, *map(str, arguments)], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def tensors(self, recipe: str, model: Model) -> list[str]:
        code, output, errors = self.run("recipe", recipe, model.folder)
        assert code in (0, 5), errors
        return output.split() if code == 0 else []

    def tool(self, tool: str, recipe: str, model: Model, wanted: Names) -> str:
        """One cell of the table."""
        where = f"{model.family} {recipe} {tool}"
        code, output, errors = self.run("recipe", recipe, model.folder, "--for", tool, "--json")
        if code == 5:
            assert tool in ("llama-factory", "peft") and "cannot tune exactly" in errors, f"{where}: {errors}"
            advice = shlex.split(errors.split("freeze by name in Python: vpatch ")[1])
            assert self.rules.by_hf(self.run(*advice)[1], model) == wanted, where
            if tool == "llama-factory":
                could = self.rules.factory_could(model, wanted)
                assert could is None, f"{where}: it can: {could}"
            self.refused[where] = errors.split(f"recipe {recipe}: ")[1].split("; freeze by name")[0]
            return "cannot"
        assert code == 0, f"{where}: {errors}"
        setting = json.loads(output)
        assert self.run("recipe", recipe, model.folder, "--for", tool)[1] == setting["text"] + "\n"
        found = self.rules.by(tool, setting["text"], model)
        if tool == "peft":
            biases = frozenset(name for name in wanted if name.endswith("bias"))
            assert found == wanted - biases, f"{where}: {sorted(found ^ (wanted - biases))[:4]}"
            notes = " ".join(setting["notes"])
            assert bool(biases) == ("LoRA leaves" in notes), where
            if "lora_only" in notes:
                assert self.rules.biases_by_peft(setting["text"], model) == biases, where
            return f"{len(found)}" + (f" (of {len(wanted)})" if biases else "")
        assert found == wanted, f"{where}: {sorted(found ^ wanted)[:4]}"
        # What vpatch says, but for buffers, which are no parameters.
        said = frozenset(setting["parameters"])
        assert said & frozenset(model.names) == wanted, f"{where}: {sorted(said ^ wanted)[:4]}"
        return f"{len(found)}"

    def model(self, model: Model, recipes: list[str]) -> None:
        for recipe in recipes:
            tensors = self.tensors(recipe, model)
            if not tensors:
                continue
            wanted = model.wanted(tensors)
            cells = [self.tool(tool, recipe, model, wanted) for tool in TOOLS]
            print(f"{model.family:18}{recipe:18}" + "".join(f"{cell:>14}" for cell in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--vpatch", type=Path, default=Path(".build/release/vpatch"))
    parser.add_argument("--only", help="only this model")
    arguments = parser.parse_args()
    from transformers.utils import logging

    logging.disable_progress_bar()
    check = Check(arguments.vpatch.resolve(), Rules())
    families = [*MODELS, *sorted((zoo.LANGUAGE | zoo.VISION_LANGUAGE).keys() - set(MODELS))]
    print(f"{'model':18}{'recipe':18}" + "".join(f"{tool:>14}" for tool in TOOLS))
    with tempfile.TemporaryDirectory() as folder:
        for family in families:
            if arguments.only in (None, family):
                check.model(Model(family, Path(folder)), RECIPES if family in MODELS else FEW_RECIPES)
    print()
    for where, reason in check.refused.items():
        print(f"{where}: {reason}")


if __name__ == "__main__":
    main()
