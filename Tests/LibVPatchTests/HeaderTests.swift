import Base
import CVPatch
import Foundation
import LibVPatch
import Testing

/// The C interface as its header declares it.
@Suite struct HeaderTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  @Test("the library exports the functions of the header, and each is defined once")
  func exports() throws {
    let header = try Self.text("Sources/CVPatch/include/vpatch.h")
    let declared = Set(header.matches(of: /\b(vpatch_[a-z_]+)\(/).map { String($0.1) })
    let exported = try Self.text("Sources/CVPatch/exports.map").matches(of: /\b(vpatch_[a-z_]+);/).map { String($0.1) }
    #expect(Set(exported) == declared && exported.count == declared.count)
    let folder = Self.root.appending(path: "Sources/LibVPatch")
    let sources = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    let defined = try sources.flatMap { file in
      try String(contentsOf: file, encoding: .utf8).matches(of: /@_cdecl\("(vpatch_[a-z_]+)"\)/).map { String($0.1) }
    }
    #expect(Set(defined) == declared && defined.count == declared.count)
  }

  @Test("the Python package declares the functions that it calls as the header does")
  func python() throws {
    let header = try Self.text("Sources/CVPatch/include/vpatch.h")
    let library = try Self.text("python/src/vpatch/_library.py")
    let declared = header.matches(of: /\b(vpatch_[a-z_]+)\(([^;]*)\);/).reduce(into: [String: Int]()) {
      $0[String($1.1)] = $1.2.split(separator: ",").count
    }
    let listed = library.matches(of: /"(vpatch_[a-z_]+)": \(([^:]*?)\),\n/)
    #expect(listed.count > 12)
    for function in listed {
      let arguments = function.2.split(separator: ",").filter { !$0.allSatisfy(\.isWhitespace) }.count
      // The message is added for all of them.
      #expect(declared[String(function.1)] == arguments + 1, "\(function.1)")
    }
  }

  @Test("NULL and nonsense are answered, not followed")
  func misuse() {
    var message: UnsafeMutablePointer<CChar>?
    func said() -> String {
      defer { freeText(message) }
      return message.map { String(cString: $0) } ?? ""
    }
    var handle: OpaquePointer?
    #expect(openPatch(nil, 1, &handle, &message) == VPATCH_MISUSE)
    #expect(said() == "path is NULL")
    #expect(openPatch("/nonexistent", 1, &handle, &message) == VPATCH_IO)
    #expect(said().contains("/nonexistent: cannot be opened"))
    #expect(describePatch(nil, nil, &message) == VPATCH_MISUSE)
    #expect(said() == "a handle is NULL")
    #expect(decodeTensor(nil, "a", VPATCH_FORWARD, nil, 0, nil, 0, nil) == VPATCH_MISUSE)
    var json: UnsafeMutablePointer<CChar>?
    for (request, reason) in [
      ("{", "request is not JSON"), ("[]", "request is not an object"), ("{}", "request has no \"base\""),
      (#"{"base": [["a"]], "tuned": []}"#, "base has an entry that is not [name, dtype, shape]"),
      (#"{"base": [["a", "F32", [-1]]], "tuned": []}"#, "that is not [name, dtype, shape]"),
      (#"{"base": [["a", "Q9", [1]]], "tuned": []}"#, "not known"),
    ] {
      let status = matchNames(request, &json, &message)
      let words = said()
      #expect(status == VPATCH_MISUSE && words.contains(reason), "\(request): \(words)")
    }
    for (options, reason) in [
      (#"{"recipes": "sa-proj"}"#, "unknown member \"recipes\""), (#"{"recipe": "x"}"#, "is not a recipe"),
      (#"{"recipe": "mlp", "only": "a"}"#, "both"), (#"{"only": "("}"#, "only"), (#"{"threads": 0}"#, "threads"),
      (#"{"drop_others": true}"#, "needs"), (#"{"partial": 1}"#, "true or false"),
    ] {
      let status = createPatch("a", "b", "c", options, &json, &message)
      let words = said()
      #expect(status == VPATCH_MISUSE && words.contains(reason), "\(options): \(words)")
    }
    for (options, reason) in [
      (#"{"vocabulary": 0}"#, "vocabulary"), (#"{"too_long": "x"}"#, "cut"), (#"{"recipe": "mlp"}"#, "unknown member"),
    ] {
      let status = readRows("a", "b", options, &json, &message)
      let words = said()
      #expect(status == VPATCH_MISUSE && words.contains(reason), "\(options): \(words)")
    }
    closePatch(nil)
    cancelCreation(nil)
    closeText(nil)
    freeText(nil)
  }

  @Test("tensors whose parts contradict each other are refused")
  func tensors() {
    var hex = [CChar](repeating: 0, count: 65)
    var message: UnsafeMutablePointer<CChar>?
    let bytes: [UInt8] = [1, 2, 3, 4]
    func status(_ dtype: String?, _ shape: [Int64], _ count: Int) -> vpatch_status {
      dtype.map { strdup($0) }.withCString { dtype in
        shape.withUnsafeBufferPointer { shape in
          bytes.withUnsafeBytes { bytes in
            var tensor = vpatch_tensor(
              name: nil, dtype: dtype, shape: shape.baseAddress, rank: shape.count, bytes: bytes.baseAddress,
              byte_count: count)
            defer { freeText(message) }
            return fingerprintTensor(&tensor, &hex, &message)
          }
        }
      }
    }
    #expect(status("F32", [1], 4) == VPATCH_OK)
    #expect(String(cString: hex).count == 64)
    for (dtype, shape, count) in [
      ("F32", [2], 4), ("F32", [-1], 4), ("F33", [1], 4), (nil, [1], 4), ("BF16", [.max, .max], 4),
    ] as [(String?, [Int64], Int)] {
      #expect(status(dtype, shape, count) == VPATCH_MISUSE)
    }
    #expect(fingerprintTensor(nil, &hex, nil) == VPATCH_MISUSE)
  }
}

extension Optional where Wrapped == UnsafeMutablePointer<CChar> {
  /// A copied text for the length of a call.
  fileprivate func withCString<R>(_ body: (UnsafePointer<CChar>?) -> R) -> R {
    defer { free(self) }
    return body(self.map { UnsafePointer($0) })
  }
}
