import Base
import Measure

extension Suite {
  /// Reads a suite and its data.
  /// - Parameters:
  ///   - path: a TOML file; paths in it are relative to its folder.
  ///   - allowsOutside: whether data files may be outside the suite's folder, and their images outside the data file's.
  /// - Throws: `invalid` for a malformed suite, with task and key, or a path that leads out of its folder; `io` for
  ///   data that cannot be read.
  package init(path: String, allowsOutside: Bool = false) throws {
    let file = try TOMLFile(path: path)
    let (keys, tables) = (TOMLReader(file.members, path: path, place: nil), file.tables)
    let name = try keys.optionalString("name")
    try keys.finish()
    if let other = tables.first(where: { $0.name != "task" }) {
      throw TOMLFile.error(
        path, line: other.line, "has a table [[\(other.name)]]", remedy: "tasks are declared as [[task]]")
    }
    guard !tables.isEmpty else { throw keys.error("has no task", remedy: "write [[task]] above the keys of each task") }
    let names = try tables.enumerated().map { i, table in
      try TOMLReader(table.members, path: path, place: "task \(i + 1)").text("name")
    }
    for (i, name) in names.enumerated() where names[..<i].contains(name) {
      throw TOMLFile.error(path, line: tables[i].line, "has two tasks called \"\(name)\"")
    }
    let folder = Enclosure(Path.parent(path), allowsOutside: allowsOutside)
    let tasks = try zip(names, tables).map { name, table in
      try EvaluationTask(
        TOMLReader(table.members, path: path, place: "the task \"\(name)\""), folder: folder,
        allowsOutside: allowsOutside)
    }
    self.init(name: name ?? Path.name(path), tasks: tasks)
  }
}

extension EvaluationTask {
  fileprivate init(_ table: TOMLReader, folder: Enclosure, allowsOutside: Bool) throws {
    let title = try table.text("name")
    let names = Suite.kinds.map { $0.name }
    guard let name = try table.optionalWord("kind", among: names),
      let type = Suite.kinds.first(where: { $0.name == name })
    else { throw table.error("has no \"kind\"", remedy: "kinds are \(names.asAlternatives)") }
    guard let role = try table.optionalWord("role", ForgettingRecord.Role.self) else {
      throw table.error(
        "has no \"role\"", remedy: "roles are \(ForgettingRecord.Role.allCases.map(\.rawValue).asAlternatives)")
    }
    let data = try table.text("data")
    let limit = try table.optionalInt("limit", in: 1...Int(UInt32.max))
    let kind = try type.init(table)
    let needs = kind.needs
    var format = try PromptFormat.Declared(table, needs)
    try table.finish()

    func path(_ name: String) throws -> String {
      let path = name.utf8.first == UInt8(ascii: "/") ? name : Path.join(folder.folder, name)
      guard try folder.admits(path) else {
        throw table.error(
          "names the data \"\(name.printable)\", which is outside of the suite's folder",
          remedy: "--allow-outside allows it")
      }
      return path
    }
    let shots = format.shots
    var items = try EvaluationItem.read(
      try path(data), needs, limit: limit.map { $0 + (format.shotsData == nil ? shots : 0) },
      allowsOutside: allowsOutside)
    if shots > 0 {
      var examples = items
      if let other = format.shotsData {
        examples = try EvaluationItem.read(
          try path(other), needs.withAnswer, limit: shots, allowsOutside: allowsOutside)
      } else {
        // The first items are the examples, and are not asked.
        items = Array(items.dropFirst(shots))
      }
      guard examples.count >= shots, !items.isEmpty else {
        throw table.error("has too few items for \(shots) examples and one question")
      }
      format.examples = Array(examples.prefix(shots))
    }
    self.init(
      name: title, role: role, kind: kind, prompt: try format.checked(items, table), items: items)
  }
}

extension PromptFormat {
  /// The keys of a task that define the prompt format.
  fileprivate struct Declared {
    let style: Style?
    let system: String?
    let template: String?
    let delimiter: String?
    let shots: Int
    let shotsData: String?
    var examples: [EvaluationItem] = []

    init(_ table: TOMLReader, _ needs: EvaluationItem.Needs) throws {
      guard needs.prompts else {
        (style, system, template, delimiter, shots, shotsData) = (nil, nil, nil, nil, 0, nil)
        return
      }
      style = try table.optionalWord("format")
      system = try table.optionalString("system")
      template = try table.optionalString("template")
      delimiter = try table.optionalString("delimiter")
      shots = try table.optionalInt("few_shot", in: 0...1000) ?? 0
      shotsData = try table.optionalString("few_shot_data")
      if let template, template.firstRange(of: PromptFormat.slot) == nil {
        throw table.error("has a \"template\" without \(PromptFormat.slot)")
      }
      if shots > 0, shotsData == nil, !needs.answer, !needs.choices, !needs.time {
        throw table.error("needs \"few_shot_data\": its own rows have no answers")
      }
      if shots == 0, shotsData != nil { throw table.error("has \"few_shot_data\" without \"few_shot\"") }
    }

    /// The format, checked against the items.
    func checked(_ items: [EvaluationItem], _ table: TOMLReader) throws -> PromptFormat {
      let all = items + examples
      let hasPrompts = all.contains { if case .text = $0.content { false } else { true } }
      let hasMessages = all.contains { if case .messages = $0.content { true } else { false } }
      guard hasPrompts else {
        guard style == nil, system == nil, template == nil, shots == 0 else {
          throw table.error(
            "has texts instead of prompts, so \"format\", \"system\", \"template\" and \"few_shot\" do not apply")
        }
        return PromptFormat(.raw)
      }
      guard let style else {
        throw table.error(
          "has no \"format\"", remedy: "write format = \"chat\" for the model's chat template, or \"raw\"")
      }
      if style == .raw, hasMessages { throw table.error("has rows with messages, which need format = \"chat\"") }
      if style == .raw, system != nil { throw table.error("has a \"system\" message, which needs format = \"chat\"") }
      if style == .chat, template != nil, hasMessages {
        throw table.error("has a \"template\", which does not apply to rows with messages")
      }
      return PromptFormat(style, system: system, template: template, delimiter: delimiter, examples: examples)
    }
  }
}
