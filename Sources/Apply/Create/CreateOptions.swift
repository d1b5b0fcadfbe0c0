import PatchFormat

/// How a patch is to be made.
public struct CreateOptions: Sendable {
  /// What may change; nil: anything.
  public var selection: Selection?
  /// Leave what else changed out of the patch, where it is not allowed; else it is an error.
  public var dropOthers = false
  /// Cast floats to the base's dtype.
  public var castToBase = false
  /// Tensors that the tuned side lacks are unchanged; else they are removed.
  public var isPartial = false
  /// Refuse what is no fine-tune of the base (`ModelPair`); else any difference will do.
  public var expectsFineTune = true
  /// Let the patch remove tensors that no fine-tune removes; else it is an error. So with the next.
  public var allowsRemovals = false
  /// Let the patch add tensors that no fine-tune adds.
  public var allowsAdditions = false
  /// Find the tuned tensors under another layout's names.
  public var mapKeys = false
  /// Let the patch remove side files that the tuned folder lacks; else they stay as in the base.
  public var removeMissingFiles = false
  /// Take side files that are links to somewhere outside of their model's folder.
  public var allowsOutside = false
  /// Take only side files that are as these patches make them, and leave out the others; nil: all.
  public var sideFilesOf: [Patch]?
  public var name: String?
  public var note: String?

  public init() {}
}

/// What was made, and of what it consists.
public struct CreateResult: Sendable {
  public let header: PatchHeader
  public let annotations: JSON
  public let layout: ModelLayout
  /// The recipe that the changes keep to: the one asked for, else the smallest that covers them.
  public let recipe: Recipe?
  public let fileSize: Int
  /// Bytes of the whole tuned checkpoint.
  public let modelBytes: Int
  /// Tensors cast to the base's dtype, found under other names, left out; side files that travel or do not.
  public let cast: [String]
  /// The same by pair of dtypes.
  public let casts: [CastSummary]
  /// What `config.json` claimed and, since the tensors were cast, claims.
  public let castConfig: (from: String, to: String)?
  /// Tensors of another dtype than the base's that were asked to be cast and could not be, or were not asked to.
  public let retyped: [RetypedTensors]
  /// Tensors that the tuned side lacks and that stay.
  public let unchangedMissing: Int
  public let renamed: Int
  public let dropped: [String]
  public let sideFiles: [String]
  public let sideFilesLeftOut: [String]
  /// What becomes of those that travel.
  public let sideFileSummary: SideFileSummary
  /// Side files that the tuned folder lacks: the patch says nothing of them.
  public let sideFilesMissing: [String]

  /// Tensors of one pair of dtypes, replaced whole.
  public struct RetypedTensors: Hashable, Sendable {
    public let from: DType
    public let to: DType
    public let tensors: Int
    /// Whether `castToBase` would cast them.
    public let canBeCast: Bool
  }

  /// Whether what the patch stores takes more room than the tensors that it makes: what is replaced whole is in it twice.
  public var isLargerThanTensors: Bool { touched.reduce(0) { $0 + $1.storedBytes } > tunedBytes }

  public var touched: [PatchTensor] { header.touched }
  /// Bytes of the tensors that the patch makes.
  public var tunedBytes: Int { touched.reduce(0) { $0 + ($1.target?.info.byteCount ?? 0) } }
}
