import PatchFormat

/// How a patch is to be made.
public struct CreateOptions: Sendable {
  /// What may change; nil: anything.
  public var selection: Selection?
  /// Leave what else changed out of the patch, where it is not allowed; else it is an error.
  public var dropOthers = false
  /// Round float32 results to the base's dtype.
  public var castToBase = false
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
  /// Tensors rounded to the base's dtype, found under other names, left out; side files that travel or do not.
  public let cast: [String]
  public let renamed: Int
  public let dropped: [String]
  public let sideFiles: [String]
  public let sideFilesLeftOut: [String]
  /// What becomes of those that travel.
  public let sideFileSummary: SideFileSummary
  /// Side files that the tuned folder lacks: the patch says nothing of them.
  public let sideFilesMissing: [String]

  public var touched: [PatchTensor] { header.touched }
  /// Bytes of the tensors that the patch makes.
  public var tunedBytes: Int { touched.reduce(0) { $0 + ($1.target?.info.byteCount ?? 0) } }
}
