/** The parse tree of a template, and how Go writes its nodes in error messages. */
import type { NumberConstant } from "./number-literals.ts";
import { quote } from "./quoting.ts";

interface Placed {
  /** Offset in the source, in UTF-16 units. */
  readonly at: number;
}

export interface BoolNode extends Placed {
  readonly kind: "bool";
  readonly value: boolean;
}
export interface DotNode extends Placed {
  readonly kind: "dot";
}
export interface NilNode extends Placed {
  readonly kind: "nil";
}
export interface NumberNode extends Placed {
  readonly kind: "number";
  readonly text: string;
  readonly constant: NumberConstant;
}
export interface StringNode extends Placed {
  readonly kind: "string";
  /** As written, with quotes. */
  readonly quoted: string;
  readonly text: string;
}
/** A function's name. */
export interface IdentifierNode extends Placed {
  readonly kind: "identifier";
  readonly name: string;
}
/** `.a.b` */
export interface FieldNode extends Placed {
  readonly kind: "field";
  readonly names: readonly string[];
}
/** `$x.a.b`: the first name is that of the variable, with its dollar sign. */
export interface VariableNode extends Placed {
  readonly kind: "variable";
  readonly names: readonly string[];
}
/** `(pipeline).a.b` */
export interface ChainNode extends Placed {
  readonly kind: "chain";
  readonly node: ArgumentNode;
  readonly names: readonly string[];
}
export interface PipeNode extends Placed {
  readonly kind: "pipe";
  readonly variables: VariableNode[];
  /** `=` instead of `:=`. */
  assigns: boolean;
  readonly commands: CommandNode[];
}
export interface CommandNode extends Placed {
  readonly kind: "command";
  readonly arguments: ArgumentNode[];
}
/** What can stand in a command. */
export type ArgumentNode =
  | BoolNode
  | ChainNode
  | DotNode
  | FieldNode
  | IdentifierNode
  | NilNode
  | NumberNode
  | PipeNode
  | StringNode
  | VariableNode;

export interface TextNode extends Placed {
  readonly kind: "text";
  readonly text: string;
  readonly bytes: number;
}
export interface ActionNode extends Placed {
  readonly kind: "action";
  readonly pipe: PipeNode;
}
export interface BranchNode extends Placed {
  readonly kind: "if" | "with" | "range";
  readonly pipe: PipeNode;
  readonly list: ListNode;
  readonly otherwise: ListNode | undefined;
}
export interface JumpNode extends Placed {
  readonly kind: "break" | "continue";
}
export interface TemplateNode extends Placed {
  readonly kind: "template";
  readonly name: string;
  readonly pipe: PipeNode | undefined;
}
/** `{{end}}` and `{{else}}`: they end a list and are not part of it. */
export interface MarkNode extends Placed {
  readonly kind: "end" | "else";
}
/** What can stand in a list. */
export type StatementNode = TextNode | ActionNode | BranchNode | JumpNode | TemplateNode;
export interface ListNode extends Placed {
  readonly kind: "list";
  readonly nodes: StatementNode[];
}

/** Nodes that error messages show. */
export type ShownNode = ArgumentNode | CommandNode | StatementNode;

/** A node as Go writes it. */
export function nodeText(node: ShownNode): string {
  switch (node.kind) {
    case "bool":
      return String(node.value);
    case "dot":
      return ".";
    case "nil":
      return "nil";
    case "number":
    case "text":
      return node.text;
    case "string":
      return node.quoted;
    case "identifier":
      return node.name;
    case "field":
      return `.${node.names.join(".")}`;
    case "variable":
      return node.names.join(".");
    case "chain":
      return `${argumentText(node.node)}.${node.names.join(".")}`;
    case "pipe":
      return pipeText(node);
    case "command":
      return node.arguments.map(argumentText).join(" ");
    case "action":
      return `{{${pipeText(node.pipe)}}}`;
    case "template":
      return `{{template ${quote(node.name)}${node.pipe === undefined ? "" : ` ${pipeText(node.pipe)}`}}}`;
    case "if":
    case "with":
    case "range":
      return `{{${node.kind} ${pipeText(node.pipe)}}}`;
    case "break":
    case "continue":
      return `{{${node.kind}}}`;
  }
}

function argumentText(node: ArgumentNode): string {
  return node.kind === "pipe" ? `(${pipeText(node)})` : nodeText(node);
}

function pipeText(pipe: PipeNode): string {
  const commands = pipe.commands.map(nodeText).join(" | ");
  if (pipe.variables.length === 0) return commands;
  return `${pipe.variables.map(nodeText).join(", ")} ${pipe.assigns ? "=" : ":="} ${commands}`;
}

/** Whether a node ends the list that it was found in. */
export function isMark(node: StatementNode | MarkNode): node is MarkNode {
  return node.kind === "end" || node.kind === "else";
}

/** Whether a list has nothing but white space. */
export function isEmpty(list: ListNode): boolean {
  return list.nodes.every((node) => node.kind === "text" && node.text.trim() === "");
}
