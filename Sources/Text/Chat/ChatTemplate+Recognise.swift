import PatchFormat

extension ChatTemplate {
  /// The template of a model's folder, looked for as transformers does: "chat_template" in "processor_config.json", in
  /// "chat_template.json", "chat_template.jinja", "chat_template" in "tokenizer_config.json".
  /// - Throws: `refused` where there is none, or none that is known.
  public static func of(folder: String, _ tokens: NamedTokens) throws -> ChatTemplate {
    guard let (path, text) = try source(folder) else {
      throw VPatchError(
        .refused, folder, "has no chat template", remedy: "name one: --chat-template \(names.joined(separator: "|"))")
    }
    let jinja = JinjaText(text)
    guard let (name, family) = recognise(jinja) else {
      throw VPatchError(
        .refused, path, "its chat template is none that is known",
        remedy: "name the one it amounts to (--chat-template \(names.joined(separator: "|"))), "
          + "or give prompt/completion rows with the conversation written out")
    }
    return try ChatTemplate(name: name, family, tokens, of: path)
  }

  private static func source(_ folder: String) throws -> (path: String, text: String)? {
    for name in ["processor_config.json", "chat_template.json"] {
      if let text = try named(folder, name) { return text }
    }
    let path = Path.join(folder, "chat_template.jinja")
    if try PathKind.of(path) != .missing {
      let bytes = try InputFile.contents(of: path, limit: 1 << 20)
      return (path, String(decoding: bytes, as: UTF8.self))
    }
    return try named(folder, "tokenizer_config.json")
  }

  /// "chat_template" in a JSON file of the folder.
  private static func named(_ folder: String, _ file: String) throws -> (path: String, text: String)? {
    let text: String? =
      switch try ModelFile.read(folder, file)?["chat_template"] {
      case .string(let template): template
      // Several, by name: {"name": "default", "template": …}, or {"default": …}
      case .array(let list): list.first { $0["name"] == .string("default") }?["template"]?.string
      case .object(let members): members.first { $0.key == "default" }?.value.string
      default: nil
      }
    return text.map { (Path.join(folder, file), $0) }
  }

  /// Which family a template is of. Every piece that its text depends on has to be there as the family has it.
  static func recognise(_ jinja: JinjaText) -> (name: String, Family)? {
    // What reasons aloud is written in ways of its own (Qwen3, DeepSeek-R1).
    guard !jinja.contains("<think>"), !jinja.contains("reasoning_content") else { return nil }
    if looksAtParts(jinja) { return recogniseVision(jinja) }
    if jinja.contains("<|im_start|>") { return chatML(jinja) }
    if jinja.contains("<|start_header_id|>") { return llama3(jinja) }
    if jinja.contains("<<SYS>>") { return llama2(jinja) }
    if jinja.contains("[INST]") { return mistral(jinja) }
    if jinja.contains("USER:") { return vicuna(jinja) }
    return nil
  }

  private static func chatML(_ jinja: JinjaText) -> (String, Family)? {
    guard jinja.contains("'<|im_start|>'+message['role']+'\n'+message['content']+'<|im_end|>\n'"),
      jinja.contains("'<|im_start|>assistant\n'")
    else { return nil }
    let prompts = chatMLSystemPrompts(jinja)
    guard prompts.count <= 1 else { return nil }
    return ("chatml", .chatML(system: prompts.first))
  }

  /// The default system prompts: '<|im_start|>system⏎You are …<|im_end|>⏎'
  static func chatMLSystemPrompts(_ jinja: JinjaText) -> Set<String> {
    let prefix = "<|im_start|>system\n"
    return Set(
      jinja.literals.compactMap { literal -> String? in
        guard literal.hasPrefix(prefix), let end = literal.firstRange(of: "<|im_end|>") else { return nil }
        return String(literal[literal.index(literal.startIndex, offsetBy: prefix.count)..<end.lowerBound])
      })
  }

  private static func llama3(_ jinja: JinjaText) -> (String, Family)? {
    let header = "'<|start_header_id|>'+message['role']+'<|end_header_id|>\n\n'"
    guard jinja.contains("\(header)+message['content']|trim+'<|eot_id|>'"), jinja.contains("bos_token"),
      jinja.contains("'<|start_header_id|>assistant<|end_header_id|>\n\n'")
    else { return nil }
    guard jinja.contains("Knowledge Date") else { return ("llama3", .llama3(preamble: nil)) }
    guard jinja.literals.contains("Cutting Knowledge Date: December 2023\n"),
      jinja.contains("'Today Date: '+date_string+'\n\n'"), jinja.literals.contains("26 Jul 2024")
    else { return nil }
    return ("llama3.1", .llama3(preamble: llama31Preamble))
  }

  private static func llama2(_ jinja: JinjaText) -> (String, Family)? {
    guard jinja.contains("'<<SYS>>\n'+system_message+'\n<</SYS>>\n\n'+message['content']"),
      jinja.contains("bos_token+'[INST] '+content.strip()+' [/INST]'")
        || jinja.contains("bos_token+'[INST] '+content|trim+' [/INST]'"),
      jinja.contains("' '+content.strip()+' '+eos_token") || jinja.contains("' '+content|trim+' '+eos_token"),
      // An early version put a system prompt of a page where there was none.
      !jinja.contains("DEFAULT_SYSTEM")
    else { return nil }
    return ("llama2", .llama2)
  }

  private static func mistral(_ jinja: JinjaText) -> (String, Family)? {
    // '[INST] '+message['content']+'[/INST]' with the spaces of the version.
    let user = [" [INST] ", "[INST] ", "[INST]"].flatMap { open in [" [/INST]", "[/INST]"].map { (open, $0) } }
      .filter { jinja.contains("'\($0)'+message['content']+'\($1)'") }
    guard user.count == 1, let (open, close) = user.first else { return nil }
    var style = Mistral(open: open, close: close)
    // {{message['content']+eos_token+' '}}
    let answers = [" ", ""].flatMap { before in
      ["|trim", ""].flatMap { trim in [" ", ""].map { (before, trim, $0) } }
    }.filter { before, trim, after in
      let start = before.isEmpty ? "" : "'\(before)'+"
      let end = after.isEmpty ? "" : "+'\(after)'"
      return jinja.contains("{{\(start)message['content']\(trim)+eos_token\(end)}}")
    }
    guard answers.count == 1, let (before, trim, after) = answers.first, jinja.contains("bos_token") else { return nil }
    (style.beforeAnswer, style.trimsAnswer, style.afterEnd) = (before, !trim.isEmpty, after)
    if jinja.contains("system_message") {
      guard jinja.contains("'\(open)'+system_message+'\n\n'+message['content']+'\(close)'") else { return nil }
      let places: [(String, Mistral.System)] = [
        ("loop.firstandsystem_messageisdefined", .first), ("loop.index0==0andsystem_messageisdefined", .first),
        ("loop.lastandsystem_messageisdefined", .last),
        ("(message==user_messages[-1])andsystem_messageisdefined", .last),
      ]
      guard let place = places.first(where: { jinja.contains($0.0) }) else { return nil }
      style.system = place.1
    }
    return ("mistral", .mistral(style))
  }

  private static func vicuna(_ jinja: JinjaText) -> (String, Family)? {
    guard jinja.literals.contains(where: { $0.trimmed == vicunaSystem }),
      jinja.contains("'USER: '+message['content']+' '"),
      jinja.contains("'ASSISTANT: '+message['content']+eos_token"), jinja.contains("'ASSISTANT:'"),
      jinja.contains("bos_token")
    else { return nil }
    return ("vicuna", .vicuna)
  }
}
