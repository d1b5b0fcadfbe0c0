#!/bin/sh
# Checks the format that .swift-format defines; `swift format --in-place` fixes most problems.
set -eu
cd "$(dirname "$0")/.."
exec swift format lint --strict --recursive Sources Tests fuzz Examples/Sources Examples/Package.swift Package.swift
