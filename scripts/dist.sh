#!/usr/bin/env bash
# Makes a .deb and a tar.gz of the release build in dist/: the program with Swift inside, shell completions, man pages,
# documentation, suites, and the demo's data. The dependencies are the packages of the system it is built on.
#
#   scripts/dist.sh       prints the two paths; `make dist` builds first
set -euo pipefail
cd "$(dirname "$0")/.."

binary=.build/release/vpatch
version=$("$binary" --version)
architecture=$(dpkg --print-architecture)
# The time of the last change, so that the same sources give the same archives.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p dist

scripts/install-files.sh "$binary" "$stage/deb" /usr zsh/vendor-completions >/dev/null
find "$stage/deb/usr/share/man" -name '*.1' -exec gzip -9n {} +
cat >"$stage/deb/usr/share/doc/vpatch/copyright" <<'END'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: vpatch

Files: *
License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.
END

# The package of each shared library that the program names, with the first two numbers of the version here.
depends=$(objdump -p "$binary" | awk '$1 == "NEEDED" { print $2 }' | while read -r library; do
  path=$(ldconfig -p | awk -v name="$library" '$1 == name { print $NF; exit }')
  { dpkg -S "$path" 2>/dev/null || dpkg -S "$(realpath "$path")" 2>/dev/null || true; } | head -n 1 | cut -d: -f1
done | sort -u | while read -r package; do
  version=$(dpkg-query -W -f '${Version}' "$package" | sed -E 's/^[0-9]+://; s/^([0-9]+\.[0-9]+).*/\1/')
  echo "$package (>= $version)"
done | paste -sd, | sed 's/,/, /g')

mkdir "$stage/deb/DEBIAN"
cat >"$stage/deb/DEBIAN/control" <<END
Package: vpatch
Version: $version
Architecture: $architecture
Maintainer: The vpatch authors <vpatch@localhost>
Section: science
Priority: optional
Installed-Size: $(du -sk "$stage/deb/usr" | cut -f1)
Depends: $depends
Description: exact patches of fine-tuned models
 Stores a fine-tuned model as the exact, compressed difference to its base, and
 applies, combines, measures and reverts such patches bit for bit.
END
deb=dist/vpatch_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$stage/deb" "$deb" >/dev/null

name=vpatch-$version-linux-$architecture
scripts/install-files.sh "$binary" "$stage/$name" "" >/dev/null
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$stage" -cf - "$name" |
  gzip -9n >"dist/$name.tar.gz"
echo "$deb"
echo "dist/$name.tar.gz"
