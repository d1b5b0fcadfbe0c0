/// Every parser and decoder that reads what comes from outside, by the name that fuzz/run.sh gives it.
package enum FuzzTarget: String, CaseIterable, Sendable {
  case safetensors, patch, image
  case torchFile, pickle, distributed, distributedPart
  case json, journal, provenance, stack, annotations, chunk, lowRank, adapter, key
  case suite, results
  case tokenizer, pattern, template, jinja, jinjaSyntax, config, processor, rows
  case catalogue

  /// What its inputs are, so that some of the changes keep their form.
  package enum Form: Sendable { case bytes, json, headed, patch, template }

  package var form: Form {
    switch self {
    case .patch: .patch
    case .safetensors: .headed
    case .json, .provenance, .annotations, .results, .tokenizer, .config, .processor, .rows, .adapter: .json
    case .template, .jinja, .jinjaSyntax: .template
    default: .bytes
    }
  }
}

extension FuzzTargets {
  /// Gives one input to one target.
  package func run(_ target: FuzzTarget, _ bytes: UnsafeRawBufferPointer) {
    switch target {
    case .safetensors: safetensors(bytes)
    case .patch: patch(bytes)
    case .image: image(bytes)
    case .torchFile: torchFile(bytes)
    case .pickle: pickle(bytes)
    case .distributed: distributed(bytes)
    case .distributedPart: distributedPart(bytes)
    case .json: json(bytes)
    case .journal: journal(bytes)
    case .provenance: provenance(bytes)
    case .stack: stack(bytes)
    case .annotations: annotations(bytes)
    case .chunk: chunk(bytes)
    case .lowRank: lowRank(bytes)
    case .adapter: adapter(bytes)
    case .key: key(bytes)
    case .suite: suite(bytes)
    case .results: results(bytes)
    case .tokenizer: tokenizer(bytes)
    case .pattern: pattern(bytes)
    case .template: template(bytes)
    case .jinja: jinja(bytes)
    case .jinjaSyntax: jinjaSyntax(bytes)
    case .config: config(bytes)
    case .processor: processor(bytes)
    case .rows: rows(bytes)
    case .catalogue: catalogue(bytes)
    }
  }
}
