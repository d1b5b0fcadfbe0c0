#!/bin/sh
# Builds the command and the fault library for release and runs attacks; prints the table of docs/design/attacks.md.
#   scripts/attack.sh [arguments of attack/run.py; default --long]
set -eu
cd "$(dirname "$0")/.."
swift build -c release --product vpatch --static-swift-stdlib -Xswiftc -use-ld=lld
swift build -c release --product VPatchFaults --static-swift-stdlib -Xswiftc -use-ld=lld
[ $# -gt 0 ] || set -- --long
exec python3 attack/run.py --binary .build/release/vpatch "$@"
