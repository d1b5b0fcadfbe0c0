/// Files and folders in memory, as far as a log of calls tells of them: numbered, the folder that holds all being 0.
struct PlayedDisk {
  enum Node {
    case file([UInt8])
    case folder([String: Int])
  }

  private(set) var nodes: [Node] = [.folder([:])]

  /// What a call changes. The names of a folder and the bytes of a file are made durable each by an fsync of their own.
  enum Change {
    case bytes(file: Int, offset: Int, [UInt8])
    /// No smaller than that.
    case size(file: Int, Int)
    case truncation(file: Int, Int)
    case name(folder: Int, String, node: Int)
    case rename(folder: Int, String, String, node: Int)
    case removal(folder: Int, String)

    /// The node whose fsync makes it durable.
    var owner: Int {
      switch self {
      case .bytes(let node, _, _), .size(let node, _), .truncation(let node, _), .name(let node, _, _),
        .rename(let node, _, _, _), .removal(let node, _):
        node
      }
    }

    var isOfName: Bool {
      switch self {
      case .name, .rename, .removal: true
      case .bytes, .size, .truncation: false
      }
    }

    /// Perhaps only the beginning of a write.
    func torn(_ random: inout some RandomNumberGenerator) -> Change {
      guard case .bytes(let file, let offset, let bytes) = self, random.next() % 4 == 0 else { return self }
      return .bytes(file: file, offset: offset, Array(bytes.prefix(Int(random.next() % UInt64(bytes.count + 1)))))
    }
  }

  // MARK: Looking

  func names(of folder: Int) -> [String: Int] {
    guard case .folder(let names) = nodes[folder] else { preconditionFailure("a file where a folder is needed") }
    return names
  }

  func bytes(of file: Int) -> [UInt8] {
    guard case .file(let bytes) = nodes[file] else { preconditionFailure("a folder where a file has to be") }
    return bytes
  }

  /// What has a path, with "/" between names; "." is the folder that holds all.
  func node(at path: String) -> Int? {
    guard path != "." else { return 0 }
    var node = 0
    for name in path.split(separator: "/") {
      guard case .folder(let names) = nodes[node], let next = names[String(name)] else { return nil }
      node = next
    }
    return node
  }

  /// The folder that something lies in, and its name there.
  func place(of path: String) -> (folder: Int, name: String)? {
    guard let slash = path.lastIndex(of: "/") else { return (0, path) }
    return node(at: String(path[..<slash])).map { ($0, String(path[path.index(after: slash)...])) }
  }

  /// Every file that has a path, by that; a folder's path has a "/" behind it.
  func tree(of folder: Int = 0, _ prefix: String = "") -> [String: [UInt8]] {
    var tree: [String: [UInt8]] = [:]
    for (name, node) in names(of: folder) {
      switch nodes[node] {
      case .file(let bytes): tree[prefix + name] = bytes
      case .folder:
        tree["\(prefix)\(name)/"] = []
        tree.merge(self.tree(of: node, "\(prefix)\(name)/")) { $1 }
      }
    }
    return tree
  }

  // MARK: Changing

  /// A node that has no name yet.
  mutating func add(_ node: Node) -> Int {
    nodes.append(node)
    return nodes.count - 1
  }

  mutating func apply(_ change: Change) {
    switch change {
    case .bytes(let file, let offset, let bytes):
      edit(file) { old in
        if offset + bytes.count > old.count { old += [UInt8](repeating: 0, count: offset + bytes.count - old.count) }
        old.withUnsafeMutableBytes { UnsafeMutableRawBufferPointer(rebasing: $0[offset...]).copyBytes(from: bytes) }
      }
    case .size(let file, let size):
      edit(file) { old in if size > old.count { old += [UInt8](repeating: 0, count: size - old.count) } }
    case .truncation(let file, let size):
      edit(file) { old in
        old = size > old.count ? old + [UInt8](repeating: 0, count: size - old.count) : Array(old.prefix(size))
      }
    case .name(let folder, let name, let node): rename(in: folder) { $0[name] = node }
    case .rename(let folder, let from, let to, let node):
      rename(in: folder) { names in
        if names[from] == node { names[from] = nil }
        names[to] = node
      }
    case .removal(let folder, let name): rename(in: folder) { $0[name] = nil }
    }
  }

  private mutating func edit(_ file: Int, _ body: (inout [UInt8]) -> Void) {
    var bytes = self.bytes(of: file)
    nodes[file] = .file([])
    body(&bytes)
    nodes[file] = .file(bytes)
  }

  private mutating func rename(in folder: Int, _ body: (inout [String: Int]) -> Void) {
    var names = self.names(of: folder)
    body(&names)
    nodes[folder] = .folder(names)
  }
}
