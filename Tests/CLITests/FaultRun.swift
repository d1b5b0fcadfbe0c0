import Dispatch
import Foundation
import Synchronization
import TestModels

/// What goes wrong at one of the calls that change or look at files (Tests/Faults/faults.c).
enum FaultMode: String, CaseIterable, Sendable {
  case eio, enospc, eintr, eacces, emfile, erofs
  /// Half of a read or a write, as the kernel may do at any time.
  case short
  /// From that call on every one fails: a disk that is gone.
  case eioOn = "eio-on"
  case killBefore = "kill-before"
  /// After half of a write.
  case killHalf = "kill-half"
  case killAfter = "kill-after"
  /// The process gets a signal just before the call, and makes it if it still lives.
  case int, term, hup

  var isKill: Bool { rawValue.hasPrefix("kill") }

  /// Those that a call which changes files is failed with.
  private static let ofChanges: [FaultMode] = [.eio, .enospc, .eioOn, .killBefore, .killHalf, .killAfter]

  /// Those that differ from others at a call. The state after a call is that before the next, so being killed after
  /// one is told apart only at the last; only writes can be done by half; only what takes space finds a disk full.
  /// SQLite takes a failure of any kind for the same, and goes on or not; its own files get one failure and one kill.
  static func telling(_ call: String, isLast: Bool) -> [FaultMode] {
    let isWrite = call.hasPrefix("write ")
    if call.contains("/catalogue.sqlite"), !isLast { return [.eio, isWrite ? .killHalf : .killBefore] }
    return ofChanges.filter { mode in
      switch mode {
      case .enospc: ["write", "create", "allocate", "mkdir", "link"].contains { call.hasPrefix($0) }
      case .killHalf: isWrite
      case .killAfter: isLast
      default: true
      }
    }
  }

  /// Those that a call which looks at a file is failed with. A look that is killed is the kill before the next change.
  static func looking(_ call: String) -> [FaultMode] {
    switch call.prefix(while: { $0 != " " }) {
    case "read": [.eio, .eintr, .short]
    case "open": [.eio, .eacces, .eintr, .emfile]
    case "opendir": [.eio, .eacces, .emfile]
    case "lock": [.eio, .eintr]
    default: [.eio, .eacces]
    }
  }
}

/// Which calls are counted: all of a kind, or those of a name.
struct FaultCalls: Sendable, Equatable, ExpressibleByStringLiteral {
  static let changes: FaultCalls = "changes"
  static let looks: FaultCalls = "looks"

  let names: String
  init(stringLiteral names: String) { self.names = names }
}

struct Fault: Sendable, CustomStringConvertible {
  let mode: FaultMode
  let calls: FaultCalls
  /// Which call, from 1.
  let at: Int
  /// That call, as the log has it.
  let call: String
  var description: String { "\(mode.rawValue) at call \(at), \(call)" }
}

/// The built command with libVPatchFaults loaded into it.
enum FaultRun {
  private static let library = URL(filePath: Command.path).deletingLastPathComponent().path + "/libVPatchFaults.so"

  /// `FAULTS=all swift test --filter FaultTests`: a fault at every call, which takes minutes.
  static let isThorough = ProcessInfo.processInfo.environment["FAULTS"] == "all"

  private static func environment(_ folder: TestFolder, _ more: [String: String]) -> [String: String] {
    precondition(FileManager.default.fileExists(atPath: library), "build the tests with swift build --build-tests")
    return [
      "LD_PRELOAD": library, "FAULT_ROOT": folder.path, "VPATCH_THREADS": "1", "SOURCE_DATE_EPOCH": "1",
    ].merging(more) { $1 }
  }

  /// What a command must find in its environment so that one of its calls goes wrong.
  static func environment(
    _ folder: TestFolder, _ mode: FaultMode, at call: Int, of counted: FaultCalls = .changes, below name: String? = nil
  ) -> [String: String] {
    var plan = ["FAULT_AT": "\(call)", "FAULT_MODE": mode.rawValue, "FAULT_CALLS": counted.names]
    if let name { plan["FAULT_ROOT"] = folder[name] }
    // A signal is handled by another thread: the call that it comes at waits for that.
    if [.int, .term, .hup].contains(mode) { plan["FAULT_DELAY"] = "1000000" }
    return environment(folder, plan)
  }

  /// Runs the command without a fault.
  /// - Parameters:
  ///   - data: a file outside of the folder that gets the bytes of all writes, in their order.
  ///   - keep: a folder outside of the folder that gets a link to every file whose name goes.
  ///   - call: the one after which it is killed, from 1; nil for none.
  /// - Returns: the calls that changed or looked at files in the folder, in their order.
  static func log(
    in folder: TestFolder, _ arguments: [String], _ counted: FaultCalls = .changes, data: String? = nil,
    keep: String? = nil, killedAfter call: Int? = nil
  ) throws -> [String] {
    let outside = try TestFolder()
    var more = ["FAULT_LOG": outside["log"], "FAULT_CALLS": counted.names]
    more["FAULT_DATA"] = data
    more["FAULT_KEEP"] = keep
    if let call { more.merge(["FAULT_AT": "\(call)", "FAULT_MODE": FaultMode.killAfter.rawValue]) { $1 } }
    let run = try Command(Command.path, arguments, environment(folder, more))
    precondition(run.code == (call == nil ? 0 : SIGKILL), run.errors)
    return try outside.text("log").split(separator: "\n").map {
      String($0).replacing(folder.path + "/", with: "").replacing(folder.path, with: ".")
    }
  }

  /// Runs the command with a fault at one of its calls.
  /// - Parameter name: what the calls have to be below; nil for the folder.
  static func run(
    in folder: TestFolder, _ arguments: [String], _ mode: FaultMode, at call: Int, of counted: FaultCalls = .changes,
    below name: String? = nil
  ) throws -> Command {
    try Command(Command.path, arguments, environment(folder, mode, at: call, of: counted, below: name))
  }

  /// Runs a command once for each call that changes or looks at files in a folder and each mode of failing that tells
  /// something there, each time from the same beginning.
  /// - Parameters:
  ///   - counted: which calls.
  ///   - stride: only every so many-th of the faults, so that a test is quick; with `FAULTS=all` all of them.
  ///   - prepare: makes the state before in an empty folder, and gives the command's arguments.
  ///   - check: is given the folder as the command left it, and says what is wrong with it; nil for nothing.
  /// - Returns: how many faults there were, and what was wrong after which.
  static func everywhere(
    _ counted: FaultCalls = .changes, stride: Int = 1,
    prepare: @Sendable (TestFolder) throws -> [String],
    check: @Sendable (TestFolder, Fault, Command) throws -> String?
  ) throws -> (count: Int, complaints: [String]) {
    let folder = try TestFolder()
    let calls = try log(in: folder, prepare(folder), counted)
    let all = calls.indices.flatMap { i in
      let modes =
        counted == .looks ? FaultMode.looking(calls[i]) : FaultMode.telling(calls[i], isLast: i == calls.count - 1)
      return modes.map { Fault(mode: $0, calls: counted, at: i + 1, call: calls[i]) }
    }
    let faults = Swift.stride(from: 0, to: all.count, by: isThorough ? 1 : stride).map { all[$0] }
    let complaints = Mutex<[String]>([])
    let next = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 2) { _ in
      while true {
        let i = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard i < faults.count else { return }
        do {
          let folder = try TestFolder()
          let run = try self.run(in: folder, prepare(folder), faults[i].mode, at: faults[i].at, of: counted)
          if let complaint = try check(folder, faults[i], run) {
            complaints.withLock { $0.append("\(faults[i]): \(complaint)") }
          }
        } catch {
          complaints.withLock { $0.append("\(faults[i]): \(error)") }
        }
      }
    }
    return (faults.count, complaints.withLock { $0 })
  }
}
