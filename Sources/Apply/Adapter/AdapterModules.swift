import Base
import Checkpoints
import Families

/// The names that a model's tensors have in memory, as transformers 5 loads it and PEFT writes them.
package struct AdapterModules: Sendable {
  /// By the bytes of the names in the files: the parameter, where it is one tensor of the files.
  private let parameters: [String: (name: String, rank: Int)]

  package init(_ checkpoint: SafetensorsCheckpoint) {
    let infos = checkpoint.tensors.map(\.info)
    let runtime = RuntimeModel(infos, config: checkpoint.config ?? .object([]))
    let uses = Dictionary(grouping: runtime.parameters.flatMap(\.tensors), by: \.self).mapValues(\.count)
    parameters = runtime.parameters.reduce(into: [:]) { found, parameter in
      guard parameter.tensors.count == 1, let index = parameter.tensors.first, uses[index] == 1 else { return }
      found[infos[index].name.bytesKey] = (parameter.name, parameter.rank)
    }
  }

  /// The parameter that a tensor is; nil for a part of a larger one.
  package func parameter(of name: String) -> String? { parameters[name.bytesKey]?.name }

  /// The module whose weight is this matrix; nil for anything else.
  package func module(of name: String) -> String? {
    guard let (parameter, rank) = parameters[name.bytesKey], rank == 2, parameter.hasSuffix(".weight") else {
      return nil
    }
    return String(parameter.dropLast(".weight".count))
  }

  /// The modules of all matrices.
  package var all: [String] {
    parameters.values.filter { $0.rank == 2 && $0.name.hasSuffix(".weight") }.map {
      String($0.name.dropLast(".weight".count))
    }
  }
}
