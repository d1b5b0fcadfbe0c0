extension ChatTemplate {
  /// Which family the template of a vision-language model is of. As for others, every piece has to be there as the models
  /// came with it: Qwen2.5-VL and Qwen2-VL, and LLaVA's models in transformers' layout.
  static func recogniseVision(_ jinja: JinjaText) -> (name: String, Family)? {
    if jinja.contains("<|vision_start|>") { return qwenVL(jinja) }
    return llava(jinja).map { ($0, .llava($1)) }
  }

  /// Whether a template asks what kind the parts of a message are.
  static func looksAtParts(_ jinja: JinjaText) -> Bool {
    jinja.contains("<|vision_start|>") || jinja.contains("selectattr('type','equalto','image')")
  }

  // ChatML with images where they stand.
  private static func qwenVL(_ jinja: JinjaText) -> (String, Family)? {
    guard
      [
        "{{'<|im_start|>'}}{{message['role']}}{{'\n'}}", "{{message['content']}}{{'<|im_end|>\n'}}",
        "{{'<|vision_start|><|image_pad|><|vision_end|>'}}", "{{content['text']}}", "{%endfor%}{{'<|im_end|>\n'}}",
        "{{'<|im_start|>assistant\n'}}",
      ].allSatisfy(jinja.contains)
    else { return nil }
    let prompts = chatMLSystemPrompts(jinja)
    guard prompts.count <= 1 else { return nil }
    return ("qwen2.5-vl", .chatML(system: prompts.first))
  }

  private static func llava(_ jinja: JinjaText) -> (String, Llava)? {
    func loop(_ type: String, _ expression: String) -> String {
      "{%forcontentinmessage['content']|selectattr('type','equalto','\(type)')%}{{\(expression)}}{%endfor%}"
    }
    func has(_ pieces: String...) -> Bool { pieces.allSatisfy(jinja.contains) }
    if has(
      "{%ifmessage['role']!='system'%}{{message['role'].upper()+': '}}{%endif%}", loop("image", "'<image>\n'"),
      loop("text", "content['text']+' '"), "{{'ASSISTANT:'}}")
    {
      return ("llava-1.5", .vicuna)
    }
    if has("{{'[INST] '}}", loop("image", "'<image>\n'"), loop("text", "content['text']"), "{{' [/INST]'}}") {
      let closes = ["<\\s> ", "</s> "].filter { has("{{' '+message['content'][0]['text']+'\($0)'}}") }
      let hasSystem = has("{{'<<SYS>>\n'+message['content'][0]['text']+'\n<</SYS>>\n\n'}}")
      guard let close = closes.first, hasSystem || !jinja.contains("'system'") else { return nil }
      return ("llava-mistral", .mistral(hasSystem: hasSystem, close: close))
    }
    if has(
      "{{'<|start_header_id|>'+message['role']+'<|end_header_id|>\n\n'}}", loop("image", "'<image>'"),
      loop("text", "'\n'+content['text']+'<|eot_id|>'"), "{{'<|start_header_id|>assistant<|end_header_id|>\n\n'}}")
    {
      return ("llava-llama3", .llama3)
    }
    if has(
      "{{'<|im_start|>'+message['role']+' '}}", loop("image", "'<image>'"), loop("text", "'\n'+content['text']"),
      "{{'<|im_end|>'}}{%endfor%}", "{{'<|im_start|>assistant\n'}}")
    {
      return ("llava-onevision", .oneVision)
    }
    if has(
      "{{'<|im_start|>'+message['role']+'\n'}}", loop("image", "'<image>\n'"), loop("text", "content['text']"),
      "{{'<|im_end|>\n'}}{%endfor%}", "{{'<|im_start|>assistant\n'}}")
    {
      return ("llava-yi", .yi)
    }
    return nil
  }
}
