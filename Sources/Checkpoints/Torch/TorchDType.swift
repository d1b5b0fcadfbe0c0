/// PyTorch's names of dtypes and of the storages of older files, and their names in safetensors files.
enum TorchDType {
  /// By the attribute of `torch`. Those that safetensors does not have (quantised, complex128, bits) are left out.
  static let named: [String: DType] = [
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ", "float8_e8m0fnu": "F8_E8M0", "complex64": "C64",
  ].mapValues { DType($0)! }

  static let storages: [String: DType] = [
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
    "BoolStorage": "BOOL", "ComplexFloatStorage": "C64",
  ].mapValues { DType($0)! }

  static let untypedStorage = PickleGlobal("torch.storage", "UntypedStorage")

  /// The dtype that a pickle names.
  static func of(_ global: PickleGlobal?) -> DType? {
    guard let global, global.module == "torch" else { return nil }
    return named[global.name]
  }
}
