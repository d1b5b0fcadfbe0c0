import Foundation
import Glibc
import Synchronization
import Testing

@testable import Base

@Suite("Locks that are waited for, and numbers that are held") struct LockTests {
  private let folder = FileManager.default.temporaryDirectory.path + "/vpatch-lock-\(UUID().uuidString)"

  init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

  @Test("one at a time, of a file and of a folder, and nothing is left", arguments: [true, false])
  func exclusive(isFolder: Bool) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = isFolder ? folder : folder + "/lock"
    let inside = Mutex(0)
    let most = Mutex(0)
    try Parallel.forEach(16, threads: 16) { _ in
      let lock = try WaitingLock(path, isFolder: isFolder, subject: "it")
      withExtendedLifetime(lock) {
        let now = inside.withLock {
          $0 += 1
          return $0
        }
        most.withLock { $0 = max($0, now) }
        usleep(500)
        inside.withLock { $0 -= 1 }
      }
    }
    #expect(most.withLock { $0 } == 1)
    #expect(try Path.entries(of: folder) == (isFolder ? [] : ["lock"]))
  }

  @Test("one that does not end is an error that says so; a lock that cannot be opened too") func patience() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let held = try WaitingLock(folder, isFolder: true, subject: "it")
    _ = withExtendedLifetime(held) {
      #expect(
        throws: VPatchError(.io, "it", "is being changed by another vpatch", remedy: "try again when that has ended")
      ) {
        _ = try WaitingLock(folder, isFolder: true, subject: "it", patience: 0.02)
      }
    }
    #expect(throws: VPatchError.self) { _ = try WaitingLock(folder + "/none/lock", subject: "it") }
  }

  @Test("a number is held until its holder goes, and no other is") func numbers() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/numbers"
    #expect(HeldNumber.held(of: [1, 2], in: path) == [])
    var first: HeldNumber? = try HeldNumber(in: path)
    let second = try HeldNumber(in: path)
    let all = [first!.number, second.number, 5]
    #expect(first!.number != second.number)
    #expect(HeldNumber.held(of: all, in: path) == [all[0], all[1]])
    first = nil
    #expect(HeldNumber.held(of: all + [0, -3], in: path) == [all[1]])
    _ = second
    // What cannot be looked into may be held.
    #expect(HeldNumber.held(of: [7], in: path + "/x") == [7])
    #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int == 0)
  }
}
