import Foundation
import TestModels
import Testing

/// A fault at calls that change a file: what `recover` leaves is the old model or the new one, whole, with its
/// provenance, and nothing besides. With `FAULTS=all` at every one: the counts that these print then stand in
/// docs/design/in-place.md.
@Suite("Faults in place") struct InPlaceFaultTests {
  enum Way: String, CaseIterable, Sendable { case forward, backward, byRename }

  static let ways: [(Switched.Form, Way)] = [
    (.file, .forward), (.directory, .forward), (.directory, .backward), (.file, .byRename), (.layout, .byRename),
  ]

  @Test("a failure or a kill at a call of a switch that changes something", arguments: ways) func changes(
    form: Switched.Form, way: Way
  ) throws {
    let switched = try Switched(form)
    let (count, complaints) = try FaultRun.everywhere(stride: 3) { folder in
      try Self.lay(switched, way, folder)
    } check: { folder, fault, run in
      try Self.complaint(switched, way, folder, fault, run)
    }
    print("faults: \(form.rawValue) \(way.rawValue): \(count)")
    #expect(count > 20)
    #expect(complaints == [])
  }

  @Test("a look that fails, of a switch", arguments: ways) func looks(
    form: Switched.Form, way: Way
  ) throws {
    let switched = try Switched(form)
    let (count, complaints) = try FaultRun.everywhere(.looks, stride: 19) { folder in
      try Self.lay(switched, way, folder)
    } check: { folder, fault, run in
      try Self.complaint(switched, way, folder, fault, run)
    }
    print("faults: \(form.rawValue) \(way.rawValue), looks: \(count)")
    #expect(count > 8)
    #expect(complaints == [])
  }

  /// Lays a model out, and gives the arguments of the command that changes it.
  private static func lay(_ switched: Switched, _ way: Way, _ folder: TestFolder) throws -> [String] {
    switch way {
    case .forward: try switched.forward(folder)
    case .backward: try switched.backward(folder)
    case .byRename: try switched.forward(folder) + (switched.form == .layout ? [] : ["--by-rename"])
    }
  }

  /// What is not as it must be after a fault; nil where all is.
  private static func complaint(_ switched: Switched, _ way: Way, _ folder: TestFolder, _ fault: Fault, _ run: Command)
    throws -> String?
  {
    let (before, after) = way == .backward ? (switched.new, switched.reverted) : (switched.old, switched.new)
    let isDecided = run.errors.contains("run 'vpatch recover")
    if !fault.mode.isKill {
      if run.code == 0 {
        guard try folder.tree(".") == after else { return "it claims to be done" }
      } else if !isDecided, fault.mode != .eioOn {
        guard try folder.tree(".") == before else { return "it claims that nothing was done: \(run.errors)" }
      }
      guard run.code == 0 || run.errors.split(separator: "\n").count == 1 else { return run.errors }
    }
    let outcome = try switched.recovered(folder)
    let tree = try folder.tree(".")
    guard tree == before || tree == after else { return "neither old nor new: \(try switched.names(folder))" }
    if isDecided, tree != after { return "it was decided, and is the old one" }
    if !fault.mode.isKill, run.code != 0, !isDecided, tree != before {
      return "it was not decided, and is the new one"
    }
    if outcome == .new, tree != after { return "recover says new" }
    if outcome == .old, tree != before { return "recover says old" }
    return nil
  }

  @Test("a failure or a kill at a call of recover", arguments: [Switched.Form.directory, .layout])
  func recovery(form: Switched.Form) throws {
    let switched = try Switched(form)
    let call = try Self.decision(switched)
    let prepare: @Sendable (TestFolder) throws -> [String] = { try Self.decided(switched, $0, at: call) }
    let (count, complaints) = try FaultRun.everywhere(stride: 2, prepare: prepare) { folder, fault, run in
      if run.code == 0 { return try switched.isNew(folder) ? nil : "it claims to be done" }
      _ = try switched.recovered(folder)
      return try switched.isNew(folder) ? nil : "not the new one: \(try switched.names(folder))"
    }
    print("faults: \(form.rawValue) recover: \(count)")
    #expect(count > 15)
    #expect(complaints == [])
  }

  /// Which call of a switch gives the journal its name, from 1.
  private static func decision(_ switched: Switched) throws -> Int {
    let folder = try TestFolder()
    let calls = try FaultRun.log(in: folder, switched.forward(folder))
    return calls.firstIndex { $0.hasPrefix("rename") && $0.hasSuffix(".vpatch-journal") }! + 1
  }

  /// A switch that was killed right after its decision; the arguments of the command that finishes it.
  static func decided(_ switched: Switched, _ folder: TestFolder, at call: Int? = nil) throws -> [String] {
    let run = try FaultRun.run(in: folder, switched.forward(folder), .killAfter, at: call ?? decision(switched))
    precondition(run.code == SIGKILL)
    return ["recover", switched.model(in: folder)]
  }

  @Test("a power cut after every call, with any part of what was not yet durable", arguments: ways) func powerCut(
    form: Switched.Form, way: Way
  ) throws {
    let switched = try Switched(form)
    let folder = try TestFolder()
    let arguments = try way == .backward ? switched.backward(folder) : switched.forward(folder)
    let (before, after) = way == .backward ? (switched.new, switched.reverted) : (switched.old, switched.new)
    let more = way == .byRename && form != .layout ? ["--by-rename"] : []
    // The links are the simulation's own, which keeps the files alive.
    let cut = try PowerCut(folder, arguments + ["--allow-links"] + more)
    let decision = try #require(
      cut.calls.firstIndex { $0.hasPrefix("rename") && $0.hasSuffix(".vpatch-journal") })
    var random = TestRandom(7)
    var count = 0
    for call in 0...cut.calls.count {
      for _ in 0..<(FaultRun.isThorough ? 4 : call > decision ? 2 : 1) {
        try cut.cut(after: call, &random)
        let left = try switched.names(folder)
        let name = "after \(call) calls, of: \(left)"
        let recovery = try switched.recover(folder)
        #expect(recovery.code == 0, "\(name): \(recovery.errors)")
        count += 1
        let tree = try folder.tree(".")
        // Until the journal has its name the old one; from when the folder knows it for sure the new one.
        let isRight =
          call <= decision ? tree == before : call > decision + 1 ? tree == after : [before, after].contains(tree)
        #expect(isRight, "\(name)")
      }
    }
    print("power cuts: \(form.rawValue) \(way.rawValue): \(count)")
  }

  @Test("a power cut after every call of recover", arguments: [Switched.Form.directory, .layout])
  func powerCutOfRecovery(form: Switched.Form) throws {
    let switched = try Switched(form)
    let folder = try TestFolder()
    let cut = try PowerCut(folder, Self.decided(switched, folder))
    var random = TestRandom(8)
    var count = 0
    for call in 0...cut.calls.count {
      for _ in 0..<(FaultRun.isThorough ? 4 : 1) {
        try cut.cut(after: call, &random)
        let left = try switched.names(folder)
        let recovery = try switched.recover(folder)
        #expect(recovery.code == 0, "after \(call) calls, of: \(left): \(recovery.errors)")
        #expect(try switched.isNew(folder), "after \(call) calls, of: \(left)")
        count += 1
      }
    }
    print("power cuts: \(form.rawValue) recover: \(count)")
  }

  @Test("the order of events", arguments: [Switched.Form.file, .directory]) func order(form: Switched.Form) throws {
    let switched = try Switched(form)
    let folder = try TestFolder()
    let calls = try FaultRun.log(in: folder, switched.forward(folder)).map { $0.split(separator: " ").map(String.init) }
    func all(_ isMeant: ([String]) -> Bool) -> [Int] { calls.indices.filter { isMeant(calls[$0]) } }
    func isModel(_ name: String) -> Bool { name.hasPrefix("model") && name.hasSuffix(".safetensors") }

    let decision = try #require(all { $0[0] == "rename" && $0[2].hasSuffix(".vpatch-journal") }.first)
    let end = try #require(all { $0[0] == "unlink" && $0[1].hasSuffix(".vpatch-journal") }.first)
    let writes = all { $0[0] == "write" && isModel($0[1]) }
    let renames = all { $0[0] == "rename" }.filter { $0 != decision }
    let folderSyncs = all { $0 == ["fsync", "."] }
    // The journal, and the names of the files it speaks of, are durable before it has its name, and its name before the model's first byte changes.
    #expect(calls[decision - 2] == ["fsync", calls[decision][1]])
    #expect(calls[decision - 1] == ["fsync", "."])
    #expect(calls[decision + 1] == ["fsync", "."])
    #expect(all { $0[0] == "write" && $0[1] == calls[decision][1] }.allSatisfy { $0 < decision })
    #expect(writes.count == 2 && writes.allSatisfy { $0 > decision + 1 })
    // So are the files that get their names.
    for i in renames {
      #expect(all { $0[0] == "write" && $0[1] == calls[i][1] }.allSatisfy { $0 < decision })
      #expect(all { $0 == ["fsync", calls[i][1]] }.contains { $0 < decision })
      #expect(i > decision)
    }
    // The journal goes when every file is durable after its last write, and the folder after its last rename.
    for i in writes {
      let syncs = all { $0 == ["fsync", calls[i][1]] }
      #expect(syncs.count == 1, "few fsyncs: each costs a wait for the disk")
      #expect(syncs.contains { i < $0 && $0 < end })
    }
    #expect(folderSyncs.contains { renames.max()! < $0 && $0 < end })
    #expect(folderSyncs.contains { end < $0 })
    #expect(folderSyncs.count == 4)
  }
}
