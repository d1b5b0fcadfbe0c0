// Valid if and only if, checked in this order (spec, section 3.2, rules 6, 7 and 9): canonical JSON; exactly the known
// members with values of the right kind; every tensor's sides, operation and chunks conform to section 3.1; names
// strictly ascending; chunks adjacent from 0 to the payload's end; copies, factors and the adapter's tensors conform to
// sections 3.4 and 3.5; roots and identity match the tensor list.

import Base
import Checkpoints

extension PatchHeader {
  /// - Throws: `Malformed` with the reason.
  package init(parsing text: [UInt8], flags: PatchFlags, maximumValues: Int) throws {
    let json: JSON
    do { json = try JSON.parse(text, maximumValues: maximumValues) } catch let error as JSONError {
      throw Malformed("has \(error.reason)")
    }
    guard json.canonical() == text else { throw Malformed("is not in canonical form") }
    let object = try ObjectReader(json, of: "the header")
    guard try object.string("format") == "vpatch" else { throw Malformed("is not of the format \"vpatch\"") }
    let base = try object.digest("base")
    let target = try object.digest("target")
    let identity = try object.digest("identity")
    let payload = try object.int("payload")
    let annex = try ObjectReader(try object.json("annex"), of: "annex")
    let section = Section(
      stored: try annex.int("stored"), decoded: try annex.int("decoded"), digest: try annex.digest("sha256"))
    try annex.finish()
    guard section.decoded <= Self.maximumAnnex else {
      throw Malformed("declares an annex of \(section.decoded) bytes; the maximum is \(Self.maximumAnnex)")
    }
    let entries = try object.list("tensors")
    let adapterEntries = try object.isPresent("adapter") ? object.list("adapter") : []
    guard object.isPresent("adapter") != adapterEntries.isEmpty else {
      throw Malformed("lists an adapter without tensors")
    }
    try object.finish()

    var tensors: [PatchTensor] = []
    tensors.reserveCapacity(entries.count)
    var end = 0
    for entry in entries {
      let tensor = try Self.tensor(entry)
      if let last = tensors.last, !last.name.precedes(tensor.name) {
        throw Malformed("lists the tensor \"\(tensor.name.printable)\" out of order or twice")
      }
      try Self.place(tensor.chunks, of: tensor.name, &end)
      tensors.append(tensor)
    }
    var adapter: [AdapterTensor] = []
    for entry in adapterEntries {
      let tensor = try AdapterTensor(parsing: entry)
      if let last = adapter.last, !last.name.precedes(tensor.name) {
        throw Malformed("lists the adapter's tensor \"\(tensor.name.printable)\" out of order or twice")
      }
      try Self.place(tensor.chunks, of: tensor.name, &end)
      adapter.append(tensor)
    }
    try Self.checkCopies(tensors)
    try Self.checkFactors(tensors, adapter)
    if let reason = Self.reasonOfTotals(tensors) { throw Malformed(reason) }
    guard end == payload else { throw Malformed("has chunks up to \(end) in a payload of \(payload) bytes") }
    self.init(tensors: tensors, adapter: adapter, payloadBytes: payload, annex: section)
    guard self.flags == flags else {
      throw Malformed("has the flags \(flags.names) and the features \(self.flags.names)")
    }
    guard baseRoot == base else { throw Malformed("has a base root that does not match its tensors") }
    guard targetRoot == target else { throw Malformed("has a target root that does not match its tensors") }
    guard self.identity == identity else { throw Malformed("has an identity that does not match its contents") }
  }

  private static func place(_ chunks: [Chunk], of name: String, _ end: inout Int) throws {
    for chunk in chunks {
      guard chunk.offset == end else {
        throw Malformed(
          "places a chunk of \"\(name.printable)\" at \(chunk.offset), but the previous one ends at \(end)")
      }
      end += chunk.stored
    }
  }

  /// The reason why a patch of these tensors is invalid: one side is too large. Nil where both are valid.
  static func reasonOfTotals(_ tensors: [PatchTensor]) -> String? {
    for (name, side) in [("base", \PatchTensor.base), ("target", \.target)]
    where tensors.lazy.compactMap({ $0[keyPath: side]?.info.byteCount }).sumWithinLimits() == nil {
      return "has tensors of the \(name) of more than \(Limits.number) bytes together"
    }
    return nil
  }

  private static func tensor(_ json: JSON) throws -> PatchTensor {
    let owner = json["name"]?.string.map { "the tensor \"\($0.printable)\"" } ?? "a tensor"
    let object = try ObjectReader(json, of: owner)
    let name = try object.string("name")
    guard TensorInfo.isValidName(name) else {
      throw Malformed("has a tensor name that is empty, too long, reserved or holds NUL")
    }
    guard let operation = TensorOperation(rawValue: try object.string("op")) else {
      throw Malformed("has an unknown operation for the tensor \"\(name.printable)\"")
    }
    var lengths: [Int]?
    if object.isPresent("bytes") {
      lengths = try object.list("bytes").map { value in
        guard let n = value.int, n <= Limits.number else { throw Malformed("has an invalid length of \(owner)") }
        return n
      }
      guard lengths?.count == 2 else { throw Malformed("has invalid lengths of \(owner)") }
    }
    let base = operation == .add ? nil : try side(object, "base", owner, name, lengths?[0])
    var target: FingerprintedTensor?
    switch operation {
    case .same:
      target = base
      guard lengths.map({ $0[0] == $0[1] }) ?? true else { throw Malformed("has invalid lengths of \(owner)") }
    case .remove: target = nil
    default: target = try side(object, "target", owner, name, lengths?[1])
    }
    let chunks = operation == .same ? [] : try object.list("chunks").map { try chunk($0, owner) }
    let copy = operation != .same && object.isPresent("copy") ? try object.string("copy") : nil
    let lowRank =
      operation == .change && copy == nil && object.isPresent("low_rank")
      ? try LowRank(parsing: try object.json("low_rank"), owner) : nil
    try object.finish()

    let isUnknown = [base, target].contains { $0.map { !$0.info.dtype.isKnown } ?? false }
    guard isUnknown == (lengths != nil) else {
      throw Malformed("has unexpected lengths of \(owner), or lacks required ones")
    }
    if operation == .add || operation == .remove, let lengths, lengths[operation == .add ? 0 : 1] != 0 {
      throw Malformed("has invalid lengths of \(owner)")
    }
    if operation != .same, let base, let target {
      guard TensorOperation.changing(base.info, into: target.info) == operation else {
        throw Malformed(
          "has the operation \"\(operation.rawValue)\" on \(owner), which does not match its two sides")
      }
      guard base.fingerprint != target.fingerprint else { throw Malformed("has two equal fingerprints of \(owner)") }
    }
    let tensor = PatchTensor(
      operation: operation, base: base, target: target, chunks: chunks, copy: copy, lowRank: lowRank)
    if copy == nil {
      try checkChunks(tensor, owner)
    } else if !chunks.isEmpty {
      throw Malformed("has chunks of \(owner), which is a copy")
    }
    return tensor
  }

  private static func side(
    _ object: ObjectReader<Malformed>, _ key: String, _ owner: String, _ name: String, _ length: Int?
  ) throws -> FingerprintedTensor {
    let side = try ObjectReader<Malformed>(try object.json(key), of: "a side of \(owner)")
    let tensor = try self.side(side, owner, name, length)
    try side.finish()
    return tensor
  }

  /// Dtype, shape and fingerprint.
  static func side(
    _ side: ObjectReader<Malformed>, _ owner: String, _ name: String, _ length: Int?
  ) throws -> FingerprintedTensor {
    guard let dtype = DType(try side.string("dtype")) else { throw Malformed("has an invalid dtype of \(owner)") }
    let shape = try side.list("shape").map { value in
      guard let n = value.int, n <= Limits.number else { throw Malformed("has an invalid shape of \(owner)") }
      return n
    }
    let fingerprint = try side.digest("fingerprint")
    guard shape.count <= 64 else { throw Malformed("has an invalid shape of \(owner)") }
    let count: Int
    if dtype.isKnown {
      guard let n = TensorInfo.byteCount(dtype: dtype, shape: shape), n <= Limits.number else {
        throw Malformed("has a shape of \(owner) whose size overflows")
      }
      guard length.map({ $0 == n }) ?? true else { throw Malformed("has invalid lengths of \(owner)") }
      count = n
    } else {
      guard let length else { throw Malformed("lacks the length of \(owner)") }
      count = length
    }
    return FingerprintedTensor(TensorInfo(name: name, dtype: dtype, shape: shape, byteCount: count), fingerprint)
  }

  static func chunk(_ json: JSON, _ owner: String) throws -> Chunk {
    guard let fields = json.array, fields.count == 5, let role = fields[0].string.flatMap(ChunkRole.init),
      let offset = fields[1].int, let stored = fields[2].int, let decoded = fields[3].int,
      let digest = fields[4].string.flatMap(ContentDigest.init(hex:))
    else { throw Malformed("has an invalid chunk of \(owner)") }
    guard (1...ChunkCoder.maximumDecoded).contains(decoded), stored >= 1,
      stored <= decoded + ChunkCoder.maximumOverhead, offset <= Limits.number
    else { throw Malformed("has a chunk of \(owner) with lengths out of bounds") }
    return Chunk(role: role, offset: offset, stored: stored, decoded: decoded, digest: digest)
  }

  /// Checks that chunks are in the order d, b, t, and that those of a role cover their part exactly, in whole elements.
  private static func checkChunks(_ tensor: PatchTensor, _ owner: String) throws {
    let parts = tensor.parts
    var rest = tensor.chunks[...]
    for role in [ChunkRole.difference, .base, .target] {
      let info = (role == .target ? tensor.target : tensor.base)?.info
      var covered = 0
      while let chunk = rest.first, chunk.role == role {
        guard let info, chunk.decoded % info.dtype.element.width == 0 else {
          throw Malformed("has a chunk of \(owner) that splits an element")
        }
        covered += chunk.decoded
        rest = rest.dropFirst()
      }
      guard covered == parts.length(role) else {
        throw Malformed("has \"\(role.rawValue)\" chunks of \(owner) for \(covered) of \(parts.length(role)) bytes")
      }
    }
    guard rest.isEmpty else { throw Malformed("has chunks of \(owner) out of order") }
  }
}
