import Base

/// A patch taken apart without any of the reader's checks, and put together again.
struct PatchParts {
  var preamble: [UInt8]
  /// JSON text.
  var header: [UInt8]
  var payload: [UInt8]
  /// Decoded.
  var annex: [UInt8]
  var annotations: [UInt8]

  init?(_ file: [UInt8]) {
    func u64(_ at: Int) -> Int? {
      guard at >= 0, at + 8 <= file.count else { return nil }
      let n = (0..<8).reduce(UInt64(0)) { $0 | UInt64(file[at + $1]) << UInt64(8 * $1) }
      return n <= 1 << 32 ? Int(n) : nil
    }
    guard file.count >= 128, let stored = u64(40), let header = Self.frame(file, 128, stored),
      let json = try? JSON.parse(header), let payload = json["payload"]?.int, payload < 1 << 32,
      let annexBytes = json["annex"]?["stored"]?.int, annexBytes < 1 << 32
    else { return nil }
    let annexStart = 128 + stored + payload
    guard let annex = Self.frame(file, annexStart, annexBytes), let notes = u64(annexStart + annexBytes),
      annexStart + annexBytes + 48 + notes <= file.count
    else { return nil }
    preamble = Array(file[..<64])
    self.header = header
    self.payload = Array(file[128 + stored..<annexStart])
    self.annex = annex
    annotations = Array(file[(annexStart + annexBytes + 48)...].prefix(notes))
  }

  private static func frame(_ file: [UInt8], _ at: Int, _ count: Int) -> [UInt8]? {
    guard at + count <= file.count else { return nil }
    return try? file[at..<at + count].withContiguousBytes { frame in
      let size = try Zstd.contentSize(frame, limit: 1 << 24)
      return try [UInt8](unsafeUninitializedCapacity: size) { buffer, n in
        try Zstd.decompress(frame, into: UnsafeMutableRawBufferPointer(buffer), windowLog: 26)
        n = size
      }
    }
  }

  /// Changes bytes of one chunk: as they are stored, or what its frame decodes to.
  mutating func changeChunk(_ random: inout StructuredMutator) {
    guard let json = try? JSON.parse(header), let tensors = json["tensors"]?.array else { return }
    var places: [(tensor: Int, chunk: Int)] = []
    for (t, tensor) in tensors.enumerated() {
      for c in (tensor["chunks"]?.array ?? []).indices { places.append((t, c)) }
    }
    guard !places.isEmpty else { return }
    let (t, c) = places[random.below(places.count)]
    guard let fields = tensors[t]["chunks"]?.array?[c].array, fields.count == 5, let at = fields[1].small,
      let count = fields[2].small, at + count <= payload.count, count > 0
    else { return }
    let old = Array(payload[at..<at + count])
    var new = random.bytes(old)
    if let frame = Self.frame(old, 1, old.count - 1), random.below(4) > 0 {
      new = [old[0]] + random.bytes(frame).withUnsafeBytes { Zstd.compress($0, level: 1, windowLog: 23) }
    } else if !new.isEmpty, random.below(8) == 0 {
      new[new.startIndex] = UInt8(random.below(7))
    }
    payload.replaceSubrange(at..<at + count, with: new)
    // The chunks behind it move, and its own digest is that of what it is now.
    let moved = tensors.enumerated().map { i, tensor -> JSON in
      Self.with(tensor, "chunks") { chunks in
        .array(
          (chunks.array ?? []).enumerated().map { j, chunk in
            guard var f = chunk.array, f.count == 5, let offset = f[1].small else { return chunk }
            if i == t, j == c {
              f[2] = JSON(new.count)
              f[4] = .string(SHA256Hasher.hash(new).hex)
            } else if offset > at {
              f[1] = JSON(max(0, offset + new.count - count))
            }
            return .array(f)
          })
      }
    }
    // Those of an adapter are behind all others.
    let adapter = json["adapter"]?.array.map { list in
      JSON.array(
        list.map { tensor in
          Self.with(tensor, "chunks") { chunks in
            .array(
              (chunks.array ?? []).map { chunk in
                guard var f = chunk.array, f.count == 5, let offset = f[1].small else { return chunk }
                f[1] = JSON(max(0, offset + new.count - count))
                return .array(f)
              })
          }
        })
    }
    let placed = Self.with(json, "adapter") { adapter ?? $0 }
    header = Self.with(Self.with(placed, "tensors") { _ in .array(moved) }, "payload") { _ in JSON(payload.count) }
      .canonical()
  }

  mutating func changeAnnex(_ random: inout StructuredMutator) {
    guard random.below(4) > 0, annex.count >= 4 else {
      annex = random.bytes(annex)
      return
    }
    let length = annex[..<4].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    guard length <= annex.count - 4 else { return }
    var manifest = Array(annex[4..<4 + length])
    var blobs = Array(annex[(4 + length)...])
    if random.below(2) == 0 {
      manifest = random.json(manifest)
    } else if let json = try? JSON.parse(manifest), let list = json["blobs"]?.array, !list.isEmpty {
      // One blob changed, its digest right.
      let n = random.below(list.count)
      let start = list[..<n].reduce(0) { $0 + ($1["length"]?.small ?? 0) }
      let count = list[n]["length"]?.small ?? 0
      if start + count <= blobs.count {
        let blob = random.json(Array(blobs[start..<start + count]))
        blobs.replaceSubrange(start..<start + count, with: blob)
        var entries = list
        entries[n] = .dictionary(["length": JSON(blob.count), "sha256": .string(SHA256Hasher.hash(blob).hex)])
        manifest = Self.with(json, "blobs") { _ in .array(entries) }.canonical()
      }
    }
    annex = withUnsafeBytes(of: UInt32(manifest.count).littleEndian) { Array($0) } + manifest + blobs
  }

  private static func with(_ json: JSON, _ key: String, _ change: (JSON) -> JSON) -> JSON {
    guard let object = json.object else { return json }
    return .object(object.map { $0.key == key ? JSON.Member(key, change($0.value)) : $0 })
  }

  /// Roots and identity that fit the list, where it can be read.
  mutating func repairRoots() {
    guard let json = try? JSON.parse(header), let tensors = json["tensors"]?.array else { return }
    func prefixed(_ name: String) -> [UInt8] {
      withUnsafeBytes(of: UInt32(name.utf8.count).littleEndian) { Array($0) } + Array(name.utf8)
    }
    func digest(_ tensor: JSON, _ side: String) -> ContentDigest? {
      tensor[side]?["fingerprint"]?.string.flatMap(ContentDigest.init(hex:))
    }
    func root(_ side: String) -> ContentDigest {
      ContentDigest.root(
        of: tensors.compactMap { tensor in
          let from = tensor["op"]?.string == "same" ? "base" : side
          guard let name = tensor["name"]?.string, let d = digest(tensor, from) else { return nil }
          return (name, d)
        })
    }
    let codes = ["change": "c", "rows": "r", "add": "a", "remove": "d", "replace": "x"]
    let (base, target) = (root("base"), root("target"))
    let hasher = SHA256Hasher()
    hasher.update("vpatch.identity.1\n")
    hasher.update(base.bytes + target.bytes)
    for tensor in tensors {
      guard let code = tensor["op"]?.string.flatMap({ codes[$0] }), let name = tensor["name"]?.string else { continue }
      hasher.update(Array(code.utf8) + prefixed(name))
      hasher.update((digest(tensor, "base") ?? .zero).bytes + (digest(tensor, "target") ?? .zero).bytes)
    }
    let identity = hasher.finalize()
    var fixed = Self.with(json, "base") { _ in .string(base.hex) }
    fixed = Self.with(fixed, "target") { _ in .string(target.hex) }
    header = Self.with(fixed, "identity") { _ in .string(identity.hex) }.canonical()
  }

  func assembled(repairing: Bool) -> [UInt8] {
    func compress(_ bytes: [UInt8]) -> [UInt8] {
      bytes.withUnsafeBytes { Zstd.compress($0, level: 1, windowLog: 20) }
    }
    func u64(_ n: Int) -> [UInt8] { withUnsafeBytes(of: UInt64(n).littleEndian) { Array($0) } }
    let annexFrame = compress(annex)
    var text = header
    if repairing, let json = try? JSON.parse(header) {
      text = Self.with(json, "annex") { _ in
        .dictionary([
          "decoded": JSON(annex.count), "sha256": .string(SHA256Hasher.hash(annexFrame).hex),
          "stored": JSON(annexFrame.count),
        ])
      }.canonical()
    }
    let stored = compress(text)
    var head = preamble
    if repairing, head.count == 64 { head.replaceSubrange(40..<56, with: u64(stored.count) + u64(text.count)) }
    head += SHA256Hasher.hash(stored).bytes
    return head + SHA256Hasher.hash(head).bytes + stored + payload + annexFrame + u64(annotations.count) + u64(0)
      + SHA256Hasher.hash(annotations).bytes + annotations
  }
}

extension JSON {
  /// A number that sums of some of them cannot overflow.
  fileprivate var small: Int? { int.flatMap { $0 <= 1 << 32 ? $0 : nil } }
}
