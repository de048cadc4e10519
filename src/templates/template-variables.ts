/** Which fields of the input a template mentions. */
import type { ArgumentNode, CommandNode, ListNode, PipeNode, StatementNode } from "./nodes.ts";
import type { TreeSet } from "./parser.ts";

/**
 * Names of the top-level input fields that a template mentions, sorted: `.x` where dot is the input, and `$.x`.
 * Best effort: inside `{{with}}` and `{{range}}` dot is something else, and what a called template reads of the dot
 * that it is given is followed for `{{template "name" .}}` and `$` only. Fields that a function picks
 * (`index . "x"`) are found where the key is a constant.
 */
export function templateVariables(name: string, trees: TreeSet): readonly string[] {
  const collector = new Collector(trees);
  collector.template(name);
  return [...collector.names].sort();
}

/** What dot and $ are: the input, or something else. */
interface Roots {
  readonly dot: boolean;
  readonly dollar: boolean;
}

class Collector {
  readonly names = new Set<string>();
  readonly #trees: TreeSet;
  readonly #visited = new Set<string>();

  constructor(trees: TreeSet) {
    this.#trees = trees;
  }

  /** A template that is called with the input. */
  template(name: string): void {
    if (this.#visited.has(name)) return;
    this.#visited.add(name);
    const tree = this.#trees.get(name);
    if (tree !== undefined) this.#list(tree, { dot: true, dollar: true });
  }

  #list(list: ListNode | undefined, roots: Roots): void {
    for (const node of list?.nodes ?? []) this.#statement(node, roots);
  }

  #statement(node: StatementNode, roots: Roots): void {
    switch (node.kind) {
      case "action":
        return this.#pipe(node.pipe, roots);
      case "if":
      case "with":
      case "range": {
        this.#pipe(node.pipe, roots);
        const keepsDot = node.kind === "if" || (node.kind === "with" && isInput(node.pipe, roots));
        this.#list(node.list, keepsDot ? roots : { ...roots, dot: false });
        return this.#list(node.otherwise, roots);
      }
      case "template":
        if (node.pipe !== undefined) {
          this.#pipe(node.pipe, roots);
          if (isInput(node.pipe, roots)) this.template(node.name);
        }
        return;
      case "text":
      case "break":
      case "continue":
    }
  }

  #pipe(pipe: PipeNode, roots: Roots): void {
    for (const command of pipe.commands) {
      this.#indexed(command, roots);
      for (const argument of command.arguments) this.#argument(argument, roots);
    }
  }

  /** `index . "name"` */
  #indexed(command: CommandNode, roots: Roots): void {
    const [callee, receiver, key] = command.arguments;
    if (callee?.kind !== "identifier" || callee.name !== "index" || key?.kind !== "string") return;
    if (receiver !== undefined && isInputNode(receiver, roots)) this.names.add(key.text);
  }

  #argument(node: ArgumentNode, roots: Roots): void {
    switch (node.kind) {
      case "field":
        if (roots.dot) this.names.add(node.names[0]!);
        return;
      case "variable":
        if (roots.dollar && node.names[0] === "$" && node.names.length > 1) this.names.add(node.names[1]!);
        return;
      case "chain":
        if (isInputNode(node.node, roots)) this.names.add(node.names[0]!);
        return this.#argument(node.node, roots);
      case "pipe":
        return this.#pipe(node, roots);
      default:
    }
  }
}

function isInput(pipe: PipeNode, roots: Roots): boolean {
  const [command, ...others] = pipe.commands;
  const [node, ...rest] = command?.arguments ?? [];
  return others.length === 0 && rest.length === 0 && node !== undefined && isInputNode(node, roots);
}

function isInputNode(node: ArgumentNode, roots: Roots): boolean {
  if (node.kind === "pipe") return isInput(node, roots);
  if (node.kind === "dot") return roots.dot;
  return node.kind === "variable" && roots.dollar && node.names.length === 1 && node.names[0] === "$";
}
