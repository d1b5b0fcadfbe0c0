// The layout of a .safetensors file:
//
//   offset 0   u64, little-endian: length N of the header
//   offset 8   N bytes: a JSON object, may be padded with spaces at its end
//              name → {"dtype": s, "shape": [n, …], "data_offsets": [begin, end]}; "__metadata__" → {s: s, …}
//   offset 8+N the data, which the offsets count from
//
// Valid if and only if, checked in this order: (1) the file has at least 8 bytes; (2) N ≤ 100,000,000 (the limit of the
// reference reader) and 8 + N ≤ the file's size; (3) the header begins with "{" and is strict JSON without duplicate
// keys; (4) "__metadata__", if present, maps strings to strings, or is null, which the reference reader accepts since
// 0.8; (5) every tensor has a valid name, dtype, shape and offsets; (6) the length is what dtype and shape require; (7)
// sorted by offset, the tensors cover the data from 0 to its end without gap or overlap, and end at 2⁵³ − 1 at most.

import Base

/// The parsed header of a safetensors file, with its text kept verbatim.
package struct SafetensorsHeader: Sendable {
  /// The JSON text with its padding, without the length field before it.
  package let text: [UInt8]
  /// In the order of their data.
  package let tensors: [Entry]
  package let metadata: [JSON.Member]
  /// Bytes of data behind the header.
  package let dataCount: Int

  package struct Entry: Sendable {
    package let info: TensorInfo
    /// Byte offset from the beginning of the data.
    package let offset: Int
  }

  package static let maximumLength = 100_000_000

  /// File offset of the data.
  package var dataStart: Int { 8 + text.count }
  package var fileSize: Int { dataStart + dataCount }

  /// Reads and checks the header of an open file.
  /// - Throws: `invalid`; `io`.
  package init(of file: InputFile) throws {
    guard file.size >= 8 else {
      throw VPatchError(.invalid, file.path, "is not a safetensors file: it has only \(file.size) bytes")
    }
    let length = try file.read(0..<8).enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * $1.offset) }
    guard length <= Self.maximumLength else {
      throw VPatchError(
        .invalid, file.path,
        "is not a safetensors file: its header length is \(length) bytes; the maximum is \(Self.maximumLength)")
    }
    guard Int(length) <= file.size - 8 else {
      throw VPatchError(
        .invalid, file.path,
        "is cut short or not a safetensors file: its header length is \(length) bytes, only \(file.size - 8) follow")
    }
    try self.init(text: file.read(8..<8 + Int(length)), dataCount: file.size - 8 - Int(length), subject: file.path)
  }

  /// Checks a header's text alone. The data length is taken from the tensors.
  package init(text: [UInt8], subject: String) throws { try self.init(text: text, dataCount: nil, subject: subject) }

  /// Checks a header's text against the length of the data behind it, where that is known.
  package init(text: [UInt8], dataCount: Int?, subject: String, maximumValues: Int = .max) throws {
    func invalid(_ reason: String) -> VPatchError {
      VPatchError(.invalid, subject, "is not a valid safetensors file: \(reason)")
    }
    guard text.first == UInt8(ascii: "{") else { throw invalid("its header does not begin with '{'") }
    var entries: [Entry] = []
    var metadata: [JSON.Member] = []
    // Errors in the JSON have priority over errors in its contents.
    var wrong: String?
    do {
      try JSON.forEachMember(of: text, maximumValues: maximumValues) { member in
        guard wrong == nil else { return }
        if member.key.isSame(as: "__metadata__") {
          if member.value == .null { return }
          metadata = member.value.object ?? []
          if member.value.object?.allSatisfy({ $0.value.string != nil }) != true {
            wrong = "its __metadata__ does not map strings to strings"
          }
          return
        }
        do {
          entries.append(try Self.entry(member, dataCount: dataCount ?? .max))
        } catch let error as EntryError {
          wrong = "tensor \"\(member.key.printable)\" \(error.reason)"
        }
      }
    } catch let error as JSONError {
      throw invalid("its header has \(error.reason)")
    }
    if let wrong { throw invalid(wrong) }
    entries.sort { ($0.offset, $0.info.byteCount) < ($1.offset, $1.info.byteCount) }
    var end = 0
    for entry in entries {
      guard entry.offset == end else {
        let what = entry.offset < end ? "overlaps the tensor before it" : "leaves a gap before it"
        throw invalid("tensor \"\(entry.info.name.printable)\" \(what) (begins at \(entry.offset), not at \(end))")
      }
      end += entry.info.byteCount
    }
    if let dataCount, end < dataCount { throw invalid("\(dataCount - end) bytes follow the last tensor") }
    self.text = text
    self.tensors = entries
    self.metadata = metadata
    self.dataCount = end
  }

  private struct EntryError: Error { let reason: String }

  private static func entry(_ member: JSON.Member, dataCount: Int) throws -> Entry {
    guard TensorInfo.isValidName(member.key) else {
      throw EntryError(reason: "has a name that is empty, over 4096 bytes or holds NUL")
    }
    guard member.value.object != nil else { throw EntryError(reason: "is not an object") }
    guard let dtype = member.value["dtype"]?.string.flatMap(DType.init) else {
      throw EntryError(reason: "has no valid dtype")
    }
    guard let dimensions = member.value["shape"]?.array, dimensions.count <= 64 else {
      throw EntryError(reason: "has no valid shape")
    }
    // Numbers above the patch format's limit could not be written into a patch.
    let shape = dimensions.compactMap(\.int).filter { $0 <= Limits.number }
    guard shape.count == dimensions.count else { throw EntryError(reason: "has no valid shape") }
    guard let offsets = member.value["data_offsets"]?.array, offsets.count == 2, let begin = offsets[0].int,
      let end = offsets[1].int
    else { throw EntryError(reason: "has no valid data_offsets") }
    guard begin <= end else { throw EntryError(reason: "begins at \(begin), behind its end at \(end)") }
    guard end <= Limits.number else {
      throw EntryError(reason: "ends at byte \(end) of the data; at most \(Limits.number) are allowed")
    }
    guard end <= dataCount else {
      throw EntryError(reason: "ends at byte \(end) of the data, which has only \(dataCount) bytes: cut short?")
    }
    if dtype.isKnown {
      guard let expected = TensorInfo.byteCount(dtype: dtype, shape: shape) else {
        throw EntryError(reason: "has a shape whose size overflows")
      }
      guard expected == end - begin else {
        throw EntryError(reason: "has \(end - begin) bytes, but its dtype and shape require \(expected)")
      }
    }
    return Entry(
      info: TensorInfo(name: member.key, dtype: dtype, shape: shape, byteCount: end - begin), offset: begin)
  }

  /// The bytes of a header for these tensors, in this order, padded with spaces so that the data begin at a multiple of
  /// 8.
  package static func text(for tensors: [TensorInfo], metadata: [JSON.Member]) -> [UInt8] {
    var members: [JSON.Member] = []
    if !metadata.isEmpty { members.append(JSON.Member("__metadata__", .object(metadata))) }
    var offset = 0
    for tensor in tensors {
      members.append(
        JSON.Member(
          tensor.name,
          .dictionary([
            "dtype": .string(tensor.dtype.name),
            "shape": .array(tensor.shape.map { JSON($0) }),
            "data_offsets": .array([JSON(offset), JSON(offset + tensor.byteCount)]),
          ])))
      offset += tensor.byteCount
    }
    var text = Array(JSON.object(members).compact().utf8)
    text += [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8)
    return text
  }
}
