// swift-tools-version: 6.1
import PackageDescription

// Programs that use vpatch as a library: they depend on the product VPatch and on nothing else of it.
let package = Package(
  name: "Examples",
  dependencies: [.package(name: "vpatch", path: "..")],
  targets: ["PatchAndRevert", "StackAndSwitch", "WhatChanged"].map { name in
    .executableTarget(name: name, dependencies: [.product(name: "VPatch", package: "vpatch")])
  },
  swiftLanguageModes: [.v6]
)
