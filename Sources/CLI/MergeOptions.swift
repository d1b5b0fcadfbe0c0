import ArgumentParser
import PatchFormat

extension MergeMethod.Kind: ExpressibleByArgument {
  package static var allValueStrings: [String] { allCases.map(\.rawValue) }
}

/// How several patches of one base become one change.
struct MergeOptions: ParsableArguments {
  @Option(help: ArgumentHelp("How patches of one base are combined (default: sum).", valueName: "name"))
  var method: MergeMethod.Kind?
  @Option(
    help: ArgumentHelp("ties, dare: the share of each patch's changes to keep (default: 0.5).", valueName: "share"))
  var density: Double?
  @Option(help: ArgumentHelp("ties, dare-ties: multiply the agreed change (default: 1).", valueName: "factor"))
  var lambda: Double?
  @Option(help: ArgumentHelp("dare: which changes are dropped (default: 0).", valueName: "n"))
  var seed: UInt64?
  @Option(help: ArgumentHelp("Move the result back to the base by this share, 0 to 1 (WiSE-FT).", valueName: "share"))
  var towardBase: Double?

  var isGiven: Bool { method != nil || density != nil || lambda != nil || seed != nil || towardBase != nil }

  func mergeMethod() throws -> MergeMethod {
    try MergeMethod(method ?? .sum, density: density, lambda: lambda, seed: seed, towardBase: towardBase ?? 0)
  }

  /// The same over what a stack has already.
  func changing(_ old: MergeMethod) throws -> MergeMethod {
    guard isGiven else { return old }
    let isSameKind = method == nil || method == old.kind
    return try MergeMethod(
      method ?? old.kind, density: density ?? (isSameKind ? old.density : nil),
      lambda: lambda ?? (isSameKind ? old.lambda : nil), seed: seed ?? (isSameKind ? old.seed : nil),
      towardBase: towardBase ?? old.towardBase)
  }
}
