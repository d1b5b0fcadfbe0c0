/// A variable of the Python function that Jinja2 generates from a template: each scope level has one per name.
struct Variable: Hashable {
  let name: String
  let level: Int
  /// The function that it is local to.
  let function: Int
}

/// Initial value of a variable when its scope is entered.
enum InitialValue {
  case parameter
  /// The template's variable of that name, or the global one.
  case resolve
  case alias(Variable)
  case undefined
}

/// The names of one scope, as in Jinja2's `idtracking.Symbols`. The variable that a name refers to is determined for a
/// whole scope before rendering, independently of the order of execution.
final class Symbols {
  let level: Int
  let function: Int
  let parent: Symbols?
  private(set) var variables: [String: Variable] = [:]
  private(set) var initial: [Variable: InitialValue] = [:]
  private(set) var order: [Variable] = []
  private var stores: Set<String> = []

  init(parent: Symbols?, function: Int) {
    self.parent = parent
    self.function = function
    level = parent.map { $0.level + 1 } ?? 0
  }

  private init(copying other: Symbols) {
    (level, function, parent) = (other.level, other.function, other.parent)
    (variables, initial, order, stores) = (other.variables, other.initial, other.order, other.stores)
  }

  func find(_ name: String) -> Variable? { variables[name] ?? parent?.find(name) }

  private func define(_ name: String, _ value: InitialValue) {
    let variable = Variable(name: name, level: level, function: function)
    variables[name] = variable
    set(variable, value)
  }

  private func set(_ variable: Variable, _ value: InitialValue) {
    if initial.updateValue(value, forKey: variable) == nil { order.append(variable) }
  }

  func load(_ name: String) {
    if find(name) == nil { define(name, .resolve) }
  }

  func store(_ name: String) {
    stores.insert(name)
    guard variables[name] == nil else { return }
    define(name, parent?.find(name).map { .alias($0) } ?? .undefined)
  }

  func declare(parameter name: String) {
    stores.insert(name)
    define(name, .parameter)
  }

  // MARK: Statements

  func visit(_ statements: [Statement]) { for statement in statements { visit(statement) } }

  func visit(_ expression: Expression) { expression.forEachName { load($0.text) } }

  func visit(_ target: Target, asParameter: Bool = false) {
    switch target {
    case .name(let name):
      if asParameter || name.use == .parameter { declare(parameter: name.text) } else { store(name.text) }
    case .attribute(let name, _): load(name.text)
    case .tuple(let targets): for target in targets { visit(target, asParameter: asParameter) }
    }
  }

  /// Visits the statements in this scope, without nested scopes.
  private func visit(_ statement: Statement) {
    switch statement {
    case .text, .breakLoop, .continueLoop, .generation: break
    case .output(let value, _): visit(value)
    case .loop(let loop): visit(loop.iterated)
    case .conditional(let branches, let otherwise, _):
      visit(branches[0].test)
      let first = branch { $0.visit(branches[0].body) }
      let others = branch { symbols in
        for (test, body) in branches.dropFirst() {
          symbols.visit(test)
          symbols.join([symbols.branch { $0.visit(body) }])
        }
      }
      join([first, others, branch { $0.visit(otherwise) }])
    case .set(let target, let value, _):
      visit(value)
      visit(target)
    case .setBlock(let target, _, _, _, _): visit(target)
    case .with(let values, _, _, _): for (_, value) in values { visit(value) }
    case .filterBlock(let filter, _, _, _): visit(filter)
    case .macro(let name, _): store(name.text)
    case .callBlock(let call, _): visit(call)
    }
  }

  private func branch(_ visit: (Symbols) -> Void) -> Symbols {
    let copy = Symbols(copying: self)
    visit(copy)
    return copy
  }

  /// Merges the symbols of branches, of which at most one is executed.
  private func join(_ branches: [Symbols]) {
    let stored = branches.reduce(into: Set()) { $0.formUnion($1.stores) }.subtracting(stores)
    for branch in branches {
      variables.merge(branch.variables) { $1 }
      for variable in branch.order { set(variable, branch.initial[variable]!) }
      stores.formUnion(branch.stores)
    }
    for name in stored {
      guard let variable = find(name) else { continue }
      set(variable, parent?.find(name).map { .alias($0) } ?? .resolve)
    }
  }
}
