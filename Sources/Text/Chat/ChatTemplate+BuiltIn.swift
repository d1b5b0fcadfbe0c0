import Base

extension ChatTemplate {
  /// Names of the built-in templates, for models without one: models in LLaVA's original layout have theirs in code,
  /// and old models in transformers' layout only in their description.
  package static let names = builtIn.map(\.key)

  /// - Throws: `refused` for a name that is neither one of `names` nor a file.
  static func source(named name: String) throws -> TemplateSource {
    if let text = builtIn.first(where: { $0.key == name })?.value {
      return TemplateSource(name: name, text: text, isBuiltIn: true)
    }
    guard try PathKind.of(name) == .file else {
      throw VPatchError(
        .refused, nil, "there is no chat template \"\(name)\", and no file of that name",
        remedy: "known are \(names.joined(separator: ", "))")
    }
    return try TemplateSource.file(name)
  }

  private static let builtIn: KeyValuePairs<String, String> = [
    "chatml": chatML(system: nil),
    "smollm2": chatML(system: "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
    "qwen2": chatML(system: "You are a helpful assistant."),
    "qwen2.5": chatML(system: "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
    "llama2": llama2,
    "llama3": llama3(preamble: nil),
    // The date is the default of these templates.
    "llama3.1": llama3(preamble: #"Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"#),
    "mistral-v1": mistral(open: " [INST] ", close: " [/INST]", answer: "' ' + message['content']", system: "first"),
    "mistral-v3": mistral(open: "[INST] ", close: "[/INST]", answer: "' ' + message['content'] | trim", system: "last"),
    "mistral-nemo": mistral(open: "[INST]", close: "[/INST]", answer: "message['content']", system: "last"),
    "vicuna": vicuna,
    "qwen2.5-vl": chatML(system: "You are a helpful assistant."),
    "llava-1.5": llavaVicuna,
    "llava-mistral": llavaMistral,
    "llava-llama3": llavaLlama3,
    "llava-onevision": llavaOneVision,
    "llava-yi": llavaYi,
  ]

  // <|im_start|>user⏎Hello<|im_end|>⏎
  private static func chatML(system: String?) -> String {
    let opening =
      system.map {
        "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\n\($0)<|im_end|>\\n' }}{% endif %}"
      }
      ?? ""
    return opening + """
      {% for message in messages -%}
      {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
      {%- endfor %}
      {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
      """
  }

  // <|begin_of_text|><|start_header_id|>user<|end_header_id|>⏎⏎Hello<|eot_id|>
  private static func llama3(preamble: String?) -> String {
    let system =
      preamble.map {
        """
        {%- set rest = messages[1:] if messages[0]['role'] == 'system' else messages %}
        {%- set system = messages[0]['content'] | trim if messages[0]['role'] == 'system' else '' %}
        {{- '<|start_header_id|>system<|end_header_id|>\\n\\n\($0)' + system + '<|eot_id|>' }}
        """
      } ?? "{%- set rest = messages %}"
    return """
      {{- bos_token }}
      \(system)
      {%- for message in rest %}
      {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
      {%- endfor %}
      {%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}
      """
  }

  /// User and assistant alternate, after at most one system message: `system` and `turns`.
  private static let turns = """
    {%- set system = messages[0]['content'] if messages[0]['role'] == 'system' else none %}
    {%- set turns = messages[1:] if messages[0]['role'] == 'system' else messages %}
    {%- if not turns %}{{ raise_exception('the conversation has a system message alone') }}{% endif %}
    {%- for message in turns %}
    {%- if message['role'] != ('user' if loop.index0 % 2 == 0 else 'assistant') %}
    {{- raise_exception('user and assistant have to take turns, behind at most one system message') }}
    {%- endif %}
    {%- endfor %}
    """

  // <s>[INST] <<SYS>>⏎system⏎<</SYS>>⏎⏎Hello [/INST] Hi </s>
  private static let llama2 =
    turns + """
      {%- for message in turns %}
      {%- if message['role'] == 'assistant' %}
      {{- ' ' + message['content'] | trim + ' ' + eos_token }}
      {%- else %}
      {%- set before = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' if loop.first and system is not none else '' %}
      {{- bos_token + '[INST] ' + (before + message['content']) | trim + ' [/INST]' }}
      {%- endif %}
      {%- endfor %}
      """

  // <s>[INST] Hello[/INST] Hi</s>
  private static func mistral(open: String, close: String, answer: String, system: String) -> String {
    let place = system == "first" ? "loop.first" : "loop.index0 == (turns | length - 1) // 2 * 2"
    return turns + """
      {{- bos_token }}
      {%- for message in turns %}
      {%- if message['role'] == 'assistant' %}
      {{- \(answer) + eos_token }}
      {%- else %}
      {%- set before = system + '\\n\\n' if system is not none and \(place) else '' %}
      {{- '\(open)' + before + message['content'] + '\(close)' }}
      {%- endif %}
      {%- endfor %}
      """
  }

  // <s>system USER: Hello ASSISTANT: Hi</s>
  // The default system prompt is that of Vicuna 1.1 and 1.5 (FastChat's conversation "vicuna_v1.1").
  private static let vicuna =
    turns + """
      {%- set default = 'A chat between a curious user and an artificial intelligence assistant. ' +
        'The assistant gives helpful, detailed, and polite answers to the user\\'s questions.' %}
      {{- bos_token + (default if system is none else system) + ' ' }}
      {%- for message in turns %}
      {{- 'ASSISTANT: ' + message['content'] + eos_token if message['role'] == 'assistant'
        else 'USER: ' + message['content'] + ' ' }}
      {%- endfor %}
      {%- if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}
      """

  // MARK: LLaVA's models in transformers' layout

  // Their own templates render a past answer differently from the generation prompt (an additional space or line feed,
  // another end token or none), so they cannot be used for training. Here the last answer follows the generation prompt
  // exactly, and ends with the token that ends a generation. In all of them a message has its images before its texts.

  private static let llavaParts = """
    {%- macro images(message, after) %}
    {%- if message['content'] is not string %}
    {%- for part in message['content'] if part['type'] == 'image' %}{{ '<image>' + after }}{% endfor %}
    {%- endif %}
    {%- endmacro %}
    {%- macro texts(message, before='', after='') %}
    {%- if message['content'] is string %}{{ before + message['content'] + after }}
    {%- else %}
    {%- for part in message['content'] if part['type'] == 'text' %}{{ before + part['text'] + after }}{% endfor %}
    {%- endif %}
    {%- endmacro %}
    """

  /// - Parameters:
  ///   - system: expression for a system message; the others likewise.
  ///   - prompt: the generation prompt.
  ///   - end: what ends the last answer.
  private static func llava(
    system: String, user: String, assistant: String, prompt: String, beforeAnswer: String = "''", end: String,
    afterEnd: String = "''"
  ) -> String {
    llavaParts + """
      {%- for message in messages %}
      {%- if message['role'] == 'system' %}{{ \(system) }}
      {%- elif message['role'] == 'user' %}{{ \(user) }}
      {%- elif message['role'] != 'assistant' %}
      {{- raise_exception('there is no place for the role ' + message['role']) }}
      {%- elif loop.last %}{{ \(prompt) + \(beforeAnswer) + texts(message) + \(end) + \(afterEnd) }}
      {%- else %}{{ \(assistant) }}
      {%- endif %}
      {%- endfor %}
      {%- if add_generation_prompt %}{{ \(prompt) }}{% endif %}
      """
  }

  // llava-1.5 and llava-v1.6-vicuna: USER: <image>⏎Hello ASSISTANT:
  private static let llavaVicuna = llava(
    system: "texts(message, '', ' ')", user: "'USER: ' + images(message, '\\n') + texts(message, '', ' ')",
    assistant: "'ASSISTANT: ' + texts(message, '', ' ')", prompt: "'ASSISTANT:'", beforeAnswer: "' '", end: "eos_token")

  // llava-v1.6-mistral: [INST] <image>⏎Hello [/INST]. The models came with a misspelt "</s>".
  private static let llavaMistral = llava(
    system: "'<<SYS>>\\n' + texts(message) + '\\n<</SYS>>\\n\\n'",
    user: "'[INST] ' + images(message, '\\n') + texts(message) + ' [/INST]'",
    assistant: "' ' + texts(message) + '<\\\\s> '", prompt: "''", beforeAnswer: "' '", end: "eos_token")

  // llama3-llava-next: <|start_header_id|>user<|end_header_id|>⏎⏎<image>⏎Hello<|eot_id|>
  private static let llavaLlama3: String = {
    let frame = "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
    let said = "\(frame) + images(message, '') + texts(message, '\\n', '<|eot_id|>')"
    return llava(
      system: said, user: said, assistant: said,
      prompt: "'<|start_header_id|>assistant<|end_header_id|>\\n\\n'", end: "'<|eot_id|>'")
  }()

  // llava-onevision: <|im_start|>user <image>⏎Hello<|im_end|>
  private static let llavaOneVision: String = {
    let said = "'<|im_start|>' + message['role'] + ' ' + images(message, '') + texts(message, '\\n') + '<|im_end|>'"
    return llava(
      system: said, user: said, assistant: said, prompt: "'<|im_start|>assistant\\n'", end: "'<|im_end|>'")
  }()

  // llava-v1.6-34b: <|im_start|>user⏎<image>⏎Hello<|im_end|>⏎
  private static let llavaYi: String = {
    let said = "'<|im_start|>' + message['role'] + '\\n' + images(message, '\\n') + texts(message) + '<|im_end|>\\n'"
    return llava(
      system: said, user: said, assistant: said, prompt: "'<|im_start|>assistant\\n'", end: "'<|im_end|>'",
      afterEnd: "'\\n'")
  }()
}
