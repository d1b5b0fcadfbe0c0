// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "vpatch",
  products: [
    .executable(name: "vpatch", targets: ["CLI"]),
    .library(name: "PatchFormat", targets: ["PatchFormat"]),
    .library(name: "Apply", targets: ["Apply"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
  ],
  targets: [
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(name: "CKernels"),
    .target(name: "CSystem"),
    .target(name: "PatchFormat", dependencies: ["CKernels", "CSystem", "CZstd", "CCrypto"]),
    .target(name: "Apply", dependencies: ["PatchFormat"]),
    .executableTarget(
      name: "CLI",
      dependencies: [
        "Apply", "PatchFormat", "CSystem",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .target(name: "Fuzzing", dependencies: ["PatchFormat"], path: "fuzz/Mutator"),
    .target(name: "TestModels", dependencies: ["PatchFormat"], path: "Tests/TestModels"),
    .testTarget(name: "PatchFormatTests", dependencies: ["PatchFormat", "CKernels", "Fuzzing"]),
    .testTarget(name: "ApplyTests", dependencies: ["Apply", "PatchFormat", "TestModels"]),
    .testTarget(name: "CLITests", dependencies: ["CLI", "PatchFormat", "TestModels"], exclude: ["Golden"]),
  ],
  swiftLanguageModes: [.v6]
)

// The fuzzer needs the toolchain's libFuzzer, which not every toolchain has: see fuzz/run.sh.
if Context.environment["VPATCH_FUZZ"] != nil {
  package.products.append(.executable(name: "vpatch-fuzz", targets: ["vpatch-fuzz"]))
  package.targets.append(
    .executableTarget(
      name: "vpatch-fuzz", dependencies: ["Fuzzing"], path: "fuzz/Fuzz",
      linkerSettings: [.linkedLibrary("stdc++")]))
}
