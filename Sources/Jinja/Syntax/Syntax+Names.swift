// The names in a part of a template, in the order of the fields of Jinja2's nodes.

extension Expression {
  /// Its parts.
  var children: [Expression] {
    switch self {
    case .constant, .name: []
    case .tuple(let items), .list(let items), .concat(let items): items
    case .dict(let members): members.flatMap { [$0.key, $0.value] }
    case .attribute(let value, _, _), .not(let value), .negative(let value), .positive(let value): [value]
    case .item(let value, let item, _): [value, item]
    case .slice(let start, let stop, let step): [start, stop, step].compactMap { $0 }
    case .call(let callee, let arguments, _): [callee] + arguments.children
    case .filter(let value, _, let arguments, _): (value.map { [$0] } ?? []) + arguments.children
    case .test(let value, _, let arguments, _): [value] + arguments.children
    case .and(let a, let b), .or(let a, let b), .arithmetic(_, let a, let b, _): [a, b]
    case .compare(let first, let operands, _): [first] + operands.map(\.operand)
    case .conditional(let test, let then, let otherwise, _): [test, then] + (otherwise.map { [$0] } ?? [])
    }
  }

  func forEachName(_ visit: (Name) -> Void) {
    if case .name(let name) = self { return visit(name) }
    for child in children { child.forEachName(visit) }
  }
}

extension CallArguments {
  fileprivate var children: [Expression] {
    positional + named.map(\.value) + [more, moreNamed].compactMap { $0 }
  }
}

extension Target {
  func forEachName(_ visit: (Name) -> Void) {
    switch self {
    case .name(let name): visit(name)
    // In Jinja2 this name is in a different kind of node.
    case .attribute: break
    case .tuple(let targets): for target in targets { target.forEachName(visit) }
    }
  }
}

extension Callable {
  func forEachName(_ visit: (Name) -> Void) {
    for parameter in parameters { visit(parameter) }
    for value in defaults { value.forEachName(visit) }
    body.forEachName(visit)
  }
}

extension [Statement] {
  func forEachName(_ visit: (Name) -> Void) {
    for statement in self { statement.forEachName(visit) }
  }
}

extension Statement {
  func forEachName(_ visit: (Name) -> Void) {
    switch self {
    case .text, .breakLoop, .continueLoop: break
    case .output(let value, _): value.forEachName(visit)
    case .loop(let loop):
      loop.target.forEachName(visit)
      loop.iterated.forEachName(visit)
      loop.body.forEachName(visit)
      loop.otherwise.forEachName(visit)
      loop.test?.forEachName(visit)
    case .conditional(let branches, let otherwise, _):
      for (test, body) in branches {
        test.forEachName(visit)
        body.forEachName(visit)
      }
      otherwise.forEachName(visit)
    case .set(let target, let value, _):
      target.forEachName(visit)
      value.forEachName(visit)
    case .setBlock(let target, let filter, let body, _, _):
      target.forEachName(visit)
      filter?.forEachName(visit)
      body.forEachName(visit)
    case .with(let values, let body, _, _):
      for (target, _) in values { target.forEachName(visit) }
      for (_, value) in values { value.forEachName(visit) }
      body.forEachName(visit)
    case .filterBlock(let filter, let body, _, _):
      body.forEachName(visit)
      filter.forEachName(visit)
    case .macro(_, let callable), .generation(let callable): callable.forEachName(visit)
    case .callBlock(let call, let callable):
      call.forEachName(visit)
      callable.forEachName(visit)
    }
  }
}

/// Names that are read before they are assigned: the implicit parameters of a macro.
func undeclared(_ names: [String], in body: [Statement]) -> Set<String> {
  var sought = Set(names)
  var found: Set<String> = []
  body.forEachName { name in
    if name.use == .load, sought.contains(name.text) {
      found.insert(name.text)
    } else {
      sought.remove(name.text)
    }
  }
  return found
}
