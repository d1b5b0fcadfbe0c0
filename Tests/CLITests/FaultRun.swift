import Dispatch
import Foundation
import Synchronization
import TestModels

/// What goes wrong at one of the calls that change files (Tests/Faults/faults.c).
enum FaultMode: String, CaseIterable, Sendable {
  case eio, enospc
  /// From that call on every one fails: a disk that is gone.
  case eioOn = "eio-on"
  case killBefore = "kill-before"
  /// After half of a write.
  case killHalf = "kill-half"
  case killAfter = "kill-after"

  var isKill: Bool { rawValue.hasPrefix("kill") }

  /// Those that differ from others at a call. The state after a call is that before the next, so being killed after
  /// one is told apart only at the last; only writes can be done by half; only what takes space finds a disk full.
  /// SQLite takes a failure of any kind for the same, and goes on or not; its own files get one failure and one kill.
  static func telling(_ call: String, isLast: Bool) -> [FaultMode] {
    let isWrite = call.hasPrefix("write ")
    if call.contains("/catalogue.sqlite"), !isLast { return [.eio, isWrite ? .killHalf : .killBefore] }
    return allCases.filter { mode in
      switch mode {
      case .enospc: ["write", "create", "allocate", "mkdir", "link"].contains { call.hasPrefix($0) }
      case .killHalf: isWrite
      case .killAfter: isLast
      default: true
      }
    }
  }
}

struct Fault: Sendable, CustomStringConvertible {
  let mode: FaultMode
  /// Which call, from 1.
  let at: Int
  /// That call, as the log has it.
  let call: String
  var description: String { "\(mode.rawValue) at call \(at), \(call)" }
}

/// The built command with libVPatchFaults loaded into it.
enum FaultRun {
  private static let library = URL(filePath: Command.path).deletingLastPathComponent().path + "/libVPatchFaults.so"

  private static func environment(_ folder: TestFolder, _ more: [String: String]) -> [String: String] {
    precondition(FileManager.default.fileExists(atPath: library), "build the tests with swift build --build-tests")
    return [
      "LD_PRELOAD": library, "FAULT_ROOT": folder.path, "VPATCH_THREADS": "1", "SOURCE_DATE_EPOCH": "1",
    ].merging(more) { $1 }
  }

  /// Runs the command without a fault.
  /// - Parameter data: a file outside of the folder that gets the bytes of all writes, in their order.
  /// - Returns: the calls that changed files in the folder, in their order.
  static func log(in folder: TestFolder, _ arguments: [String], data: String? = nil) throws -> [String] {
    let outside = try TestFolder()
    var more = ["FAULT_LOG": outside["log"]]
    more["FAULT_DATA"] = data
    let run = try Command(Command.path, arguments, environment(folder, more))
    precondition(run.code == 0, run.errors)
    return try outside.text("log").split(separator: "\n").map {
      String($0).replacing(folder.path + "/", with: "").replacing(folder.path, with: ".")
    }
  }

  /// Runs the command with a fault at one of its calls.
  static func run(in folder: TestFolder, _ arguments: [String], _ mode: FaultMode, at call: Int) throws -> Command {
    try Command(
      Command.path, arguments, environment(folder, ["FAULT_AT": "\(call)", "FAULT_MODE": mode.rawValue]))
  }

  /// Runs a command once for each call that changes files in a folder and each mode of failing that tells something
  /// there, each time from the same beginning.
  /// - Parameters:
  ///   - prepare: makes the state before in an empty folder, and gives the command's arguments.
  ///   - check: is given the folder as the command left it, and says what is wrong with it; nil for nothing.
  /// - Returns: how many faults there were, and what was wrong after which.
  static func everywhere(
    prepare: @Sendable (TestFolder) throws -> [String],
    check: @Sendable (TestFolder, Fault, Command) throws -> String?
  ) throws -> (count: Int, complaints: [String]) {
    let folder = try TestFolder()
    let calls = try log(in: folder, prepare(folder))
    let faults = calls.indices.flatMap { i in
      FaultMode.telling(calls[i], isLast: i == calls.count - 1).map { Fault(mode: $0, at: i + 1, call: calls[i]) }
    }
    let complaints = Mutex<[String]>([])
    let next = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 2) { _ in
      while true {
        let i = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard i < faults.count else { return }
        do {
          let folder = try TestFolder()
          let run = try self.run(in: folder, prepare(folder), faults[i].mode, at: faults[i].at)
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
