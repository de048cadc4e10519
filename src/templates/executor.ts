/** Walks a template's tree and writes its output. */
import { Evaluator } from "./evaluator.ts";
import type { Program } from "./evaluator.ts";
import { Meter } from "./meter.ts";
import type { RenderLimits } from "./meter.ts";
import type { ActionNode, BranchNode, ListNode, StatementNode, TemplateNode } from "./nodes.ts";
import type { TreeSet } from "./parser.ts";
import { printValue } from "./printer.ts";
import { quote } from "./quoting.ts";
import { Scope } from "./scope.ts";
import { Byte, asNumber, isTrue, kindOf, member, sortedIndexes, sortedKeys } from "./values.ts";
import type { IndexMap, Value, ValueMap } from "./values.ts";

/** How a list ended: at its end, or by one of the jumps. */
type Ending = "end" | "break" | "continue";

/**
 * Renders a parsed template.
 * @throws TemplateError
 */
export function execute(program: Program, trees: TreeSet, data: Value, limits?: RenderLimits): string {
  // JSON's null as the whole input is no value at all: only inside of something is it a nil
  const evaluator = new Evaluator(program, data ?? undefined, new Meter(limits));
  const executor = new Executor(evaluator, trees);
  return evaluator.guarded(() => executor.run());
}

class Executor {
  readonly #evaluator: Evaluator;
  readonly #meter: Meter;
  readonly #trees: TreeSet;
  #out = "";
  #bytes = 0;
  #depth = 0;

  constructor(evaluator: Evaluator, trees: TreeSet) {
    this.#evaluator = evaluator;
    this.#meter = evaluator.meter;
    this.#trees = trees;
  }

  run(): string {
    const root = this.#trees.get(this.#evaluator.program.name);
    if (root !== undefined) this.#list(root);
    // halves of characters cannot be encoded
    return this.#out.toWellFormed();
  }

  #write(text: string, bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#meter.maxOutputBytes) this.#meter.text(this.#bytes);
    this.#out += text;
  }

  #list(list: ListNode): Ending {
    for (const node of list.nodes) {
      const ending = this.#statement(node);
      if (ending !== "end") return ending;
    }
    return "end";
  }

  #statement(node: StatementNode): Ending {
    this.#meter.steps(1);
    this.#evaluator.node = node;
    switch (node.kind) {
      case "text":
        this.#write(node.text, node.bytes);
        return "end";
      case "action":
        this.#action(node);
        return "end";
      case "if":
      case "with":
        return this.#ifOrWith(node);
      case "range":
        return this.#range(node);
      case "template":
        this.#template(node);
        return "end";
      case "break":
      case "continue":
        return node.kind;
    }
  }

  #action(node: ActionNode): void {
    const value = this.#evaluator.pipeline(node.pipe);
    if (node.pipe.variables.length > 0) return;
    this.#evaluator.node = node;
    const text = value === undefined ? "<no value>" : printValue(value, this.#meter);
    this.#write(text, Buffer.byteLength(text));
  }

  #ifOrWith(node: BranchNode): Ending {
    const { scope } = this.#evaluator;
    const size = scope.size;
    const value = this.#evaluator.pipeline(node.pipe);
    let ending: Ending = "end";
    if (!isTrue(value, this.#meter)) {
      if (node.otherwise !== undefined) ending = this.#list(node.otherwise);
    } else if (node.kind === "with") {
      ending = this.#withDot(value, "value", node.list);
    } else {
      ending = this.#list(node.list);
    }
    scope.shrink(size);
    return ending;
  }

  #withDot(dot: Value, origin: "value" | "element", list: ListNode): Ending {
    const evaluator = this.#evaluator;
    const { dot: outer, dotIsElement } = evaluator;
    evaluator.dot = dot;
    evaluator.dotIsElement = origin === "element";
    const ending = this.#list(list);
    evaluator.dot = outer;
    evaluator.dotIsElement = dotIsElement;
    return ending;
  }

  #range(node: BranchNode): Ending {
    const { scope } = this.#evaluator;
    const size = scope.size;
    const value = this.#evaluator.pipeline(node.pipe);
    const ran = this.#iterate(node, value);
    // an else of a range is outside of it: its jumps belong to the range around
    const ending = ran || node.otherwise === undefined ? "end" : this.#list(node.otherwise);
    scope.shrink(size);
    // Go's range takes a break in its else for its own
    return ending === "break" ? "end" : ending;
  }

  /** Runs the body of a range; false if there was nothing to iterate over. */
  #iterate(node: BranchNode, value: Value): boolean {
    switch (kindOf(value)) {
      case "invalid":
        return false;
      case "int":
      case "uint8":
        return this.#iterateInteger(node, value);
      case "list":
        return this.#iterateKeys(node, (value as readonly Value[]).keys(), (key) => (value as readonly Value[])[key]);
      case "map": {
        const map = value as ValueMap;
        return this.#iterateKeys(node, sortedKeys(map, this.#meter), (key) => member(map, key));
      }
      case "indexMap": {
        const map = value as IndexMap;
        return this.#iterateKeys(node, sortedIndexes(map, this.#meter), (key) => map.entries.get(key));
      }
      case "bool":
      case "float64":
      case "string":
      case "moment":
        return this.#evaluator.fail(`range can't iterate over ${printValue(value, this.#meter)}`);
    }
  }

  #iterateInteger(node: BranchNode, value: Value): boolean {
    if (node.pipe.variables.length > 1) {
      this.#evaluator.fail(`can't use ${printValue(value, this.#meter)} to iterate over more than one variable`);
    }
    const count = asNumber(value);
    for (let index = 0; index < count; index++) {
      const element = value instanceof Byte ? new Byte(index) : index;
      if (this.#iteration(node, undefined, element, "value") === "break") break;
    }
    return count > 0;
  }

  #iterateKeys<K extends string | number>(node: BranchNode, keys: Iterable<K>, get: (key: K) => Value): boolean {
    let ran = false;
    for (const key of keys) {
      ran = true;
      if (this.#iteration(node, key, get(key) ?? null, "element") === "break") break;
    }
    return ran;
  }

  #iteration(node: BranchNode, key: Value, element: Value, origin: "value" | "element"): Ending {
    this.#meter.steps(1);
    const { scope } = this.#evaluator;
    const { variables, assigns } = node.pipe;
    const mark = scope.size;
    const last = variables.length - 1;
    if (last >= 0) {
      const index = assigns ? this.#evaluator.variableIndex(variables[last]!.names[0]!) : mark - 1;
      if (last > 0) {
        const keyIndex = assigns ? this.#evaluator.variableIndex(variables[0]!.names[0]!) : mark - 2;
        scope.set(keyIndex, key);
      }
      if (origin === "element") scope.setElement(index, element);
      else scope.set(index, element);
    }
    const ending = this.#withDot(element, origin, node.list);
    scope.shrink(mark);
    return ending;
  }

  #template(node: TemplateNode): void {
    const evaluator = this.#evaluator;
    const tree = this.#trees.get(node.name);
    if (tree === undefined) return evaluator.fail(`template ${quote(node.name)} not defined`);
    if (this.#depth >= this.#meter.maxTemplateDepth) {
      evaluator.fail(`exceeded maximum template depth (${this.#meter.maxTemplateDepth})`, "maxTemplateDepth");
    }
    const dot = node.pipe === undefined ? undefined : evaluator.pipeline(node.pipe);
    const { scope, templateName } = evaluator;
    // a template sees no variables of its caller
    evaluator.scope = new Scope(dot);
    evaluator.templateName = node.name;
    this.#depth++;
    this.#withDot(dot, "value", tree);
    this.#depth--;
    evaluator.scope = scope;
    evaluator.templateName = templateName;
  }
}
