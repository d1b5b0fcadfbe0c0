#!/bin/sh
# The formatting that .swift-format describes; `swift format --in-place` mends most of it.
set -eu
cd "$(dirname "$0")/.."
exec swift format lint --strict --recursive Sources Tests fuzz Package.swift
