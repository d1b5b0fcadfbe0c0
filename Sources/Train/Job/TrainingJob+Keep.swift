import Base
import Glibc
import PatchFormat

extension TrainingJob {
  /// Saves a patch at a fallback location.
  /// - Parameter make: writes the patch to the given path.
  /// - Returns: where the patch is, as words that follow "the patch is saved".
  package typealias Fallback = (_ make: (_ path: String) throws -> Void) throws -> String

  /// Writes the patch. A trained patch must not be lost because its file cannot be written: it is then saved elsewhere.
  /// - Parameters:
  ///   - keep: saves the patch elsewhere if it can; otherwise a temporary folder is used.
  ///   - make: writes the patch to the given path.
  /// - Throws: why `path` could not be written, and where the patch is saved.
  func write(
    to path: String, otherwise keep: Fallback?, _ make: (_ path: String) throws -> PatchHeader
  ) throws -> PatchHeader {
    do { return try make(path) } catch let error as VPatchError where Self.isOfOutput(error, path) {
      var places: [Fallback] = keep.map { [$0] } ?? []
      places.append { try Self.keepInTemporaryFolder(Path.name(path), $0) }
      for place in places {
        guard let kept = try? place({ _ = try make($0) }) else { continue }
        throw VPatchError(error.code, error.subject, error.reason, remedy: "the patch is saved \(kept)")
      }
      throw error
    }
  }

  /// Whether another location may work: the system refused this one, or a file of that name has appeared.
  private static func isOfOutput(_ error: VPatchError, _ path: String) -> Bool {
    switch error.code {
    case .io: true
    case .refused: (try? PathKind.of(path, followingLinks: false)) != .missing
    default: false
    }
  }

  private static func keepInTemporaryFolder(_ name: String, _ make: (String) throws -> Void) throws -> String {
    let parent = getenv("TMPDIR").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    var template = Array(Path.join(parent, "vpatch-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw VPatchError.system(parent, "could not be created") }
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let path = Path.join(folder, name)
    do { try make(path) } catch {
      rmdir(folder)
      throw error
    }
    return "as \(path)"
  }
}
