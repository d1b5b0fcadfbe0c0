import Base
import Checkpoints
import Foundation
import Glibc
import Synchronization
import TestModels
import Testing

/// Models that are read while they are switched: nobody gets a mixture of two.
@Suite("Readers") struct ReaderTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func run(_ arguments: [String], _ more: String...) throws -> Command {
    try Command(Command.path, arguments + more)
  }

  /// Lets go of it after a while.
  private func release(_ checkpoint: SafetensorsCheckpoint, after seconds: Double) {
    DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { checkpoint.endReading() }
  }

  @Test("a switch in place waits for a reader, and says so when it takes too long; by rename it does not wait")
  func waits() throws {
    let switched = try Switched(.directory)
    let arguments = try switched.forward(folder)
    let reader = try SafetensorsCheckpoint(path: folder.path)
    let refused = try run(arguments)
    #expect(refused.code == 5)
    #expect(refused.says("is being read by another process", "try again", "--by-rename"), "\(refused.errors)")
    #expect(try switched.isOld(folder))
    release(reader, after: 0.5)
    #expect(try run(arguments).code == 0)
    #expect(try switched.isNew(folder))

    let second = try SafetensorsCheckpoint(path: folder.path)
    let bytes = try second.files.map { try $0.input.read(0..<$0.input.size) }
    #expect(try run(switched.backward(in: folder), "--by-rename").code == 0)
    #expect(try switched.isReverted(folder))
    // It has the files that it had, and knows that they are no longer the model's.
    #expect(try second.files.map { try $0.input.read(0..<$0.input.size) } == bytes)
    try second.requireSameBytes()
    #expect(throws: VPatchError.self) { try second.requireStillThere() }
  }

  @Test("a reader waits for a switch, before its decision and after it") func waitsForSwitch() throws {
    let switched = try Switched(.directory)
    _ = try switched.forward(folder)
    for name in ["model-00001-of-00002.safetensors", ".vpatch-journal"] {
      if name == ".vpatch-journal" { try folder.write(name, "in work") }
      let held = Mutex<InPlaceFile?>(try InPlaceFile(path: folder[name]))
      #expect(try held.withLock { try $0!.lock() })
      let started = try Command.start(Command.path, ["status", folder.path])
      usleep(400_000)
      #expect(started.process.isRunning)
      if name == ".vpatch-journal" { unlink(folder[name]) }
      held.withLock { $0 = nil }
      let run = try Command(ending: started)
      #expect(run.code == 0, "\(run.errors)")
    }
  }

  @Test("readers do not hinder each other, and nothing of a file that is read is written") func shared() throws {
    let switched = try Switched(.directory)
    _ = try switched.forward(folder)
    let readers = try (0..<3).map { _ in try SafetensorsCheckpoint(path: folder.path) }
    #expect(try Command("status", folder.path).code == 0)
    #expect(readers.allSatisfy { $0.tensors.count == 4 })
    #expect(try switched.isOld(folder))
  }

  @Test("where locks do not help, looking again does", arguments: Switched.Form.allCases) func looksAgain(
    form: Switched.Form
  ) throws {
    let switched = try Switched(form)
    _ = try switched.forward(folder)
    let path = form == .file ? folder["model.safetensors"] : folder.path
    let provenance = form == .file ? "model.safetensors.vpatch.json" : "vpatch.json"
    func changes(_ name: String, bytes: Bool = false, _ change: () throws -> Void) throws {
      let reader = try SafetensorsCheckpoint(path: path)
      try reader.requireStillThere()
      usleep(10_000)
      try change()
      #expect(throws: VPatchError.self, "\(name)") { try reader.requireStillThere() }
      if bytes { #expect(throws: VPatchError.self, "\(name)") { try reader.requireSameBytes() } }
    }
    for name in try folder.names() where name.hasSuffix(".safetensors") || name.hasSuffix("index.json") {
      try changes(name, bytes: name.hasSuffix(".safetensors")) {
        let handle = try FileHandle(forUpdating: URL(filePath: folder[name]))
        try handle.seekToEnd()
        try handle.seek(toOffset: handle.offset() - 1)
        let last = form == .file || name.hasSuffix(".safetensors") ? Data([0]) : Data("\n".utf8)
        try handle.write(contentsOf: last)
        try handle.close()
      }
      try changes(name) {
        let bytes = try folder.bytes(name)
        unlink(folder[name])
        try folder.write(name, bytes)
      }
    }
    try changes("the provenance comes") { try folder.write(provenance, "{}") }
    try changes("the provenance changes") {
      unlink(folder[provenance])
      try folder.write(provenance, "{ }")
    }
    try changes("the provenance goes") { unlink(folder[provenance]) }
    try changes("a journal comes") {
      try folder.write(form == .file ? "model.safetensors.vpatch-journal" : ".vpatch-journal", "")
    }
  }

  @Test("while a model is switched to and fro, in place and by rename, whoever reads it gets one of the two")
  func race() throws {
    let switched = try Switched(.directory)
    _ = try switched.forward(folder)
    let roots = try [switched.old, switched.new].map { tree in
      let other = try TestFolder()
      for (name, bytes) in tree { try other.write(name, bytes) }
      return try SafetensorsCheckpoint(path: other.path).tensorBytes()
    }
    let rounds = 6
    let isDone = Atomic<Bool>(false)
    let readings = Atomic<Int>(0)
    let complaints = Mutex<[String]>([])
    let group = DispatchGroup()
    DispatchQueue.global().async(group: group) {
      while !isDone.load(ordering: .relaxed) {
        do {
          let checkpoint = try SafetensorsCheckpoint(path: folder.path)
          let bytes = try checkpoint.tensorBytes()
          let provenance = try checkpoint.provenance?.contents(limit: 1 << 20)
          try checkpoint.requireSameBytes()
          readings.add(1, ordering: .relaxed)
          if !roots.contains(bytes) { complaints.withLock { $0.append("a mixture") } }
          if let provenance, let json = try? JSON.parse(provenance) {
            let isNew = json["patches"]?.array?.isEmpty == false
            if bytes != roots[isNew ? 1 : 0] { complaints.withLock { $0.append("another moment's provenance") } }
          }
        } catch {
          complaints.withLock { $0.append("\(error)") }
        }
        usleep(2000)
      }
    }
    for round in 0..<rounds {
      let arguments = round % 2 == 0 ? switched.forward(in: folder) : switched.backward(in: folder)
      let run = try run(arguments + (round % 3 == 0 ? ["--by-rename"] : []))
      #expect(run.code == 0, "\(run.errors)")
    }
    isDone.store(true, ordering: .relaxed)
    group.wait()
    #expect(complaints.withLock { $0 } == [])
    #expect(readings.load(ordering: .relaxed) > 0)
  }
}

extension SafetensorsCheckpoint {
  fileprivate func tensorBytes() throws -> [[UInt8]] {
    try tensors.map { tensor in
      let file = files[tensor.file].input
      return try file.read(tensor.offset..<tensor.offset + tensor.info.byteCount)
    }
  }
}
