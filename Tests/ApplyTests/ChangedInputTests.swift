import Foundation
import PatchFormat
import Synchronization
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

/// An input that changes between its two readings: the patch is right, or there is none.
@Suite("Inputs that change while they are read") struct ChangedInputTests {
  /// Calls something once, at the n-th report of progress.
  private static func atReport(_ n: Int, threads: Int, _ body: @escaping @Sendable () -> Void) -> WorkOptions {
    let reports = Mutex(0)
    return WorkOptions(
      threads: threads,
      progress: WorkProgress { _, _, _ in
        let isNow = reports.withLock { reports in
          reports += 1
          return reports - 1 == n
        }
        if isNow { body() }
      })
  }

  /// Another byte at a place of a file, and the times as they were: as a program does that maps the file.
  private static func change(_ path: String, at offset: Int, keepingTimes: Bool) {
    let file = open(path, O_RDWR)
    defer { close(file) }
    var status = stat()
    fstat(file, &status)
    var byte: UInt8 = 0
    pread(file, &byte, 1, off_t(offset))
    byte ^= 0x21
    pwrite(file, &byte, 1, off_t(offset))
    if keepingTimes { futimens(file, [status.st_atim, status.st_mtim]) }
  }

  /// The clock of a file system is coarse: a test's files must not be as young as what changes them.
  private static func age(_ path: String) {
    let then = timespec(tv_sec: 1_700_000_000, tv_nsec: 0)
    utimensat(AT_FDCWD, path, [then, then], 0)
  }

  private static let base = TestModel.llama(layers: 1)
  private static let tuned = base.tuned(TestModel.attention)

  /// Where the bytes of tensors lie in a file: those of all, or of the touched ones alone.
  private static func places(_ path: String, touched: Bool) throws -> [Range<Int>] {
    let checkpoint = try SafetensorsCheckpoint(path: path)
    return checkpoint.tensors.compactMap { tensor in
      let isTouched = base[tensor.name] != tuned[tensor.name]
      return isTouched || !touched ? tensor.offset..<tensor.offset + tensor.info.byteCount : nil
    }
  }

  /// Whether a patch makes a model out of one of these, whole, and gives it back.
  private static func expectRight(_ patch: String, of bases: [String], in folder: TestFolder, _ what: String) throws {
    let patch = try Patch(path: patch)
    let work = WorkOptions(threads: 1)
    for base in bases {
      let (there, back) = (folder["there"], folder["back"])
      for path in [there, back] { unlink(path) }
      do {
        _ = try Rebuild(SafetensorsCheckpoint(path: base), [PatchStep(patch, .forward)], work).write(
          to: there, full: true)
        _ = try Rebuild(SafetensorsCheckpoint(path: there), [PatchStep(patch, .backward)], work).write(
          to: back, full: true)
      } catch { continue }
      #expect(try folder.bytes("back") == InputFile.contents(of: base, limit: 1 << 30), "\(what)")
      return
    }
    Issue.record("a patch that goes nowhere: \(what)")
  }

  @Test("create: any byte of either side, at any moment", arguments: [1, 3], [false, true])
  func create(threads: Int, keepingTimes: Bool) throws {
    let folder = try TestFolder()
    var random = TestRandom(UInt64(threads))
    var (refused, made) = (0, 0)
    for name in ["base", "tuned"] {
      for n in 0... {
        try folder.file("base", Self.base)
        try folder.file("tuned", Self.tuned)
        try folder.file("before", Self.base)
        for file in ["base", "tuned"] { Self.age(folder[file]) }
        // Where the times do not tell, what is encoded is compared; what is not touched is read but once.
        let places = try Self.places(folder[name], touched: keepingTimes)
        let place = places[Int(random.next() % UInt64(places.count))]
        let offset = place.lowerBound + Int(random.next() % UInt64(place.count))
        let path = folder[name]
        let hasRun = Mutex(false)
        let what = "byte \(offset) of \(name) at report \(n)"
        let work = Self.atReport(n, threads: threads) {
          hasRun.withLock { $0 = true }
          Self.change(path, at: offset, keepingTimes: keepingTimes)
        }
        unlink(folder["p.vpatch"])
        do {
          let (base, tuned) = (
            try SafetensorsCheckpoint(path: folder["base"]), try SafetensorsCheckpoint(path: folder["tuned"])
          )
          _ = try Create(base: base, tuned: tuned, options: CreateOptions(), work: work).write(to: folder["p.vpatch"])
          try Self.expectRight(folder["p.vpatch"], of: [folder["before"], folder["base"]], in: folder, what)
          made += 1
        } catch let error as VPatchError {
          #expect(error.code == .io && error.subject == path, "\(what): \(error)")
          #expect(error.reason.hasPrefix("was changed while it was read"), "\(error)")
          #expect(!folder.exists("p.vpatch"))
          refused += 1
        }
        // Until all moments have been tried that there are.
        if !hasRun.withLock({ $0 }) { break }
      }
    }
    #expect(refused > 10 && made > 0)
  }

  /// A tensor of which a byte is another from the n-th reading of either side on, or that cannot be read then.
  private final class ChangingTensor: TensorSource {
    final class Clock: Sendable {
      let readings = Atomic(0)
      let when: Int
      let fails: Bool
      init(_ when: Int, fails: Bool = false) { (self.when, self.fails) = (when, fails) }
    }
    struct Failure: Error {}
    let info: TensorInfo
    private let bytes: [UInt8]
    private let place: Int?
    private let moment: Clock

    init(_ tensor: TestTensor, changing place: Int?, _ moment: Clock) {
      (info, bytes, self.place, self.moment) = (tensor.info, tensor.bytes, place, moment)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
      let isNow = moment.readings.wrappingAdd(1, ordering: .relaxed).oldValue >= moment.when
      if isNow, moment.fails { throw Failure() }
      buffer.copyBytes(from: bytes[offset..<offset + buffer.count])
      if let place, isNow, (offset..<offset + buffer.count).contains(place) { buffer[place - offset] ^= 0x21 }
    }
  }

  /// One tensor for each operation, of several chunks where it has rows enough.
  private static let pairs: [(TestTensor?, TestTensor?)] = [
    (.weights("change", [48, 32]), .weights("change", [48, 32]).tuned()),
    (.weights("replace", [20, 32]), .f32("replace", [33, 7], [Float](repeating: 0.5, count: 231))),
    (.weights("rows", [40, 32]), .weights("rows", [56, 32])),
    (nil, .weights("add", [36, 32])), (.weights("remove", [36, 32]), nil),
  ]

  private static func build(
    _ pair: (TestTensor?, TestTensor?), baseByte: Int?, targetByte: Int?, _ moment: ChangingTensor.Clock, threads: Int,
    to path: String
  ) throws {
    let (base, target) = pair
    func print(_ tensor: TestTensor?) throws -> FingerprintedTensor? {
      try tensor.map { FingerprintedTensor($0.info, try ChangingTensor($0, changing: nil, .init(.max)).fingerprint()) }
    }
    let tensor = PatchBuilder.Tensor(
      base: try print(base), target: try print(target),
      content: .encoded(
        base: { base.map { ChangingTensor($0, changing: baseByte, moment) } },
        target: { target.map { ChangingTensor($0, changing: targetByte, moment) } }))
    let writer = try PatchWriter(path: path)
    let builder = PatchBuilder(base: "BASE", target: "TUNED", work: WorkOptions(threads: threads), chunkSize: 512)
    _ = try builder.entries([tensor], writer)
  }

  @Test("what is encoded is what was fingerprinted: every operation, chunk and moment", arguments: [1, 4])
  func everyChunk(threads: Int) throws {
    let folder = try TestFolder()
    for pair in Self.pairs {
      for isBase in [true, false] {
        guard let side = isBase ? pair.0 : pair.1 else { continue }
        for place in [0, 511, 512, side.bytes.count / 2, side.bytes.count - 1] {
          // Of threads it depends which piece is read before that moment; at moment 0 none is.
          for when in [0, 1, 3, 9, Int.max] {
            let moment = ChangingTensor.Clock(when)
            let what = "\(side.name), \(isBase ? "base" : "tuned") byte \(place) at reading \(when)"
            do {
              try Self.build(
                pair, baseByte: isBase ? place : nil, targetByte: isBase ? nil : place, moment, threads: threads,
                to: folder["p"])
              #expect(when != 0, "\(what)")
            } catch let error as VPatchError {
              #expect(error.code == .io && error.subject == (isBase ? "BASE" : "TUNED"), "\(what): \(error)")
              #expect(when != .max, "\(what)")
            }
          }
        }
      }
    }
  }

  @Test("a piece that cannot be read lets those go that wait for it", arguments: [1, 2, 8]) func failure(threads: Int)
    throws
  {
    let folder = try TestFolder()
    for pair in Self.pairs {
      for when in 0..<8 {
        let moment = ChangingTensor.Clock(when, fails: true)
        do {
          try Self.build(pair, baseByte: nil, targetByte: nil, moment, threads: threads, to: folder["p"])
          #expect(moment.readings.load(ordering: .relaxed) <= when)
        } catch {
          #expect(error is ChangingTensor.Failure)
        }
      }
    }
  }

  @Test("rebase, squash and training, too", arguments: [1, 2]) func others(threads: Int) throws {
    let folder = try TestFolder()
    let (path, again) = (folder["base"], Self.base.tuned(TestModel.attention, seed: 7))
    try folder.file("base", Self.base)
    try folder.file("tuned", Self.tuned)
    try folder.file("twice", Self.tuned.tuned(TestModel.attention, seed: 3))
    try folder.file("other", again)
    func create(_ base: String, _ tuned: String, _ name: String) throws -> Patch {
      let (base, tuned) = (
        try SafetensorsCheckpoint(path: folder[base]), try SafetensorsCheckpoint(path: folder[tuned])
      )
      _ = try Create(base: base, tuned: tuned, options: CreateOptions(), work: WorkOptions(threads: 1))
        .write(to: folder[name], replacing: true)
      return try Patch(path: folder[name])
    }
    let (first, second) = (try create("base", "tuned", "1.vpatch"), try create("tuned", "twice", "2.vpatch"))
    let ways: [(String, (WorkOptions) throws -> Void)] = [
      (
        "rebase",
        { work in
          let (old, new) = (try SafetensorsCheckpoint(path: folder["other"]), try SafetensorsCheckpoint(path: path))
          _ = try Rebase(create("other", "twice", "3.vpatch"), from: old, onto: new, work)
            .write(to: folder["p"], name: nil)
        }
      ),
      (
        "squash",
        { work in
          _ = try Squash([first, second], base: SafetensorsCheckpoint(path: path), work).write(
            to: folder["p"], name: nil, note: nil)
        }
      ),
      (
        "train",
        { work in
          let tensors = TunedTensors(base: ModelView(try SafetensorsCheckpoint(path: path)), work: work)
          let prints = try tensors.fingerprints()
          let changes = Self.tuned.filter { $0 != Self.base[$0.name] }.map { tensor in
            TunedTensors.Change(name: tensor.name) { ChangingTensor(tensor, changing: nil, .init(.max)) }
          }
          _ = try tensors.write(changes, over: prints, annotations: .object([]), recipe: nil, to: folder["p"])
        }
      ),
    ]
    for (name, way) in ways {
      var refused = 0
      for n in 0... {
        try folder.file("base", Self.base)
        unlink(folder["p"])
        let places = try Self.places(path, touched: true)
        let place = places[n % places.count]
        let hasRun = Mutex(false)
        let work = Self.atReport(n, threads: threads) {
          hasRun.withLock { $0 = true }
          Self.change(path, at: place.lowerBound + n, keepingTimes: true)
        }
        do {
          try way(work)
          try folder.file("before", Self.base)
          try Self.expectRight(folder["p"], of: [folder["before"], path], in: folder, "\(name) at report \(n)")
        } catch let error as VPatchError {
          // Where the base is verified first, it is no longer that base.
          #expect([.io, .wrongBase, .mismatch].contains(error.code), "\(name): \(error)")
          #expect(!folder.exists("p"))
          refused += 1
        }
        if !hasRun.withLock({ $0 }) { break }
      }
      #expect(refused > 0, "\(name)")
    }
  }
}
