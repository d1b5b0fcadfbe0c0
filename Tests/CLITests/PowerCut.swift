import Foundation
import Glibc
import TestModels

/// What a power cut may leave of a command's work on a folder, from the log of its calls.
///
/// A kill keeps what the kernel has in memory; a power cut keeps what was made durable, and of the rest anything: of
/// the bytes written to a file since its last fsync any writes, whole or torn, in any combination; of the names changed
/// in the folder since its last fsync any, or the first few. That is more than a real file system loses.
struct PowerCut {
  fileprivate enum Change {
    case bytes(file: Int, offset: Int, [UInt8])
    case size(file: Int, Int)
    case name(String, file: Int)
    case rename(String, String, file: Int)
    case removal(String)
    case sync(file: Int)
    case folderSync
  }

  private let folder: TestFolder
  /// Keeps files alive whose names go, so that they come back as the same files: a journal knows them by inode.
  private let stash: TestFolder
  private var changes: [Change] = []
  private var names: [String: Int] = [:]
  private var contents: [[UInt8]] = []
  /// When each call had been made: how many of the changes that were.
  private(set) var ends: [Int] = []
  let calls: [String]

  /// Runs the command in a folder that holds its files already.
  init(_ folder: TestFolder, _ arguments: [String]) throws {
    self.folder = folder
    stash = try TestFolder()
    for name in try folder.names() {
      names[name] = contents.count
      link(folder[name], stash["\(contents.count)"])
      contents.append(try folder.bytes(name))
    }
    let outside = try TestFolder()
    let names = self.names
    calls = try FaultRun.log(in: folder, arguments, data: outside["data"])
    var now = names
    var data = try outside.bytes("data")[...]
    for call in calls {
      let words = call.split(separator: " ").map(String.init)
      let isFolder = words[1] == "."
      if words[0] != "create", !isFolder, now[words[1]] == nil {
        now[words[1]] = contents.count
        changes.append(.name(words[1], file: contents.count))
        contents.append([])
      }
      switch words[0] {
      case "write":
        changes.append(.bytes(file: now[words[1]]!, offset: Int(words[2])!, Array(data.prefix(Int(words[3])!))))
        data = data.dropFirst(Int(words[3])!)
      case "allocate": changes.append(.size(file: now[words[1]]!, Int(words[2])!))
      case "fsync": changes.append(isFolder ? .folderSync : .sync(file: now[words[1]]!))
      case "rename":
        let file = now.removeValue(forKey: words[1])!
        now[words[2]] = file
        changes.append(.rename(words[1], words[2], file: file))
      case "unlink":
        now[words[1]] = nil
        changes.append(.removal(words[1]))
      // Owner, mode and attributes are not simulated: a file without them is found by its bytes.
      case "create", "writeback", "chmod", "chown", "setxattr", "utimes": break
      default: preconditionFailure("a call that is not simulated: \(call)")
      }
      ends.append(changes.count)
    }
    let found = try folder.names()
    precondition(data.isEmpty && now.keys.sorted() == found, "the log is not what happened")
    for (name, file) in now where !stash.exists("\(file)") { link(folder[name], stash["\(file)"]) }
  }

  /// Makes the folder what the cut leaves of it.
  /// - Parameter count: how many of the calls had been made.
  func cut(after count: Int, _ random: inout TestRandom) throws {
    var names = self.names
    var contents = self.contents
    var unsynced: [Change] = []
    for change in changes.prefix(count == 0 ? 0 : ends[count - 1]) {
      switch change {
      case .sync(let file):
        for pending in unsynced where pending.file == file { pending.apply(&names, &contents) }
        unsynced.removeAll { $0.file == file }
      case .folderSync:
        for pending in unsynced where pending.file == nil { pending.apply(&names, &contents) }
        unsynced.removeAll { $0.file == nil }
      default: unsynced.append(change)
      }
    }
    // Names: any of them, or as by a file system that keeps their order the first few.
    var namesLeft = random.next() & 1 == 0 ? Int(random.next() % 8) : Int.max
    let isOrdered = namesLeft != .max
    for change in unsynced {
      if change.file == nil, isOrdered {
        guard namesLeft > 0 else { continue }
        namesLeft -= 1
      } else if random.next() & 1 == 0 {
        continue
      }
      change.torn(&random).apply(&names, &contents)
    }
    for name in try folder.names() { unlink(folder[name]) }
    for (name, file) in names {
      let kept = stash["\(file)"]
      guard stash.exists("\(file)") else {
        try folder.write(name, contents[file])
        continue
      }
      // Into the same file, and not into a new one.
      let handle = try FileHandle(forWritingTo: URL(filePath: kept))
      try handle.truncate(atOffset: 0)
      try handle.write(contentsOf: Data(contents[file]))
      try handle.close()
      link(kept, folder[name])
    }
  }
}

extension PowerCut.Change {
  /// Whose fsync makes it durable; nil for the folder's.
  fileprivate var file: Int? {
    switch self {
    case .bytes(let file, _, _), .size(let file, _), .sync(let file): file
    case .name, .rename, .removal, .folderSync: nil
    }
  }

  /// Perhaps only the beginning of a write.
  fileprivate func torn(_ random: inout TestRandom) -> Self {
    guard case .bytes(let file, let offset, let bytes) = self, random.next() % 4 == 0 else { return self }
    return .bytes(file: file, offset: offset, Array(bytes.prefix(Int(random.next() % UInt64(bytes.count + 1)))))
  }

  fileprivate func apply(_ names: inout [String: Int], _ contents: inout [[UInt8]]) {
    switch self {
    case .bytes(let file, let offset, let bytes):
      let missing = offset + bytes.count - contents[file].count
      if missing > 0 { contents[file] += [UInt8](repeating: 0, count: missing) }
      contents[file].replaceSubrange(offset..<offset + bytes.count, with: bytes)
    case .size(let file, let size):
      let missing = size - contents[file].count
      if missing > 0 { contents[file] += [UInt8](repeating: 0, count: missing) }
    case .name(let name, let file): names[name] = file
    case .rename(let from, let to, let file):
      if names[from] == file { names[from] = nil }
      names[to] = file
    case .removal(let name): names[name] = nil
    case .sync, .folderSync: break
    }
  }
}
