// How PyTorch pickles a tensor: a call of a function that would build it again.
//
//   torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks[, metadata])
//   torch._utils._rebuild_tensor_v3(storage, offset, shape, strides, requires_grad, hooks, dtype[, metadata])
//   torch._utils._rebuild_parameter(tensor, requires_grad, hooks)
//   torch._utils._rebuild_parameter_with_state(tensor, requires_grad, hooks, state)
//   torch._tensor._rebuild_from_type_v2(function, type, arguments, state): a buffer, or a tensor with attributes
//
// The storage is a persistent identifier: ("storage", class, key, device, number of elements), and in the legacy format
// a sixth item, None or a view. Offset and strides count elements of the tensor's dtype. Metadata say whether the
// elements are to be conjugated or negated when they are read.

import Base

/// A tensor in a file of torch.save: which elements of a storage it consists of.
struct TorchTensor: Equatable {
  let dtype: DType
  let shape: [Int]
  /// In elements.
  let strides: [Int]
  let offset: Int
  /// Which storage.
  let storage: String
  /// The storage's length in bytes.
  let storageBytes: Int

  struct Refusal: Error { let reason: String }

  /// The classes and functions in pickles of tensors.
  static let globals: Set<PickleGlobal> = {
    let functions = ["_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter", "_rebuild_parameter_with_state"]
    var all = Set(functions.map { PickleGlobal("torch._utils", $0) })
    all.formUnion(TorchDType.named.keys.map { PickleGlobal("torch", $0) })
    all.formUnion(TorchDType.storages.keys.map { PickleGlobal("torch", $0) })
    all.formUnion([
      TorchDType.untypedStorage, fromType, PickleGlobal("collections", "OrderedDict"), PickleGlobal("torch", "Size"),
    ])
    all.formUnion(plainTypes)
    return all
  }()

  private static let fromType = PickleGlobal("torch._tensor", "_rebuild_from_type_v2")
  /// Types that are tensors like any other.
  private static let plainTypes: Set<PickleGlobal> = [
    PickleGlobal("torch", "Tensor"), PickleGlobal("torch.nn.parameter", "Parameter"),
    PickleGlobal("torch.nn.parameter", "Buffer"),
  ]

  /// - Returns: nil for a value that is no tensor.
  /// - Throws: `Refusal` for a tensor that cannot be read.
  init?(_ value: PickleValue) throws { try self.init(value, depth: 0) }

  /// - Parameter depth: how many calls it is inside of. A parameter has a tensor, and that may have a type.
  private init?(_ value: PickleValue, depth: Int) throws {
    guard let call = value.call, depth < 3 else { return nil }
    try self.init(call.function, call.arguments, depth)
  }

  private init?(_ function: PickleGlobal, _ arguments: [PickleValue], _ depth: Int) throws {
    switch function.name {
    case "_rebuild_tensor_v2", "_rebuild_tensor_v3":
      try self.init(rebuilding: arguments, isTyped: function.name == "_rebuild_tensor_v3")
    case "_rebuild_parameter", "_rebuild_parameter_with_state":
      guard let tensor = try arguments.first.flatMap({ try TorchTensor($0, depth: depth + 1) }) else {
        throw Refusal(reason: "is a parameter without a tensor")
      }
      self = tensor
    case "_rebuild_from_type_v2":
      guard arguments.count == 4, let inner = arguments[0].global, let type = arguments[1].global,
        let innerArguments = arguments[2].tuple, Self.plainTypes.contains(type), inner != Self.fromType,
        let tensor = try TorchTensor(inner, innerArguments, depth + 1)
      else { throw Refusal(reason: "is a tensor of a type that is not known") }
      self = tensor
    default: return nil
    }
  }

  private init(rebuilding arguments: [PickleValue], isTyped: Bool) throws {
    let metadataIndex = isTyped ? 7 : 6
    guard arguments.count == metadataIndex || arguments.count == metadataIndex + 1,
      let stored = arguments[0].persistent?.tuple, stored.count == 5 || stored.count == 6,
      stored[0].string == "storage", let type = stored[1].global, let key = stored[2].string, let count = stored[4].int,
      let offset = arguments[1].int, let shape = Self.sizes(arguments[2]), let strides = Self.sizes(arguments[3]),
      shape.count == strides.count
    else { throw Refusal(reason: "is not described as PyTorch describes tensors") }
    if stored.count == 6, !stored[5].isNone { throw Refusal(reason: "is a view of a storage of an old form") }
    if arguments.count > metadataIndex, let metadata = arguments[metadataIndex].dictionary {
      guard metadata.allSatisfy({ $0.value.bool == false }) else {
        throw Refusal(reason: "is conjugated or negated when it is read")
      }
    }
    let storageType = type == TorchDType.untypedStorage ? nil : TorchDType.storages[type.name]
    guard let dtype = isTyped ? TorchDType.of(arguments[6].global) : storageType else {
      throw Refusal(reason: "has a dtype that safetensors files do not have")
    }
    let unit = storageType.map { $0.bitsPerElement / 8 } ?? 1
    let (bytes, overflows) = count.multipliedReportingOverflow(by: unit)
    guard !overflows, offset >= 0, let last = Self.last(offset, shape, strides),
      last < bytes / (dtype.bitsPerElement / 8) || shape.contains(0)
    else { throw Refusal(reason: "reaches beyond the end of its storage") }
    (self.dtype, self.shape, self.strides, self.offset) = (dtype, shape, strides, offset)
    (storage, storageBytes) = (key, bytes)
  }

  /// The place of the last element; nil where it overflows.
  private static func last(_ offset: Int, _ shape: [Int], _ strides: [Int]) -> Int? {
    var last = offset
    for (count, stride) in zip(shape, strides) where count > 0 {
      let (distance, overflow) = (count - 1).multipliedReportingOverflow(by: stride)
      let (sum, overflows) = last.addingReportingOverflow(distance)
      guard !overflow, !overflows else { return nil }
      last = sum
    }
    return last
  }

  /// A tuple of sizes, or a `torch.Size` of one.
  static func sizes(_ value: PickleValue) -> [Int]? {
    var items = value.tuple
    if let call = value.call, call.function == PickleGlobal("torch", "Size"), call.arguments.count == 1 {
      items = call.arguments[0].tuple
    }
    guard let sizes = items?.map(\.int), sizes.count <= 64 else { return nil }
    let known = sizes.compactMap { $0 }.filter { (0...Limits.number).contains($0) }
    return known.count == sizes.count ? known : nil
  }
}
