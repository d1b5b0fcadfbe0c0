import Foundation
import Synchronization
import TestModels

/// The built command, run as a process.
struct Command {
  let code: Int32
  let output: String
  let errors: String

  /// The executable that was built with these tests: it lies beside them.
  static let path: String = {
    let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let folders = (CommandLine.arguments + [own].compactMap { $0 }).map {
      URL(filePath: $0).deletingLastPathComponent().path
    }
    guard let folder = folders.first(where: { FileManager.default.isExecutableFile(atPath: "\($0)/vpatch") }) else {
      fatalError("no vpatch beside the tests: build it with them")
    }
    return "\(folder)/vpatch"
  }()

  @discardableResult
  init(_ arguments: String..., environment: [String: String] = [:]) throws {
    try self.init(Self.path, arguments, environment)
  }

  /// Another program, found by its path, such as a shell around the command.
  init(_ program: String, _ arguments: [String], _ environment: [String: String] = [:]) throws {
    try self.init(ending: Self.start(program, arguments, environment))
  }

  /// Waits for one that was started.
  init(ending started: (process: Process, output: FileHandle, errors: FileHandle)) throws {
    // Both pipes are emptied at once: a full one would stop the process.
    let errors = Mutex(Data())
    let group = DispatchGroup()
    DispatchQueue.global().async(group: group) {
      let data = started.errors.readDataToEndOfFile()
      errors.withLock { $0 = data }
    }
    let output = started.output.readDataToEndOfFile()
    group.wait()
    started.process.waitUntilExit()
    code = started.process.terminationStatus
    self.output = String(decoding: output, as: UTF8.self)
    self.errors = String(decoding: errors.withLock { $0 }, as: UTF8.self)
  }

  /// Starts it and does not wait.
  /// - Parameter target: what gets its standard output, instead of the pipe that is returned.
  static func start(
    _ program: String, _ arguments: [String], _ environment: [String: String] = [:], output target: FileHandle? = nil
  ) throws -> (process: Process, output: FileHandle, errors: FileHandle) {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    // A test must not write into its user's home: its store lies beside its folder, which its arguments name.
    let defaults = ["COLUMNS": "100", "VPATCH_STORE": TestFolder.store(for: arguments) ?? "/dev/null/no-store"]
    process.environment = ProcessInfo.processInfo.environment.merging(
      environment.merging(defaults) { a, _ in a }
    ) { $1 }
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = target.map { $0 as Any } ?? output
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
    return (process, output.fileHandleForReading, errors.fileHandleForReading)
  }

  /// Runs the built command with a pipe as its standard output that nobody reads any more.
  static func forNobody(_ arguments: [String]) throws -> Command {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0, close(ends[0]) == 0 else { throw POSIXError(.EMFILE) }
    defer { close(ends[1]) }
    let started = try start(path, arguments, output: FileHandle(fileDescriptor: ends[1]))
    let errors = started.errors.readDataToEndOfFile()
    started.process.waitUntilExit()
    return Command(
      code: started.process.terminationStatus, output: "", errors: String(decoding: errors, as: UTF8.self))
  }

  private init(code: Int32, output: String, errors: String) {
    (self.code, self.output, self.errors) = (code, output, errors)
  }

  /// One line on standard error that says all of these words.
  func says(_ words: String...) -> Bool {
    errors.split(separator: "\n").count == 1 && words.allSatisfy { errors.contains($0) }
  }
}
