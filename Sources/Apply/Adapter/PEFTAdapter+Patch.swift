import Base
import PatchFormat

/// What a patch says of the adapter that it was made with.
extension PEFTAdapter {
  /// How the adapter's base is known.
  enum KnownBase: String {
    /// No adapter names its base by content.
    case declared
    /// The adapter was trained on these weights.
    case trained
  }

  /// Who merged the adapter.
  enum Merger: String {
    case byVpatch = "vpatch"
    /// A merged model was given.
    case given
  }

  /// What is needed, besides its tensors, to write its files again.
  /// - Parameter digest: of its weights.
  func files(_ digest: ContentDigest) -> Annex.AdapterFiles {
    Annex.AdapterFiles(config: configText, header: checkpoint.files[0].header.text, digest: digest)
  }

  /// The member `adapter` of the annotation `made`.
  /// - Parameter digest: of its weights.
  func annotation(_ digest: ContentDigest, base: KnownBase, _ merger: Merger) -> JSON {
    .dictionary([
      "config": .string(configDigest.hex), "weights": .string(digest.hex), "base": .string(base.rawValue),
      "base_model": config.baseModel.map { .string($0) }, "merged": .string(merger.rawValue),
    ])
  }
}
