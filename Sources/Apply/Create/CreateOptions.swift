import Base
import Checkpoints
import Families
import PatchFormat

/// How a patch is to be made.
package struct CreateOptions: Sendable {
  /// What may change; nil: anything.
  package var selection: Selection?
  /// Leave what else changed out of the patch, where it is not allowed; else it is an error.
  package var dropOthers = false
  /// Cast floats to the base's dtype.
  package var castToBase = false
  /// Tensors that the tuned side lacks are unchanged; else they are removed.
  package var isPartial = false
  /// Refuse what is no fine-tune of the base (`ModelPair`); else any difference will do.
  package var expectsFineTune = true
  /// Let the patch remove tensors that no fine-tune removes; else it is an error. So with the next.
  package var allowsRemovals = false
  /// Let the patch add tensors that no fine-tune adds.
  package var allowsAdditions = false
  /// Find the tuned tensors under another layout's names.
  package var mapKeys = false
  /// Let the patch remove side files that the tuned folder lacks; else they stay as in the base.
  package var removeMissingFiles = false
  /// Take side files that are links to somewhere outside of their model's folder.
  package var allowsOutside = false
  /// Take only side files that are as these patches make them, and leave out the others; nil: all.
  package var sideFilesOf: [Patch]?
  package var name: String?
  package var note: String?

  package init() {}
}

/// What was made, and of what it consists.
package struct CreateResult: Sendable {
  package let header: PatchHeader
  package let annotations: JSON
  package let layout: ModelLayout
  /// The recipe that the changes keep to: the one asked for, else the smallest that covers them.
  package let recipe: Recipe?
  package let fileSize: Int
  /// Bytes of the whole tuned checkpoint.
  package let modelBytes: Int
  /// Tensors cast to the base's dtype, found under other names, left out; side files that travel or do not.
  package let cast: [String]
  /// The same by pair of dtypes.
  package let casts: [CastSummary]
  /// What `config.json` claimed and, since the tensors were cast, claims.
  package let castConfig: (from: String, to: String)?
  /// Tensors of another dtype than the base's that were asked to be cast and could not be, or were not asked to.
  package let retyped: [RetypedTensors]
  /// Tensors that the tuned side lacks and that stay.
  package let unchangedMissing: Int
  package let renamed: Int
  package let dropped: [String]
  package let sideFiles: [String]
  package let sideFilesLeftOut: [String]
  /// What becomes of those that travel.
  package let sideFileSummary: SideFileSummary
  /// Side files that the tuned folder lacks: the patch says nothing of them.
  package let sideFilesMissing: [String]

  /// Tensors of one pair of dtypes, replaced whole.
  package struct RetypedTensors: Hashable, Sendable {
    package let from: DType
    package let to: DType
    package let tensors: Int
    /// Whether `castToBase` would cast them.
    package let canBeCast: Bool
  }

  /// Whether what the patch stores takes more room than the tensors that it makes: what is replaced whole is in it twice.
  package var isLargerThanTensors: Bool { touched.reduce(0) { $0 + $1.storedBytes } > tunedBytes }

  package var touched: [PatchTensor] { header.touched }
  /// Bytes of the tensors that the patch makes.
  package var tunedBytes: Int { touched.reduce(0) { $0 + ($1.target?.info.byteCount ?? 0) } }
}
