#!/usr/bin/env bash
# Puts vpatch and what comes with it below a folder: `make install` and `make dist` use it.
#
#   scripts/install-files.sh BINARY DESTDIR PREFIX [ZSH]      ZSH: folder of the zsh completion below share
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
binary=$1 place=$2$3 zsh=${4:-zsh/site-functions}
share=$place/share

install -D -s -m 755 "$binary" "$place/bin/vpatch"
mkdir -p "$share/bash-completion/completions" "$share/$zsh" "$share/fish/vendor_completions.d"
"$binary" --generate-completion-script bash >"$share/bash-completion/completions/vpatch"
"$binary" --generate-completion-script zsh >"$share/$zsh/_vpatch"
"$binary" --generate-completion-script fish >"$share/fish/vendor_completions.d/vpatch.fish"

# What the program looks for at run time (Sources/Base/Files/InstalledFiles.swift): suites, and the data of the demo.
for folder in suites fixtures/pair fixtures/training; do
  (cd "$root" && find "$folder" -type f ! -name '*.py') | while read -r file; do
    install -D -m 644 "$root/$file" "$share/vpatch/$file"
  done
done

(cd "$root" && find README.md CHANGELOG.md LICENSE docs spec -type f ! -path '*/__pycache__/*' ! -path 'spec/reader/*') |
  while read -r file; do install -D -m 644 "$root/$file" "$share/doc/vpatch/$file"; done

# Man pages by argument-parser's own tool, which reads the program's description of itself.
tool=$root/.build-manual/debug/generate-manual
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
[ -x "$tool" ] || swift build --package-path "$root/.build/checkouts/swift-argument-parser" \
  --scratch-path "$root/.build-manual" --product generate-manual >"$pages/log" 2>&1 || { cat "$pages/log" >&2; exit 1; }
"$tool" "$(realpath "$binary")" --multi-page -o "$pages" >/dev/null
for page in "$pages"/*.1; do
  name=$(basename "$page" .1)
  install -D -m 644 "$page" "$share/man/man1/${name//./-}.1"
done
