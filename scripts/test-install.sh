#!/usr/bin/env bash
# Installs dist/*.deb in a clean Debian without Swift, as root alone can, and does there what the README shows: the
# commands are read from its section "Your fine-tune in five minutes". Then it unpacks the tar.gz and runs the demo.
#
#   scripts/test-install.sh        needs debootstrap and the network; `make dist` before
set -euo pipefail
cd "$(dirname "$0")/.."

# A machine that cannot make a clean root says so, and nothing is tested.
skip() { printf '\n== test-install: SKIPPED on this machine: %s\n' "$*" >&2; exit 0; }

if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null && exec sudo -n "$0"
  skip "it needs root"
fi
command -v debootstrap >/dev/null || {
  apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends debootstrap >/dev/null
}

deb=$(ls -t dist/vpatch_*.deb | head -n 1)
archive=$(ls -t dist/vpatch-*-linux-*.tar.gz | head -n 1)
root=${VPATCH_CLEAN_ROOT:-$(mktemp -d "${TMPDIR:-/var/tmp}/vpatch-root-XXXXXX")}
trap 'umount "$root/proc" 2>/dev/null || true; [ -n "${VPATCH_CLEAN_ROOT:-}" ] || rm -rf --one-file-system "$root"' EXIT
say() { printf '\n== %s\n' "$*" >&2; }
fail() { echo "test-install: $*" >&2; exit 1; }
inside() { chroot "$root" /bin/sh -ec "cd /root && export HOME=/root && $1" </dev/null; }

if [ ! -e "$root/usr/bin/dpkg" ]; then
  say "a clean Debian"
  debootstrap --variant=minbase "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" \
    http://deb.debian.org/debian >/dev/null || skip "debootstrap failed"
fi
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc" || skip "it does not let root mount /proc"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
rm -rf "$root/root"
mkdir -p "$root/root/base" "$root/root/tuned"
cp "$deb" "$root/root/"
cp fixtures/pair/base.safetensors "$root/root/base/model.safetensors"
cp fixtures/pair/tuned-sa-proj.safetensors "$root/root/tuned/model.safetensors"
inside "apt-get update -q >/dev/null"

# The first block of commands of the section, a command a line.
commands=$(awk '/^## Your fine-tune in five minutes/ { section = 1 }
  section && /^```sh/ { block = 1; next } block && /^```/ { exit } block' README.md | grep -v '^ *#')
[ "$(wc -l <<<"$commands")" -le 5 ] || fail "the README needs more than five commands"
started=$SECONDS
while read -r command; do
  say "$command"
  command=${command#sudo } # root has no sudo here
  command=${command/vpatch_*.deb/$(basename "$deb")}
  inside "export DEBIAN_FRONTEND=noninteractive; ${command/apt install/apt-get install -y -q --no-install-recommends}" ||
    fail "'$command' failed"
done <<<"$commands"
inside "! command -v swift" || fail "the root is not clean: it has Swift"
inside "cmp model/model.safetensors base/model.safetensors" || fail "what was reverted is not the base"
inside "vpatch apply base/ task -o again/ -q && cmp again/model.safetensors tuned/model.safetensors" ||
  fail "what is applied is not the tuned model"
echo "installed, created, applied and reverted in $((SECONDS - started)) s"

say "vpatch demo"
started=$SECONDS
inside "vpatch demo >demo.txt 2>&1" || fail "the demo failed: $(tail -n 5 "$root/root/demo.txt")"
took=$((SECONDS - started))
[ "$took" -le 60 ] || fail "the demo took $took s"
echo "the demo took $took s"
# Each command that it prints can be pasted, in another folder.
sed -n 's/^\$ //p' "$root/root/demo.txt" | grep -v '^vpatch create BASE' |
  sed 's#/root/vpatch-demo#/root/pasted#g; s#-o wrong.safetensors#-o wrong.safetensors || true#' >"$root/root/pasted.sh"
inside "mkdir pasted && sh -e pasted.sh >/dev/null" || fail "the demo's commands cannot be pasted"
echo "its $(wc -l <"$root/root/pasted.sh") commands can be pasted"

say "without /proc"
umount "$root/proc"
inside "vpatch list" 2>"$root/root/errors" && fail "it works without /proc, at times"
grep -q "mount -t proc proc /proc" "$root/root/errors" || fail "it does not say that /proc is missing"
inside "mount -t proc proc /proc && vpatch list"

say "completions, man pages, suites"
for file in /usr/share/bash-completion/completions/vpatch /usr/share/man/man1/vpatch-create.1.gz \
  /usr/share/vpatch/suites/everyday/suite.toml /usr/share/doc/vpatch/docs/glossary.md; do
  [ -e "$root$file" ] || fail "$file is not installed"
done

say "the tar.gz, unpacked anywhere"
cp "$archive" "$root/root/"
inside "tar xf $(basename "$archive") && ./vpatch-*/bin/vpatch demo elsewhere >/dev/null"
say "all well"
