import Base
import Checkpoints
import Families
import PatchFormat

/// Options for creating a patch.
package struct CreateOptions: Sendable {
  /// What may change; nil: anything. With a selection, tensors that libraries drop (`ModelPair`) stay unchanged if the
  /// tuned side lacks them.
  package var selection: Selection?
  /// Leave changes that are not allowed out of the patch; otherwise they are an error.
  package var dropOthers = false
  /// Cast floats to the base's dtype.
  package var castToBase = false
  /// Tensors that the tuned side lacks stay unchanged; otherwise the patch removes them.
  package var isPartial = false
  /// Refuse a model that is not a fine-tune of the base (`ModelPair`); otherwise any difference is accepted.
  package var expectsFineTune = true
  /// Allow removals of tensors that a fine-tune does not remove; otherwise they are an error.
  package var allowsRemovals = false
  /// Allow additions of tensors that a fine-tune does not add; otherwise they are an error.
  package var allowsAdditions = false
  /// Match tuned tensors whose names, or whose elements, follow another layout.
  package var mapKeys = false
  /// Remove side files that the tuned folder lacks; otherwise they stay as in the base.
  package var removeMissingFiles = false
  /// Include side files that are links to places outside their model's folder.
  package var allowsOutside = false
  /// Include only side files that equal these patches' results; nil: all.
  package var sideFilesOf: [Patch]?
  /// The adapter that the tuned checkpoint was made with.
  package var adapter: AdapterPlan?
  /// Keep the whole adapter in the patch, even if the patch is smaller without.
  package var keepsAdapter = false
  package var name: String?
  package var note: String?
  /// The training record to keep in the patch (spec, section 7.3); nil for none.
  package var training: JSON?

  package init() {}

  /// With what follows from where the tuned side comes from. A training run saves those tensors alone that it trains,
  /// and names them as the runtime does.
  func completed(for tuned: any Checkpoint, over base: any Checkpoint) -> CreateOptions {
    guard tuned.mayLackUnchanged else { return self }
    var options = self
    options.isPartial = isPartial || !allowsRemovals
    options.mapKeys = mapKeys || tuned.tensors.contains { base.tensor(named: $0.name) == nil }
    return options
  }
}

/// The created patch and its contents.
package struct CreateResult: Sendable {
  package let header: PatchHeader
  package let annotations: JSON
  package let layout: ModelLayout
  /// The recipe of the changes: the requested one, else the smallest that covers them.
  package let recipe: Recipe?
  package let fileSize: Int
  /// Size of the whole tuned checkpoint in bytes.
  package let modelBytes: Int
  /// Names of tensors cast to the base's dtype.
  package let cast: [String]
  /// The casts by pair of dtypes.
  package let casts: [CastSummary]
  /// The dtype in `config.json` before and after its correction for the cast.
  package let castConfig: (from: String, to: String)?
  /// Tensors with another dtype than the base's that were not cast.
  package let retyped: [RetypedTensors]
  /// Names of tensors that the tuned side lacks and that stay unchanged.
  package let kept: [String]
  /// Number of tensors that the tuned side has under other names.
  package let renamed: Int
  /// Number of tensors that the tuned side has in another arrangement: split, joined, transposed.
  package let rearranged: Int
  package let dropped: [String]
  package let sideFiles: [String]
  package let sideFilesLeftOut: [String]
  /// What the patch does to the side files in it.
  package let sideFileSummary: SideFileSummary
  /// Side files that the tuned folder lacks. The patch does not change them.
  package let sideFilesMissing: [String]
  /// What the patch has of the adapter; nil if there was none.
  package let adapter: AdapterSummary?

  /// Tensors of one pair of dtypes that are replaced whole.
  package struct RetypedTensors: Hashable, Sendable {
    package let from: DType
    package let to: DType
    package let tensors: Int
    /// Whether `castToBase` would cast them.
    package let canBeCast: Bool
  }

  /// Whether the patch's data are larger than the tensors that it makes: replaced tensors are stored for both
  /// directions.
  package var isLargerThanTensors: Bool { touched.reduce(0) { $0 + $1.storedBytes } > tunedBytes }

  package var touched: [PatchTensor] { header.touched }
  /// Size in bytes of the tensors that the patch makes.
  package var tunedBytes: Int { touched.reduce(0) { $0 + ($1.target?.info.byteCount ?? 0) } }
}
