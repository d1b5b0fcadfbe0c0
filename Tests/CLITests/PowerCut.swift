import Foundation
import Glibc
import TestModels

/// What a power cut may leave of a command's work on a folder and all below it, from the log of its calls.
///
/// A kill keeps what the kernel has in memory; a power cut keeps what was made durable, and of the rest anything: of
/// the bytes written to a file since its last fsync any writes, whole or torn, in any combination; of the names changed
/// in a folder since that folder's last fsync any, or of all the names the first few. What lies in a folder whose own
/// name is lost is lost with it. That is more than a real file system loses.
///
/// SQLite's -shm is memory that its processes share, and no file to be kept: after the cut it is gone, or full of
/// anything.
struct PowerCut {
  private enum Event {
    case change(PlayedDisk.Change)
    case sync(Int)
  }

  private let folder: TestFolder
  /// Keeps files alive whose names go, by the numbers of their inodes: where there is a journal they come back as the
  /// same files, since it knows them by these.
  private let stash: TestFolder
  /// Of the nodes that were there at the beginning or at the end.
  private var inodes: [Int: UInt64] = [:]
  /// After each of the calls, from none to all: what is durable, with the nodes of all files, and what is not yet.
  private var states: [(disk: PlayedDisk, unsynced: [PlayedDisk.Change])] = []
  private var shared: Set<String> = []
  let calls: [String]

  /// Runs the command in a folder that holds its files already.
  /// - Parameter killed: the call after which it is killed first, from 1, to be run again; nil for no such thing.
  init(_ folder: TestFolder, _ arguments: [String], killedAfter killed: Int? = nil) throws {
    self.folder = folder
    stash = try TestFolder()
    var now = PlayedDisk()
    for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted() {
      let node = now.add(try folder.isFolder(path) ? .folder([:]) : .file(folder.bytes(path)))
      let place = now.place(of: path)!
      now.apply(.name(folder: place.folder, place.name, node: node))
      if try !folder.isFolder(path) { inodes[node] = try folder.inode(path) }
    }
    let outside = try TestFolder()
    var data: ArraySlice<UInt8> = []
    var calls: [String] = []
    for call in killed == nil ? [nil] : [killed, nil] {
      calls += try FaultRun.log(in: folder, arguments, data: outside["data"], keep: stash.path, killedAfter: call)
      data += try outside.bytes("data")
    }
    self.calls = calls
    var disk = now
    var unsynced: [PlayedDisk.Change] = []
    states.append((disk, unsynced))
    for call in calls {
      for event in try Self.events(call, &now, &data, &shared) {
        // A new node is there for both; it is its name that may be lost.
        for node in now.nodes.dropFirst(disk.nodes.count) {
          if case .folder = node { _ = disk.add(.folder([:])) } else { _ = disk.add(.file([])) }
        }
        switch event {
        case .change(let change):
          now.apply(change)
          unsynced.append(change)
        case .sync(let owner):
          for change in unsynced where change.owner == owner { disk.apply(change) }
          unsynced.removeAll { $0.owner == owner }
        }
      }
      states.append((disk, unsynced))
    }
    let found = try folder.wholeTree().filter { !$0.key.hasSuffix("-shm") }
    precondition(data.isEmpty && now.tree() == found, "the log is not what happened")
    for path in found.keys where !path.hasSuffix("/") {
      let inode = try folder.inode(path)
      inodes[now.node(at: path)!] = inode
      if !stash.exists("\(inode)") { link(folder[path], stash["\(inode)"]) }
    }
  }

  /// What a call does to the disk.
  private static func events(
    _ call: String, _ now: inout PlayedDisk, _ data: inout ArraySlice<UInt8>, _ shared: inout Set<String>
  ) throws -> [Event] {
    // A file that has no name any more gets none back either.
    let hasName = !call.contains(" (deleted)")
    let words = call.replacing(" (deleted)", with: "").split(separator: " ").map(String.init)
    var written: [UInt8] = []
    if words[0] == "write" {
      written = Array(data.prefix(Int(words[3])!))
      data = data.dropFirst(written.count)
    }
    guard !words[1].hasSuffix("-shm") else {
      shared.insert(words[1])
      return []
    }
    guard hasName else { return [] }
    func node(_ path: String) -> Int {
      guard let node = now.node(at: path) else { preconditionFailure("a call on a file that nothing made: \(call)") }
      return node
    }
    func place(_ path: String) -> (folder: Int, name: String) {
      guard let place = now.place(of: path) else { preconditionFailure("a call in a folder that is not: \(call)") }
      return place
    }
    func named(_ path: String, _ new: PlayedDisk.Node) -> Event {
      let place = place(path)
      return .change(.name(folder: place.folder, place.name, node: now.add(new)))
    }
    switch words[0] {
    case "create":
      return [now.node(at: words[1]).map { .change(.truncation(file: $0, 0)) } ?? named(words[1], .file([]))]
    case "mkdir": return now.node(at: words[1]) == nil ? [named(words[1], .folder([:]))] : []
    case "write": return [.change(.bytes(file: node(words[1]), offset: Int(words[2])!, written))]
    case "allocate": return [.change(.size(file: node(words[1]), Int(words[2])!))]
    case "truncate": return [.change(.truncation(file: node(words[1]), Int(words[2])!))]
    case "fsync": return [.sync(node(words[1]))]
    case "link":
      let place = place(words[2])
      return [.change(.name(folder: place.folder, place.name, node: node(words[1])))]
    case "rename":
      let (from, to) = (place(words[1]), place(words[2]))
      precondition(from.folder == to.folder, "a rename into another folder is not simulated: \(call)")
      return [.change(.rename(folder: from.folder, from.name, to.name, node: node(words[1])))]
    case "unlink":
      // Nothing is there, or a folder that is not empty: the call fails.
      guard let node = now.node(at: words[1]) else { return [] }
      if case .folder(let names) = now.nodes[node], !names.isEmpty { return [] }
      let place = place(words[1])
      return [.change(.removal(folder: place.folder, place.name))]
    // Owner, mode and attributes are not simulated: a file without them is found by its bytes.
    case "writeback", "chmod", "chown", "setxattr", "utimes": return []
    default: preconditionFailure("a call that is not simulated: \(call)")
    }
  }

  // MARK: The cut

  /// Makes the folder what the cut leaves of it.
  /// - Parameter count: how many of the calls had been made.
  func cut(after count: Int, _ random: inout TestRandom) throws {
    var disk = states[count].disk
    // Names: any of them, or as by a file system that keeps their order the first few.
    var namesLeft = random.next() & 1 == 0 ? Int(random.next() % 8) : Int.max
    let isOrdered = namesLeft != .max
    for change in states[count].unsynced {
      if change.isOfName, isOrdered {
        guard namesLeft > 0 else { continue }
        namesLeft -= 1
      } else if random.next() & 1 == 0 {
        continue
      }
      disk.apply(change.torn(&random))
    }
    for name in try folder.names() { try FileManager.default.removeItem(atPath: folder[name]) }
    try write(disk, 0, "", asSameFiles: disk.tree().keys.contains { $0.hasSuffix(".vpatch-journal") })
    for path in shared.sorted() where random.next() & 1 == 0 {
      guard disk.place(of: path) != nil else { continue }
      let bytes = (0..<4096).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
      try folder.write(path, bytes)
    }
  }

  private func write(_ disk: PlayedDisk, _ parent: Int, _ prefix: String, asSameFiles: Bool) throws {
    for (name, node) in disk.names(of: parent) {
      let path = prefix + name
      switch disk.nodes[node] {
      case .folder:
        try FileManager.default.createDirectory(atPath: folder[path], withIntermediateDirectories: false)
        try write(disk, node, path + "/", asSameFiles: asSameFiles)
      case .file(let bytes):
        guard asSameFiles, let inode = inodes[node] else {
          try folder.write(path, bytes)
          continue
        }
        let kept = stash["\(inode)"]
        // Into the same file, and not into a new one.
        let handle = try FileHandle(forWritingTo: URL(filePath: kept))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: Data(bytes))
        try handle.close()
        link(kept, folder[path])
      }
    }
  }
}

extension TestFolder {
  fileprivate func isFolder(_ path: String) throws -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: self[path], isDirectory: &isFolder) && isFolder.boolValue
  }

  fileprivate func inode(_ path: String) throws -> UInt64 {
    let number = try FileManager.default.attributesOfItem(atPath: self[path])[.systemFileNumber]
    return (number as! NSNumber).uint64Value
  }

  /// Every file with its bytes, and every folder, whose path has a "/" behind it.
  func wholeTree() throws -> [String: [UInt8]] {
    var tree: [String: [UInt8]] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: self.path) {
      if try isFolder(path) { tree[path + "/"] = [] } else { tree[path] = try bytes(path) }
    }
    return tree
  }
}
