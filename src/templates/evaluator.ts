/** Evaluates pipelines: values, fields, variables, function calls. What is done with the values is the executor's. */
import type { Meter } from "./meter.ts";
import { nodeText } from "./nodes.ts";
import type {
  ArgumentNode,
  ChainNode,
  CommandNode,
  IdentifierNode,
  NumberNode,
  PipeNode,
  ShownNode,
  VariableNode,
} from "./nodes.ts";
import { locate } from "./location.ts";
import { Scope } from "./scope.ts";
import { CallError, LimitError, TemplateError } from "./template-error.ts";
import type { LimitName } from "./template-error.ts";
import { PARAMETER_TYPE_NAMES, isAssignable } from "./template-function.ts";
import type { FunctionTable, ParameterType, TemplateFunction } from "./template-function.ts";
import { quote } from "./quoting.ts";
import { isTrue, kindOf, member, newMap, typeName } from "./values.ts";
import type { Value, ValueMap } from "./values.ts";

/** What `.x` gives when the map has no key `x`: an error, `<no value>`, or the zero value, nil. */
export type MissingKey = "error" | "default" | "zero";

/** What a compiled template hands to its evaluator. */
export interface Program {
  /** The name it was compiled with. */
  readonly name: string;
  readonly source: string;
  readonly functions: FunctionTable;
  readonly missingKey: MissingKey;
}

/** Stands for "no value comes down the pipeline", which is not the same as nil. */
const MISSING = Symbol("missing");
type Final = Value | typeof MISSING;

/** The state of one rendering, and the evaluation of pipelines in it. */
export class Evaluator {
  readonly program: Program;
  readonly meter: Meter;
  scope: Scope;
  dot: Value;
  /** Whether dot is an element of a list or map: Go sees those through an interface and says so in errors. */
  dotIsElement = false;
  /** What is being evaluated, for errors. */
  node: ShownNode | undefined;
  /** The template that is being executed. */
  templateName: string;

  constructor(program: Program, data: Value, meter: Meter) {
    this.program = program;
    this.meter = meter;
    this.dot = data;
    this.scope = new Scope(data);
    this.templateName = program.name;
  }

  /** Throws an error that says where. */
  fail(message: string, limit?: LimitName): never {
    const { name, source } = this.program;
    const { line, column } = locate(source, this.node?.at ?? 0);
    const place = this.node === undefined ? name : `${name}:${line}:${column}`;
    const node = this.node === undefined ? "" : `executing ${quote(this.templateName)} at <${nodeText(this.node)}>: `;
    const withoutSource = `template: ${place}: ${message}`;
    const details = { templateName: name, line, column, withoutSource, ...(limit === undefined ? {} : { limit }) };
    throw new TemplateError("invalid_request", `template: ${place}: ${node}${message}`, details);
  }

  /** The value of a pipeline, which declares or sets the pipeline's variables. */
  pipeline(pipe: PipeNode): Value {
    this.node = pipe;
    let value: Final = MISSING;
    for (const command of pipe.commands) {
      // nil in an interface is no value once it is taken out
      value = this.#command(command, value) ?? undefined;
    }
    const result = value as Value;
    for (const variable of pipe.variables) {
      const name = variable.names[0]!;
      if (pipe.assigns) this.scope.set(this.variableIndex(name), result);
      else this.scope.declare(name, result);
    }
    return result;
  }

  variableIndex(name: string): number {
    const index = this.scope.find(name);
    return index < 0 ? this.fail(`undefined variable: ${name}`) : index;
  }

  #command(command: CommandNode, final: Final): Value {
    this.meter.steps(1);
    const args = command.arguments;
    const first = args[0]!;
    switch (first.kind) {
      case "field":
        this.node = first;
        return this.#fields(this.dot, this.dotIsElement, first.names, args.length > 1 || final !== MISSING);
      case "chain":
        return this.#chain(first, args.length > 1 || final !== MISSING);
      case "identifier":
        return this.#function(first, command, args, final);
      case "pipe":
        this.#notAFunction(args, final);
        return this.pipeline(first);
      case "variable":
        return this.#variable(first, args, final);
      default:
        this.node = first;
        this.#notAFunction(args, final);
    }
    switch (first.kind) {
      case "bool":
        return first.value;
      case "dot":
        return this.dot;
      case "nil":
        return this.fail("nil is not a command");
      case "number":
        return this.#ideal(first);
      case "string":
        return first.text;
    }
  }

  #notAFunction(args: readonly ArgumentNode[], final: Final): void {
    if (args.length > 1 || final !== MISSING) {
      this.fail(`can't give argument to non-function ${nodeText(args[0]!)}`);
    }
  }

  #ideal(node: NumberNode): Value {
    this.node = node;
    if (node.constant.ideal === undefined) this.fail(`${node.text} overflows int`);
    return node.constant.ideal;
  }

  #chain(chain: ChainNode, hasArguments: boolean): Value {
    this.node = chain;
    if (chain.node.kind === "nil") this.fail(`indirection through explicit nil in ${nodeText(chain)}`);
    const receiver = this.#argument(undefined, chain.node);
    // the position stays at the inside of the chain, as Go's does
    return this.#fields(receiver, false, chain.names, hasArguments);
  }

  #variable(node: VariableNode, args: readonly ArgumentNode[], final: Final): Value {
    this.node = node;
    const index = this.variableIndex(node.names[0]!);
    const value = this.scope.value(index);
    if (node.names.length === 1) {
      if (args.length > 0) this.#notAFunction(args, final);
      return value;
    }
    const hasArguments = args.length > 1 || final !== MISSING;
    return this.#fields(value, this.scope.isElement(index), node.names.slice(1), hasArguments);
  }

  /** `.a.b.c` of a receiver. */
  #fields(receiver: Value, isElement: boolean, names: readonly string[], hasArguments: boolean): Value {
    let value = receiver;
    const last = names.length - 1;
    for (let index = 0; index <= last; index++) {
      value = this.#field(value, isElement || index > 0, names[index]!, hasArguments && index === last);
    }
    return value;
  }

  #field(receiver: Value, isElement: boolean, name: string, hasArguments: boolean): Value {
    if (receiver === undefined) {
      if (this.program.missingKey === "error") this.fail(`nil data; no entry for key ${quote(name)}`);
      return undefined;
    }
    if (receiver === null) return this.fail(`nil pointer evaluating interface {}.${name}`);
    if (kindOf(receiver) !== "map") {
      return this.fail(`can't evaluate field ${name} in type ${isElement ? "interface {}" : typeName(receiver)}`);
    }
    if (hasArguments) this.fail(`${name} is not a method but has arguments`);
    const value = member(receiver as ValueMap, name);
    if (value !== undefined) return value;
    switch (this.program.missingKey) {
      case "error":
        return this.fail(`map has no entry for key ${quote(name)}`);
      case "zero":
        return null;
      case "default":
        return undefined;
    }
  }

  #function(node: IdentifierNode, place: ShownNode, args: readonly ArgumentNode[], final: Final): Value {
    this.node = node;
    const { name } = node;
    const called = this.program.functions.get(name);
    if (called === undefined) return this.fail(`${quote(name)} is not a defined function`);
    const given = Math.max(args.length - 1, 0);
    this.#checkCount(called, name, given, final);
    if (called.special === "and" || called.special === "or") return this.#shortCircuit(called.special, args, final);
    const values: Value[] = [];
    for (let index = 0; index < given; index++) {
      values.push(this.#argument(parameterType(called, index), args[index + 1]!));
    }
    if (final !== MISSING) values.push(this.#validate(final, parameterType(called, given)));
    if (called.special === "call") values.unshift(calleeName(args[1], final));
    try {
      return called.call(values, this.meter);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.node = place;
      return this.fail(`error calling ${name}: ${error.message}`);
    }
  }

  #checkCount(called: TemplateFunction, name: string, given: number, final: Final): void {
    const count = given + (final === MISSING ? 0 : 1);
    const wanted = called.parameters.length;
    if (called.rest !== undefined) {
      if (count < wanted) this.fail(`wrong number of args for ${name}: want at least ${wanted} got ${given}`);
    } else if (count !== wanted) {
      this.fail(`wrong number of args for ${name}: want ${wanted} got ${count}`);
    }
  }

  /** The first argument that decides, the others unevaluated, or the last. */
  #shortCircuit(name: "and" | "or", args: readonly ArgumentNode[], final: Final): Value {
    let value: Value;
    for (let index = 1; index < args.length; index++) {
      value = this.#argument("value", args[index]!);
      if (isTrue(value, this.meter) === (name === "or")) return value;
    }
    return final === MISSING ? value : final;
  }

  /** The value of an argument, of the type given; undefined where any value will do, nil too. */
  #argument(type: ParameterType | undefined, node: ArgumentNode): Value {
    this.node = node;
    switch (node.kind) {
      case "dot":
        return this.#validate(this.dot, type);
      case "nil":
        return this.#nil(type);
      case "field":
        return this.#validate(this.#fields(this.dot, this.dotIsElement, node.names, false), type);
      case "variable":
        return this.#validate(this.#variable(node, [], MISSING), type);
      case "pipe":
        return this.#validate(this.pipeline(node), type);
      case "identifier":
        return this.#validate(this.#function(node, node, [], MISSING), type);
      case "chain":
        return this.#validate(this.#chain(node, false), type);
      case "bool":
      case "number":
      case "string":
        return this.#constant(type ?? "any", node);
    }
  }

  #nil(type: ParameterType | undefined): Value {
    switch (type) {
      case "string":
      case "int":
        return this.fail(`cannot assign nil to ${PARAMETER_TYPE_NAMES[type]}`);
      default:
        return zeroOf(type);
    }
  }

  #constant(type: ParameterType, node: Extract<ArgumentNode, { kind: "bool" | "number" | "string" }>): Value {
    switch (type) {
      case "string":
        return node.kind === "string" ? node.text : this.fail(`expected string; found ${nodeText(node)}`);
      case "int":
        if (node.kind === "number" && node.constant.int !== undefined) return node.constant.int;
        return this.fail(`expected integer; found ${nodeText(node)}`);
      case "list":
      case "map":
        return this.fail(`can't handle ${nodeText(node)} for arg of type ${PARAMETER_TYPE_NAMES[type]}`);
      case "any":
      case "value":
        if (node.kind === "number") return this.#ideal(node);
        return node.kind === "string" ? node.text : node.value;
    }
  }

  /** The value, if it fits the type. */
  #validate(value: Value, type: ParameterType | undefined): Value {
    if (type === undefined || type === "value") return value;
    if (value === undefined) {
      if (type !== "string" && type !== "int") return zeroOf(type);
      return this.fail(`invalid value; expected ${PARAMETER_TYPE_NAMES[type]}`);
    }
    if (type === "any") return value;
    if (value !== null && isAssignable(value, type)) return value;
    const got = value === null ? "interface {}" : typeName(value);
    return this.fail(`wrong type for value; expected ${PARAMETER_TYPE_NAMES[type]}; got ${got}`);
  }

  /** Runs something, and says where it was when a limit is exceeded. */
  guarded<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (error instanceof LimitError) return this.fail(error.message, error.limit);
      if (!(error instanceof RangeError)) throw error;
      if (error.message.includes("call stack")) {
        return this.fail("nests too deep: use fewer levels of actions, parentheses or templates", "stack");
      }
      // a text longer than JavaScript can hold, under a limit that would allow it
      return this.fail(`needs too much memory: ${error.message}`, "maxOutputBytes");
    }
  }
}

function parameterType(called: TemplateFunction, index: number): ParameterType {
  return called.parameters[index] ?? called.rest ?? "any";
}

function zeroOf(type: ParameterType | undefined): Value {
  switch (type) {
    case "any":
      return null;
    case "list":
      return [];
    case "map":
      return newMap();
    default:
      return undefined;
  }
}

/** How Go names what `call` was asked to call. */
function calleeName(node: ArgumentNode | undefined, final: Final): string {
  if (node !== undefined) return nodeText(node);
  const value = final as Value;
  if (typeof value === "string") return value;
  return value === undefined ? "<invalid Value>" : `<${typeName(value)} Value>`;
}
