import ArgumentParser
import PatchFormat

extension MergeMethod.Kind: ExpressibleByArgument {
  package static var allValueStrings: [String] { allCases.map(\.rawValue) }
}

/// How several patches of one base become one change.
struct MergeOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Merge method for patches of one base. (default: sum)", valueName: "name"))
  var method: MergeMethod.Kind?
  @Option(
    help: ArgumentHelp(
      "\(Self.methods(\.hasDensity)): share of each patch's changes to keep. (default: 0.5)", valueName: "share"))
  var density: Double?
  @Option(
    help: ArgumentHelp("\(Self.methods(\.hasLambda)): factor for the merged change. (default: 1)", valueName: "factor"))
  var lambda: Double?
  @Option(
    help: ArgumentHelp("\(Self.methods(\.hasSeed)): random seed for dropping changes. (default: 0)", valueName: "n"))
  var seed: UInt64?
  @Option(
    help: ArgumentHelp(
      "Interpolate the result toward the base by this share, 0 to 1 (WiSE-FT). (default: 0)", valueName: "share"))
  var towardBase: Double?

  /// The methods that have a parameter, for help texts.
  private static func methods(_ has: (MergeMethod.Kind) -> Bool) -> String {
    MergeMethod.Kind.allCases.filter(has).map(\.rawValue).joined(separator: ", ")
  }

  var isGiven: Bool { method != nil || density != nil || lambda != nil || seed != nil || towardBase != nil }

  func mergeMethod() throws -> MergeMethod {
    try MergeMethod(method ?? .sum, density: density, lambda: lambda, seed: seed, towardBase: towardBase ?? 0)
  }

  /// Applies the given options to the method that a stack already has.
  func changing(_ old: MergeMethod) throws -> MergeMethod {
    guard isGiven else { return old }
    let isSameKind = method == nil || method == old.kind
    return try MergeMethod(
      method ?? old.kind, density: density ?? (isSameKind ? old.density : nil),
      lambda: lambda ?? (isSameKind ? old.lambda : nil), seed: seed ?? (isSameKind ? old.seed : nil),
      towardBase: towardBase ?? old.towardBase)
  }
}
