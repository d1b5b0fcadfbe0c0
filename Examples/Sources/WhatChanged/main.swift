// Says what patches change and what is known of their cost; reacts to errors by code.
//
//     WhatChanged PATCH…

import VPatch

let vpatch = PatchWorkspace()
for path in CommandLine.arguments.dropFirst() {
  do {
    try vpatch.verify(path)
    let patch = try vpatch.patch(path)
    let elements = patch.tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
    print("\(patch.name ?? path): \(patch.tensors.count) tensors, \(elements) elements, \(patch.fileBytes) bytes")
    for tensor in patch.tensors.prefix(3) {
      print("  \(tensor.operation) \(tensor.name) \(tensor.dtype) \(tensor.shape)")
    }
    for record in patch.records {
      print("  \(record.task) \(record.metric): \(record.before) before, \(record.after) after, \(record.status)")
    }
    if patch.records.isEmpty { print("  unmeasured") }
  } catch {
    switch (error.code, error.detail) {
    case (.invalid, .damaged?): print("\(path): damaged, fetch it again")
    case (.invalid, _): print("\(path): not a patch: \(error.reason)")
    case (.io, _): print("\(path): cannot be read: \(error.reason)")
    default: print("\(path): \(error)")
    }
  }
}
