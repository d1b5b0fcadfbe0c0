// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "vpatch",
  products: [
    .executable(name: "vpatch", targets: ["CLI"]),
    .library(name: "PatchFormat", targets: ["PatchFormat"]),
    .library(name: "Measure", targets: ["Measure"]),
    .library(name: "Apply", targets: ["Apply"]),
    .library(name: "Catalogue", targets: ["Catalogue"]),
    .library(name: "Report", targets: ["Report"]),
    .library(name: "Images", targets: ["Images"]),
    .library(name: "Jinja", targets: ["Jinja"]),
    .library(name: "Text", targets: ["Text"]),
    .library(name: "Model", targets: ["Model"]),
    .library(name: "Evaluate", targets: ["Evaluate"]),
    .library(name: "Train", targets: ["Train"]),
    // Loaded into the command by its tests (Tests/Faults/faults.c), and by nothing else.
    .library(name: "VPatchFaults", type: .dynamic, targets: ["Faults"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
  ],
  targets: [
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(name: "CKernels"),
    .target(name: "CSystem"),
    .target(name: "PatchFormat", dependencies: ["CKernels", "CSystem", "CZstd", "CCrypto"]),
    .target(name: "Measure", dependencies: ["PatchFormat"]),
    .target(name: "Apply", dependencies: ["CKernels", "PatchFormat"]),
    .target(name: "CSQLite", linkerSettings: [.linkedLibrary("sqlite3")]),
    .target(
      name: "Catalogue",
      dependencies: ["CSQLite", "Measure", "PatchFormat", .product(name: "GRDB", package: "GRDB.swift")]),
    .target(name: "Report", dependencies: ["Apply", "Measure", "PatchFormat"]),
    .target(name: "CCompute"),
    .target(
      name: "CImages",
      linkerSettings: [.linkedLibrary("png16"), .linkedLibrary("jpeg"), .linkedLibrary("webp"), .linkedLibrary("z")]),
    .target(name: "Images", dependencies: ["CImages", "PatchFormat"]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "Jinja", dependencies: ["PatchFormat"]),
    .target(name: "Text", dependencies: ["CZlib", "Images", "Jinja", "PatchFormat"]),
    .target(name: "Model", dependencies: ["Apply", "CCompute", "Images", "PatchFormat", "Text"]),
    .target(name: "Evaluate", dependencies: ["Apply", "Measure", "Model", "PatchFormat", "Text"]),
    .target(
      name: "Train", dependencies: ["Apply", "CCompute", "Evaluate", "Measure", "Model", "PatchFormat", "Text"],
      resources: [.embedInCode("Resources/neutral.txt")]),
    .executableTarget(
      name: "CLI",
      dependencies: [
        "Apply", "Catalogue", "Evaluate", "Measure", "Model", "PatchFormat", "Report", "Text", "Train", "CSystem",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .target(
      name: "Fuzzing",
      dependencies: ["Apply", "Catalogue", "Evaluate", "Images", "Jinja", "Measure", "Model", "PatchFormat", "Text"],
      path: "fuzz/Mutator"),
    .target(name: "Faults", path: "Tests/Faults"),
    .target(name: "TestModels", dependencies: ["PatchFormat"], path: "Tests/TestModels"),
    .target(
      name: "KernelChecks", dependencies: ["CCompute", "CImages", "CKernels"], path: "Tests/KernelChecks",
      exclude: ["main"]),
    .testTarget(name: "PatchFormatTests", dependencies: ["PatchFormat", "CKernels", "Fuzzing", "KernelChecks"]),
    .testTarget(name: "MeasureTests", dependencies: ["Measure", "PatchFormat", "TestModels"]),
    .testTarget(name: "ImagesTests", dependencies: ["Fuzzing", "Images", "KernelChecks", "PatchFormat", "TestModels"]),
    .testTarget(name: "JinjaTests", dependencies: ["Fuzzing", "Jinja", "PatchFormat"]),
    .testTarget(name: "TextTests", dependencies: ["Fuzzing", "Images", "PatchFormat", "TestModels", "Text"]),
    .testTarget(name: "ModelTests", dependencies: ["CCompute", "KernelChecks", "Model", "PatchFormat", "TestModels"]),
    .testTarget(
      name: "EvaluateTests",
      dependencies: ["Apply", "Evaluate", "Images", "Measure", "Model", "PatchFormat", "TestModels", "Text"]),
    .testTarget(
      name: "TrainTests", dependencies: ["Apply", "CCompute", "Images", "Model", "PatchFormat", "TestModels", "Train"]),
    .testTarget(
      name: "CatalogueTests",
      dependencies: [
        "Catalogue", "Measure", "PatchFormat", "TestModels", .product(name: "GRDB", package: "GRDB.swift"),
      ]),
    .testTarget(name: "ApplyTests", dependencies: ["Apply", "KernelChecks", "PatchFormat", "TestModels"]),
    .testTarget(name: "ReportTests", dependencies: ["Apply", "Measure", "PatchFormat", "Report", "TestModels"]),
    .testTarget(
      name: "CLITests",
      dependencies: [
        "Apply", "Catalogue", "CLI", "PatchFormat", "TestModels", .product(name: "GRDB", package: "GRDB.swift"),
      ], exclude: ["Golden"]),
  ],
  swiftLanguageModes: [.v6]
)

// `make test` builds for release, which the tests' own code does not need: it takes long to optimise.
for target in package.targets where target.isTest {
  target.swiftSettings = [.unsafeFlags(["-Onone"], .when(configuration: .release))]
}

// The fuzzer needs the toolchain's libFuzzer, which not every toolchain has: see fuzz/run.sh.
if Context.environment["VPATCH_FUZZ"] != nil {
  package.products.append(.executable(name: "vpatch-fuzz", targets: ["vpatch-fuzz"]))
  package.targets.append(
    .executableTarget(
      name: "vpatch-fuzz", dependencies: ["Fuzzing"], path: "fuzz/Fuzz",
      linkerSettings: [.linkedLibrary("stdc++")]))
}
