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
        "Apply", "PatchFormat",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .testTarget(name: "PatchFormatTests", dependencies: ["PatchFormat", "CKernels"]),
    .target(name: "TestModels", dependencies: ["PatchFormat"], path: "Tests/TestModels"),
    .testTarget(name: "ApplyTests", dependencies: ["Apply", "PatchFormat", "TestModels"]),
    .testTarget(name: "CLITests", dependencies: ["CLI", "PatchFormat", "TestModels"], exclude: ["Golden"]),
  ],
  swiftLanguageModes: [.v6]
)
