import Base

/// Why a call failed: which file, what is wrong with it, and what to do about it.
public struct PatchError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The kind of failure.
  public enum Code: String, Sendable, CaseIterable {
    /// The system failed to read or write: permissions, a full disk, a missing file.
    case io
    /// A file is not valid: not a checkpoint, not a patch.
    case invalid
    /// The patch does not apply to this model.
    case wrongBase
    /// The result is not what the patch records. Nothing was written.
    case mismatch
    /// The request contradicts what exists, such as an output that already exists.
    case refused
  }

  /// What exactly went wrong, where a program can react to it.
  public enum Detail: Equatable, Sendable {
    /// A file's bytes are not those that were written: fetch it again.
    case damaged
    /// A change of the model in place is unfinished: ``PatchWorkspace/recover(_:settingAside:)`` finishes it.
    case needsRecovery
    /// A name that nothing has; these are similar.
    case unknownName(similar: [String])
  }

  /// The kind of failure.
  public let code: Code
  /// The file, or the tensor in a file, that the message is about.
  public let subject: String?
  /// What is wrong.
  public let reason: String
  /// What the user can do about it, in terms of the command line.
  public let remedy: String?
  /// What exactly went wrong, if a program can react to it.
  public let detail: Detail?

  /// Subject, reason and remedy on one line, with control characters made visible.
  public var description: String { VPatchError(error: self).description }

  init(_ error: any Error) {
    let error = error as? VPatchError ?? VPatchError(.io, nil, "\(error)")
    code = Code(error.code)
    subject = error.subject
    reason = error.reason
    remedy = error.remedy
    detail =
      switch error.detail {
      case .damaged: .damaged
      case .needsRecovery: .needsRecovery
      case .unknownName(let similar): .unknownName(similar: similar)
      // Nothing here trains.
      case .diverged, nil: nil
      }
  }
}

extension PatchError.Code {
  fileprivate init(_ code: VPatchError.Code) {
    self =
      switch code {
      case .io: .io
      case .invalid: .invalid
      case .wrongBase: .wrongBase
      case .mismatch: .mismatch
      case .refused: .refused
      }
  }
}

extension VPatchError {
  /// For its text.
  fileprivate init(error: PatchError) { self.init(.io, error.subject, error.reason, remedy: error.remedy) }
}

/// Runs `body`; every error becomes a `PatchError`.
func withPatchError<R>(_ body: () throws -> R) throws(PatchError) -> R {
  do { return try body() } catch { throw PatchError(error) }
}
