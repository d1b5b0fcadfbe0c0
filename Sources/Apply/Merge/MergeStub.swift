import PatchFormat

public struct Merge: Sendable {
  public let definition: StackDefinition
  public init(_ definition: StackDefinition, patches: [Patch]) throws { self.definition = definition }
  public var touched: [String] { [] }
  public func target(_ name: String) -> TensorInfo? { nil }
  public func fingerprint(_ name: String, base: () -> (any TensorSource)?) throws -> Digest { .zero }
  public func source(_ name: String, base: () -> (any TensorSource)?) throws -> any TensorSource { base()! }
}
