import Base
import Glibc
import PatchFormat

extension TrainingJob {
  /// Keeps a patch in a place of its own.
  /// - Parameter make: writes it to the path that it is given.
  /// - Returns: where it is, in words that follow "the patch is kept".
  package typealias Fallback = (_ make: (_ path: String) throws -> Void) throws -> String

  /// Writes the patch. What was learned is not lost with a file that cannot be written: then the patch is kept elsewhere.
  /// - Parameters:
  ///   - keep: keeps it, if it can; else a temporary folder does.
  ///   - make: writes it to the path that it is given.
  /// - Throws: why `path` could not be written, and where the patch is.
  func write(
    to path: String, otherwise keep: Fallback?, _ make: (_ path: String) throws -> PatchHeader
  ) throws -> PatchHeader {
    do { return try make(path) } catch let error as VPatchError where Self.isOfOutput(error, path) {
      var places: [Fallback] = keep.map { [$0] } ?? []
      places.append { try Self.keepInTemporaryFolder(Path.name(path), $0) }
      for place in places {
        guard let kept = try? place({ _ = try make($0) }) else { continue }
        throw VPatchError(error.code, error.subject, error.reason, remedy: "the patch is kept \(kept)")
      }
      throw error
    }
  }

  /// Whether another place may do, where this one did not: the system refused it, or something has come to have its name.
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
    guard mkdtemp(&template) != nil else { throw VPatchError.system(parent, "cannot be written") }
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let path = Path.join(folder, name)
    do { try make(path) } catch {
      rmdir(folder)
      throw error
    }
    return "as \(path)"
  }
}
