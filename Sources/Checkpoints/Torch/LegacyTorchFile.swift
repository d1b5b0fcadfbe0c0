// What torch.save wrote before PyTorch 1.6, and writes with _use_new_zipfile_serialization=False:
//
//   pickle   the number 0x1950a86a20f9469cfc6c
//   pickle   the version of the protocol: 1001
//   pickle   {"protocol_version": 1001, "little_endian": bool, "type_sizes": {…}}
//   pickle   the object
//   pickle   the keys of its storages, a list
//   for each key in this order: u64 number of elements, then the elements

import Base

enum LegacyTorchFile {
  /// The first pickle, without its end.
  private static let start: [UInt8] = [
    0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
  ]

  static func isOne(_ file: InputFile) throws -> Bool {
    guard file.size >= start.count else { return false }
    return try file.read(0..<start.count) == start
  }

  static func read(_ file: InputFile) throws -> (PickleValue, (TorchTensor) throws -> CheckedBytes) {
    let (value, keys, end) = try pickles(of: file)
    let storages = try storages(of: value, keys, from: end, in: file)
    return (
      value,
      { tensor in
        guard let range = storages[tensor.storage], range.count == tensor.storageBytes else {
          throw invalid(file, "a tensor's storage is missing, or has another length")
        }
        return CheckedBytes(file, range, crc: 0)
      }
    )
  }

  private static func invalid(_ file: InputFile, _ reason: String) -> VPatchError {
    VPatchError(
      .invalid, file.path, "is not a valid file of torch.save: \(reason)", remedy: "copy it again, or save it again")
  }

  /// The object, the keys of its storages, and where these begin.
  private static func pickles(of file: InputFile) throws -> (PickleValue, [String], Int) {
    // The pickles are small, and how long they are is known only when they are read.
    var count = min(file.size, 1 << 20)
    while true {
      do { return try pickles(try file.read(0..<count), file) } catch let error as PickleError {
        guard error == .ended, count < min(file.size, TorchFile.pickleLimit) else { throw TorchFile.error(error, file) }
        count = min(file.size, count * 8, TorchFile.pickleLimit)
      }
    }
  }

  private static func pickles(_ bytes: [UInt8], _ file: InputFile) throws -> (PickleValue, [String], Int) {
    try bytes.withUnsafeBytes { bytes in
      var position = start.count
      func next() throws(PickleError) -> PickleValue {
        var machine = PickleMachine(bytes, at: position, knowing: TorchTensor.globals)
        let value = try machine.run()
        position = machine.position
        return value
      }
      let (version, system) = (try next(), try next())
      guard version.int == 1001, let facts = system.dictionary else { throw invalid(file, "its version is unknown") }
      guard facts.contains(where: { $0.key.string == "little_endian" && $0.value.bool == true }) else {
        throw VPatchError(
          .refused, file.path, "was written by a big-endian machine",
          remedy: "load and save it with PyTorch on this machine: torch.save(torch.load(path), path)")
      }
      let (value, keys) = (try next(), try next())
      guard let list = keys.list?.map(\.string) else { throw invalid(file, "it has no list of storages") }
      let names = list.compactMap(\.self)
      guard names.count == list.count, Set(names).count == names.count else {
        throw invalid(file, "its list of storages is damaged")
      }
      return (value, names, position)
    }
  }

  /// Where each storage's bytes are.
  private static func storages(
    of value: PickleValue, _ keys: [String], from start: Int, in file: InputFile
  ) throws -> [String: Range<Int>] {
    let widths = try widths(of: value, file)
    var (position, ranges) = (start, [String: Range<Int>]())
    for key in keys {
      guard let width = widths[key], position + 8 <= file.size else {
        throw invalid(file, "a storage is missing: was it cut short?")
      }
      let count = try file.read(position..<position + 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      position += 8
      guard count <= (file.size - position) / width else {
        throw invalid(file, "a storage reaches beyond its end: was it cut short?")
      }
      ranges[key] = position..<position + Int(count) * width
      position += Int(count) * width
    }
    guard position == file.size else { throw invalid(file, "\(file.size - position) bytes follow its last storage") }
    return ranges
  }

  /// Bytes per element of each storage.
  private static func widths(of value: PickleValue, _ file: InputFile) throws -> [String: Int] {
    var widths: [String: Int] = [:]
    for stored in value.allPersistent.compactMap(\.tuple) where stored.count >= 3 && stored[0].string == "storage" {
      guard let type = stored[1].global, let key = stored[2].string else { continue }
      let width = type == TorchDType.untypedStorage ? 1 : TorchDType.storages[type.name].map { $0.bitsPerElement / 8 }
      guard let width, widths.updateValue(width, forKey: key) ?? width == width else {
        throw invalid(file, "a storage has several dtypes, or one that is not known")
      }
    }
    return widths
  }
}
