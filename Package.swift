// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "vpatch",
  products: [
    .executable(name: "vpatch", targets: ["CLI"]),
    .library(name: "VPatch", targets: ["VPatch"]),
    // libvpatch.so, for other languages: scripts/build-library.sh.
    .library(name: "vpatchc", type: .dynamic, targets: ["LibVPatch"]),
    // Loaded into the command by its tests (Tests/Faults/faults.c), and by nothing else.
    .library(name: "VPatchFaults", type: .dynamic, targets: ["Faults"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    .package(url: "https://github.com/onevcat/Rainbow", exact: "4.2.2"),
  ],
  targets: [
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(name: "CKernels"),
    .target(name: "CSystem"),
    .target(name: "CEdit", linkerSettings: [.linkedLibrary("edit")]),
    .target(name: "CLoaded"),
    .target(name: "Base", dependencies: ["CCrypto", "CLoaded", "CSystem", "CZstd"]),
    .target(name: "Checkpoints", dependencies: ["Base", "CZlib"]),
    .target(name: "PatchFormat", dependencies: ["Base", "Checkpoints", "CKernels"]),
    .target(
      name: "CImages",
      linkerSettings: [.linkedLibrary("png16"), .linkedLibrary("jpeg"), .linkedLibrary("webp"), .linkedLibrary("z")]),
    .target(name: "Images", dependencies: ["Base", "Checkpoints", "CImages"]),
    .target(name: "Families", dependencies: ["Base", "Checkpoints", "Images"]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(
      name: "Apply", dependencies: ["Base", "Checkpoints", "CKernels", "CLoaded", "CZlib", "Families", "PatchFormat"]),
    .target(name: "ModelFiles", dependencies: ["Apply", "Base", "Checkpoints", "PatchFormat"]),
    .target(name: "Measure", dependencies: ["Base", "PatchFormat"]),
    .target(name: "CSQLite", linkerSettings: [.linkedLibrary("sqlite3")]),
    .target(
      name: "Catalogue",
      dependencies: [
        "Base", "Checkpoints", "CSQLite", "Measure", "PatchFormat", .product(name: "GRDB", package: "GRDB.swift"),
      ]),
    .target(name: "HTTP", dependencies: ["Base", "CLoaded"]),
    .target(name: "Serve", dependencies: ["Base", "HTTP", "PatchFormat"]),
    .target(name: "Report", dependencies: ["Apply", "Base", "Checkpoints", "Families", "Measure", "PatchFormat"]),
    .target(name: "Jinja", dependencies: ["Base"]),
    .target(name: "Text", dependencies: ["Base", "Checkpoints", "CZlib", "Families", "Images", "Jinja"]),
    .target(name: "CCompute"),
    .target(
      name: "Model",
      dependencies: [
        "Apply", "Base", "CCompute", "CLoaded", "Checkpoints", "Families", "Images", "PatchFormat", "Text",
      ]),
    .target(
      name: "Evaluate", dependencies: ["Apply", "Base", "Checkpoints", "Measure", "Model", "PatchFormat", "Text"]),
    .target(
      name: "Train",
      dependencies: [
        "Apply", "Base", "CCompute", "Checkpoints", "Evaluate", "Families", "Measure", "Model", "PatchFormat", "Text",
      ], resources: [.embedInCode("Resources/neutral.txt")]),
    .target(
      name: "Workspace",
      dependencies: ["Apply", "Base", "Catalogue", "Checkpoints", "Measure", "ModelFiles", "PatchFormat", "Report"]),
    .target(
      name: "VPatch",
      dependencies: [
        "Apply", "Base", "Catalogue", "Families", "Measure", "ModelFiles", "PatchFormat", "Report", "Workspace",
      ]),
    .target(name: "CVPatch"),
    .target(
      name: "LibVPatch",
      dependencies: [
        "Apply", "Base", "Checkpoints", "CVPatch", "Families", "Measure", "Model", "PatchFormat", "Report", "Text",
      ]),
    .executableTarget(
      name: "CLI",
      dependencies: [
        "Apply", "Base", "Catalogue", "CEdit", "Checkpoints", "CSystem", "Evaluate", "Families", "HTTP", "Measure",
        "Model", "ModelFiles", "PatchFormat", "Report", "Serve", "Text", "Train", "Workspace",
        .product(name: "ArgumentParser", package: "swift-argument-parser"), "Rainbow",
      ]),
    .target(
      name: "Fuzzing",
      dependencies: [
        "Apply", "Base", "Catalogue", "Checkpoints", "Evaluate", "Families", "Images", "Jinja", "Measure", "Model",
        "ModelFiles", "PatchFormat", "Text",
      ], path: "fuzz/Mutator"),
    .target(name: "Faults", path: "Tests/Faults"),
    .target(name: "TestModels", dependencies: ["Base", "Checkpoints", "PatchFormat"], path: "Tests/TestModels"),
    .target(
      name: "KernelChecks", dependencies: ["CCompute", "CImages", "CKernels"], path: "Tests/KernelChecks",
      exclude: ["main"]),
    .testTarget(
      name: "PatchFormatTests",
      dependencies: ["Base", "Checkpoints", "CKernels", "Fuzzing", "KernelChecks", "ModelFiles", "PatchFormat"]),
    .testTarget(name: "MeasureTests", dependencies: ["Base", "Measure", "PatchFormat", "TestModels"]),
    .testTarget(name: "ImagesTests", dependencies: ["Base", "Fuzzing", "Images", "KernelChecks", "TestModels"]),
    .testTarget(name: "JinjaTests", dependencies: ["Base", "Fuzzing", "Jinja"]),
    .testTarget(
      name: "TextTests",
      dependencies: ["Base", "Checkpoints", "Families", "Fuzzing", "Images", "Jinja", "TestModels", "Text"]),
    .testTarget(
      name: "ModelTests",
      dependencies: [
        "Apply", "Base", "CCompute", "Checkpoints", "Families", "Images", "KernelChecks", "Model", "PatchFormat",
        "TestModels", "Text",
      ]),
    .testTarget(
      name: "EvaluateTests",
      dependencies: [
        "Apply", "Base", "Checkpoints", "Evaluate", "Images", "Measure", "Model", "PatchFormat", "TestModels", "Text",
      ]),
    .testTarget(
      name: "TrainTests",
      dependencies: [
        "Apply", "Base", "CCompute", "Checkpoints", "Families", "Images", "Measure", "Model", "PatchFormat",
        "TestModels", "Text", "Train",
      ]),
    .testTarget(
      name: "CatalogueTests",
      dependencies: [
        "Base", "Catalogue", "Checkpoints", "Measure", "PatchFormat", "TestModels",
        .product(name: "GRDB", package: "GRDB.swift"),
      ]),
    .testTarget(
      name: "ApplyTests",
      dependencies: [
        "Apply", "Base", "Checkpoints", "CZstd", "Families", "KernelChecks", "ModelFiles", "PatchFormat", "Report",
        "TestModels",
      ]),
    .testTarget(
      name: "ReportTests",
      dependencies: ["Apply", "Base", "Checkpoints", "Measure", "PatchFormat", "Report", "TestModels"]),
    .testTarget(name: "ServeTests", dependencies: ["Base", "HTTP", "PatchFormat", "Serve", "TestModels"]),
    .testTarget(name: "VPatchTests", dependencies: ["TestModels", "VPatch"]),
    .testTarget(name: "LibVPatchTests", dependencies: ["Base", "LibVPatch", "CVPatch"]),
    .testTarget(
      name: "CLITests",
      dependencies: [
        "Apply", "Base", "Catalogue", "Checkpoints", "CLI", "ModelFiles", "PatchFormat", "TestModels",
        .product(name: "GRDB", package: "GRDB.swift"),
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

// `make docc`: the documentation of the product.
if Context.environment["VPATCH_DOCC"] != nil {
  package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", exact: "1.5.0"))
}
