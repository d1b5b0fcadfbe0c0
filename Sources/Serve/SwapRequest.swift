import Base

/// What a server is asked to do with its weights.
package struct SwapRequest: Sendable, Equatable {
  package enum Change: Sendable, Equatable {
    /// Puts a patch in.
    /// - Parameter replacing: takes out first everything that is in.
    case apply(_ patch: String, replacing: Bool)
    /// Takes out the patch on top.
    case revert
    /// Takes out all patches.
    case revertAll
  }

  package let change: Change
  /// Compare all tensors of the base with the patch, not only those that it touches.
  package let full: Bool

  package init(_ change: Change, full: Bool = false) {
    self.change = change
    self.full = full
  }

  /// The request as servers get it.
  package var json: JSON {
    switch change {
    case .apply(let patch, let replacing):
      .dictionary([
        "action": .string("apply"), "patch": .string(patch), "full": .bool(full), "replace": .bool(replacing),
      ])
    case .revert, .revertAll: .dictionary(["action": .string("revert"), "all": .bool(change == .revertAll)])
    }
  }

  /// The same as a question: whether it would work. Changes nothing.
  package var check: JSON {
    json.setting("action", to: .string("check")).adding([JSON.Member("of", json["action"]!)])
  }

  /// What a server is asked for its state.
  package enum Verify: String, Sendable {
    /// No tensor is read.
    case none
    /// The tensors that the patches touch are compared with what these record.
    case touched
    /// All tensors.
    case all
  }

  package static func status(_ verify: Verify) -> JSON {
    .dictionary(["action": .string("status"), "verify": .string(verify.rawValue)])
  }
}
