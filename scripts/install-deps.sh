#!/bin/sh
# Installs the packages that are missing to build, test and demonstrate vpatch on Debian or Ubuntu. Prints nothing if
# none is missing.
#
# It installs as root, otherwise with sudo, otherwise it prints the command to run. It does not install Swift.
set -eu

if ! command -v swift >/dev/null; then
  cat >&2 <<'END'
vpatch needs Swift 6.1 or newer, and there is no `swift` on the PATH. Install it in one of these ways:
  https://www.swift.org/install/linux/        swiftly, or a tarball for your system
  docker run -it -v "$PWD":/src -w /src swift:6.3-bookworm
END
  exit 1
fi
version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' | head -n 1)
case $version in
  6.0 | [0-5].*)
    echo "vpatch needs Swift 6.1 or newer; $(command -v swift) is $version: see https://www.swift.org/install/linux/" >&2
    exit 1 ;;
esac

missing=
command -v git >/dev/null || missing="$missing git ca-certificates" # SwiftPM downloads dependencies with git
command -v make >/dev/null || missing="$missing make"
command -v pkg-config >/dev/null || missing="$missing pkg-config"
pkg-config --exists libzstd 2>/dev/null || missing="$missing libzstd-dev"
pkg-config --exists libcrypto 2>/dev/null || missing="$missing libssl-dev"
pkg-config --exists sqlite3 2>/dev/null || missing="$missing libsqlite3-dev"
pkg-config --exists libpng 2>/dev/null || missing="$missing libpng-dev"
pkg-config --exists zlib 2>/dev/null || missing="$missing zlib1g-dev"
pkg-config --exists libjpeg 2>/dev/null || missing="$missing libjpeg62-turbo-dev"
pkg-config --exists libwebp 2>/dev/null || missing="$missing libwebp-dev"
pkg-config --exists libedit 2>/dev/null || missing="$missing libedit-dev"
# Loaded at run time, for 'export --rank' and '--blas openblas', and their tests.
/sbin/ldconfig -p 2>/dev/null | grep -q 'libopenblas\.so\.0' || missing="$missing libopenblas0-pthread"
command -v python3 >/dev/null || missing="$missing python3"
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "missing packages (Debian names):$missing" >&2
  exit 1
elif [ "$(id -u)" -eq 0 ]; then
  sudo=
elif command -v sudo >/dev/null; then
  sudo=sudo
else
  echo "missing packages; as root, run: apt-get install -y --no-install-recommends$missing" >&2
  exit 1
fi
echo "installing$missing" >&2
$sudo apt-get update -q >&2
# shellcheck disable=SC2086  # a list of names, split on purpose
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >&2
