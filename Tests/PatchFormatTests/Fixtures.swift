import Base
import Checkpoints
import Foundation
import PatchFormat
import Testing

/// The files beside the tests, and the table of reasons that stands in each folder of them.
enum Fixtures {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "fixtures").path

  static func path(_ name: String) -> String { Path.join(root, name) }

  static func names(in folder: String, suffix: String) throws -> [String] {
    try Path.entries(of: path(folder)).filter { $0.hasSuffix(suffix) }
  }

  /// The rows of a folder's `REASONS.tsv`: column → text.
  static func reasons(_ folder: String) -> [[String: String]] {
    let bytes = try! InputFile.contents(of: path(folder + "/REASONS.tsv"), limit: 1 << 20)
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map {
      $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    }
    return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
  }
}

/// A folder that goes when the test ends.
final class Scratch: Sendable {
  let path: String

  init() {
    var template = Array((NSTemporaryDirectory() + "/vpatch-test-XXXXXX").utf8CString)
    precondition(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { Path.join(path, name) }

  @discardableResult
  func write(_ bytes: [UInt8], as name: String) -> String {
    let path = file(name)
    precondition(FileManager.default.createFile(atPath: path, contents: Data(bytes)))
    return path
  }

  var entries: [String] { try! Path.entries(of: path) }
}

func contents(_ path: String) throws -> [UInt8] { try InputFile.contents(of: path, limit: 1 << 30) }

extension Patch {
  /// Rebuilds every tensor that is touched, over a checkpoint of one side.
  /// - Returns: the names of those whose bytes are not what the patch promises.
  func wrongTensors(over model: SafetensorsCheckpoint, _ direction: Direction) throws -> [String] {
    try header.touched.compactMap { tensor in
      let patched = PatchedTensor(tensor, of: self, direction) { name in
        model.tensor(named: name).map { StoredTensor($0, in: model) }
      }
      guard let patched else { return nil }
      let promised = direction == .forward ? tensor.target! : tensor.base!
      return try patched.fingerprint() == promised.fingerprint ? nil : tensor.name
    }
  }
}

/// The error that a call throws, as a `VPatchError`.
func refusal(_ what: String = "", _ call: () throws -> Void) -> VPatchError? {
  do {
    try call()
    Issue.record("\(what) is accepted")
  } catch let error as VPatchError {
    return error
  } catch {
    Issue.record("\(what): \(type(of: error)): \(error)")
  }
  return nil
}
