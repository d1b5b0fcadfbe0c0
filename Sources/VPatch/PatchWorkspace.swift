import Base
import Glibc
import Workspace

/// Creates, applies, stacks and reverts patches of models, with the store that keeps them.
///
/// A store is a folder of patches with a catalogue. Several processes may use one at the same time. The methods keep
/// patch files, models and store consistent: what a model needs to be reverted stays in the store, and a killed process
/// leaves a model that is the old one or the new one, if need be with the help of ``recover(_:settingAside:)``.
///
/// Models are `.safetensors` files, or Hugging Face folders. Patches are named by a file, or as in the store: by alias,
/// by tag, or by the first digits of their identity.
public struct PatchWorkspace: Sendable {
  let workspace: Workspace

  /// Progress of a long call.
  public struct Progress: Sendable {
    /// What is being done, such as "writing".
    public let phase: String
    /// Bytes done, of `total`.
    public let done: Int
    /// Bytes to do in this phase.
    public let total: Int
  }

  /// A message to the user besides the result.
  public enum Message: Sendable {
    /// The result may not be the one intended.
    case warning(String)
    /// Worth knowing, and no reason to doubt the result.
    case note(String)
  }

  /// - Parameters:
  ///   - store: the store's folder; nil for `$VPATCH_STORE`, else `vpatch` in the XDG data folder. It is created by the
  ///     first call that adds a patch.
  ///   - threads: number of threads, at least 1; nil for one per processor. Results do not depend on it.
  ///   - progress: called from any thread.
  ///   - message: called from any thread.
  public init(
    store: String? = nil, threads: Int? = nil,
    progress: (@Sendable (Progress) -> Void)? = nil, message: (@Sendable (Message) -> Void)? = nil
  ) {
    let report = WorkProgress { phase, done, total in progress?(Progress(phase: phase, done: done, total: total)) }
    var workspace = Workspace(
      store: StoreLocation(store),
      work: WorkOptions(threads: threads ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), progress: report),
      messages: Messages(warning: { message?(.warning($0)) }, note: { message?(.note($0)) }))
    // A number in code is no slip of the pen.
    workspace.allowsAnyScale = true
    self.workspace = workspace
  }

  /// The version of vpatch, such as "0.1.0".
  public static var version: String { vpatchVersion }

  /// Releases the stores of this process. Call it before the process ends; a store opens again when it is used.
  public static func close() { StoreLocation.closeAll() }
}
