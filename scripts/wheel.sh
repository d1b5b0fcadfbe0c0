#!/usr/bin/env bash
# Makes the Python wheel in dist/: the package, libvpatch.so, the command, and the libraries that they need. Prints its
# path. It installs on every Linux with x86-64 and glibc 2.34 or newer, without Swift and without a compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
library=$(scripts/build-library.sh)
command=$(scripts/build-library.sh command)

python=$(scripts/venv.sh wheel python/requirements-wheel.txt)

work=$(mktemp -d "${TMPDIR:-/tmp}/vpatch-wheel-XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -r python/src python/pyproject.toml python/README.md LICENSE "$work"
find "$work" -name __pycache__ -prune -exec rm -rf {} +
mkdir -p "$work/src/vpatch/_native"
install -m 755 "$library" "$work/src/vpatch/_native/libvpatch.so"
install -m 755 "$command" "$work/src/vpatch/_native/vpatch"
version=$(sed -n 's/.*vpatchVersion = "\(.*\)"/\1/p' Sources/Base/Version.swift)
sed -i "s/^dynamic = .*/version = \"$version\"/" "$work/pyproject.toml"
# One wheel for every Python from 3.10 on: nothing in it depends on the interpreter.
cat >"$work/setup.cfg" <<'END'
[bdist_wheel]
plat_name = linux_x86_64
python_tag = py3
END
(cd "$work" && "$python" -m build --no-isolation --wheel --outdir "$work/plain" . >&2)
PATH="$(dirname "$python"):$PATH" auditwheel repair --plat manylinux_2_34_x86_64 --strip \
  --wheel-dir "$work/dist" "$work"/plain/*.whl >&2
mkdir -p dist
cp "$work"/dist/*.whl dist/
ls "$PWD"/dist/vpatch-"$version"-*.whl
