/** Builds the parse trees of a template and of those it defines, as Go's text/template/parse does. */
import { describeToken, startsCommand } from "./lexer.ts";
import type { Token, TokenType } from "./lexer.ts";
import type {
  ArgumentNode,
  BranchNode,
  CommandNode,
  ListNode,
  MarkNode,
  PipeNode,
  StatementNode,
  TemplateNode,
  VariableNode,
} from "./nodes.ts";
import { locate } from "./location.ts";
import { isEmpty, isMark, nodeText } from "./nodes.ts";
import { parseCharacter, parseNumber } from "./number-literals.ts";
import { quote, unquote } from "./quoting.ts";
import { TemplateError } from "./template-error.ts";
import { TokenReader, TokenStream } from "./token-reader.ts";

/** The trees of a source, by template name. */
export type TreeSet = Map<string, ListNode>;

/** How deep parentheses may nest (Go: 10,000). */
const MAX_PAREN_DEPTH = 500;

/** What the parsers of one source share: each `define` and `block` has a parser of its own. */
interface Source {
  readonly name: string;
  readonly text: string;
  readonly tokens: TokenStream;
  readonly hasFunction: (name: string) => boolean;
  readonly trees: TreeSet;
}

/**
 * Parses a source.
 * @throws TemplateError with Go's message
 */
export function parseTemplate(name: string, text: string, hasFunction: (name: string) => boolean): TreeSet {
  const trees: TreeSet = new Map();
  const source: Source = { name, text, tokens: new TokenStream(text), hasFunction, trees };
  new TreeParser(source, name).parseAll();
  return trees;
}

class TreeParser {
  readonly #source: Source;
  readonly #name: string;
  readonly #tokens: TokenReader;
  #variables: string[] = ["$"];
  #actionLine = 0;
  #rangeDepth = 0;
  #parenDepth = 0;

  constructor(source: Source, name: string) {
    this.#source = source;
    this.#name = name;
    this.#tokens = new TokenReader(source.tokens);
  }

  /** The whole source. */
  parseAll(): void {
    const root: ListNode = { kind: "list", at: this.#tokens.peek().at, nodes: [] };
    while (this.#tokens.peek().type !== "end of file") {
      if (this.#tokens.peek().type === "leftDelimiter") {
        const delimiter = this.#tokens.next();
        const token = this.#tokens.nextNonSpace();
        if (token.type === "define") {
          new TreeParser(this.#source, "definition").#define();
          continue;
        }
        this.#tokens.giveBack(token, delimiter);
      }
      const node = this.#textOrAction();
      if (isMark(node)) return this.#fail(`unexpected {{${node.kind}}}`);
      root.nodes.push(node);
    }
    this.#add(this.#name, root);
  }

  #fail(message: string): never {
    const { name, text } = this.#source;
    const line = this.#tokens.latest?.line ?? 0;
    const { column } = locate(text, this.#tokens.latest?.at ?? 0);
    throw new TemplateError("invalid_configuration", `template: ${name}:${line}: ${message}`, {
      templateName: name,
      line,
      column,
    });
  }

  #expect(types: readonly TokenType[], context: string): Token {
    const token = this.#tokens.nextNonSpace();
    return types.includes(token.type) ? token : this.#unexpected(token, context);
  }

  #unexpected(token: Token, context: string): never {
    if (token.type !== "error") this.#fail(`unexpected ${describeToken(token)} in ${context}`);
    let extra = "";
    if (this.#actionLine !== 0 && this.#actionLine !== token.line) {
      const action = token.text.endsWith(" action") ? "" : " in action";
      extra = `${action} started at ${this.#source.name}:${this.#actionLine}`;
    }
    this.#fail(token.text + extra);
  }

  /** Runs what throws SyntaxErrors with Go's messages. */
  #guarded<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof SyntaxError) return this.#fail(error.message);
      throw error;
    }
  }

  /** An empty definition replaces nothing and may be replaced. */
  #add(name: string, root: ListNode): void {
    const { trees } = this.#source;
    const existing = trees.get(name);
    if (existing === undefined || isEmpty(existing)) trees.set(name, root);
    else if (!isEmpty(root)) this.#fail(`template: multiple definition of template ${quote(name)}`);
  }

  #define(): void {
    const token = this.#expect(["string", "rawString"], "define clause");
    const name = this.#guarded(() => unquote(token.text));
    this.#expect(["rightDelimiter"], "define clause");
    const { list, mark } = this.#list();
    if (mark.kind !== "end") this.#fail(`unexpected {{${mark.kind}}} in define clause`);
    this.#add(name, list);
  }

  #list(): { list: ListNode; mark: MarkNode } {
    const list: ListNode = { kind: "list", at: this.#tokens.peekNonSpace().at, nodes: [] };
    while (this.#tokens.peekNonSpace().type !== "end of file") {
      const node = this.#textOrAction();
      if (isMark(node)) return { list, mark: node };
      list.nodes.push(node);
    }
    return this.#fail("unexpected EOF");
  }

  #textOrAction(): StatementNode | MarkNode {
    const token = this.#tokens.nextNonSpace();
    if (token.type === "text") {
      return { kind: "text", at: token.at, text: token.text, bytes: Buffer.byteLength(token.text) };
    }
    if (token.type !== "leftDelimiter") return this.#unexpected(token, "input");
    this.#actionLine = token.line;
    const node = this.#action();
    this.#actionLine = 0;
    return node;
  }

  #action(): StatementNode | MarkNode {
    const token = this.#tokens.nextNonSpace();
    switch (token.type) {
      case "block":
        return this.#block();
      case "break":
      case "continue":
        return this.#jump(token.type, token.at);
      case "else":
        return this.#else();
      case "end":
        return { kind: "end", at: this.#expect(["rightDelimiter"], "end").at };
      case "if":
      case "range":
      case "with":
        return this.#branch(token.type);
      case "template":
        return this.#template();
      default:
        this.#tokens.giveBack(token);
        return { kind: "action", at: this.#tokens.peek().at, pipe: this.#pipeline("command", "rightDelimiter") };
    }
  }

  #jump(kind: "break" | "continue", at: number): StatementNode {
    const token = this.#tokens.nextNonSpace();
    if (token.type !== "rightDelimiter") this.#unexpected(token, `{{${kind}}}`);
    if (this.#rangeDepth === 0) this.#fail(`{{${kind}}} outside {{range}}`);
    return { kind, at };
  }

  #else(): MarkNode {
    const token = this.#tokens.peekNonSpace();
    // left for the branch, which reads {{else if x}} as {{else}}{{if x}}
    if (token.type === "if" || token.type === "with") return { kind: "else", at: token.at };
    return { kind: "else", at: this.#expect(["rightDelimiter"], "else").at };
  }

  #branch(kind: "if" | "range" | "with"): BranchNode {
    const scope = this.#variables.length;
    const pipe = this.#pipeline(kind, "rightDelimiter");
    if (kind === "range") this.#rangeDepth++;
    const { list, mark } = this.#list();
    if (kind === "range") this.#rangeDepth--;
    const otherwise = mark.kind === "else" ? this.#otherwise(kind, mark) : undefined;
    this.#variables.length = scope;
    return { kind, at: pipe.at, pipe, list, otherwise };
  }

  #otherwise(kind: "if" | "range" | "with", mark: MarkNode): ListNode {
    if (kind !== "range" && this.#tokens.peek().type === kind) {
      this.#tokens.next();
      return { kind: "list", at: mark.at, nodes: [this.#branch(kind)] };
    }
    const { list, mark: end } = this.#list();
    if (end.kind !== "end") this.#fail(`expected end; found {{${end.kind}}}`);
    return list;
  }

  #block(): TemplateNode {
    const token = this.#tokens.nextNonSpace();
    const name = this.#templateName(token, "block clause");
    const pipe = this.#pipeline("block clause", "rightDelimiter");
    const inner = new TreeParser(this.#source, name);
    const { list, mark } = inner.#list();
    if (mark.kind !== "end") this.#fail(`unexpected {{${mark.kind}}} in block clause`);
    inner.#add(name, list);
    return { kind: "template", at: token.at, name, pipe };
  }

  #template(): TemplateNode {
    const token = this.#tokens.nextNonSpace();
    const name = this.#templateName(token, "template clause");
    const following = this.#tokens.nextNonSpace();
    if (following.type === "rightDelimiter") return { kind: "template", at: token.at, name, pipe: undefined };
    this.#tokens.giveBack(following);
    return { kind: "template", at: token.at, name, pipe: this.#pipeline("template clause", "rightDelimiter") };
  }

  #templateName(token: Token, context: string): string {
    if (token.type !== "string" && token.type !== "rawString") return this.#unexpected(token, context);
    return this.#guarded(() => unquote(token.text));
  }

  #pipeline(context: string, end: TokenType): PipeNode {
    const pipe: PipeNode = {
      kind: "pipe",
      at: this.#tokens.peekNonSpace().at,
      variables: [],
      assigns: false,
      commands: [],
    };
    while (this.#declaration(pipe, context));
    for (;;) {
      const token = this.#tokens.nextNonSpace();
      if (token.type === end) break;
      if (!startsCommand(token)) this.#unexpected(token, context);
      this.#tokens.giveBack(token);
      pipe.commands.push(this.#command());
    }
    this.#check(pipe, context);
    return pipe;
  }

  /** Takes `$x :=`, `$x =` or `$x,`; true if another declaration must follow. */
  #declaration(pipe: PipeNode, context: string): boolean {
    const variable = this.#tokens.peekNonSpace();
    if (variable.type !== "variable") return false;
    this.#tokens.next();
    const adjacent = this.#tokens.peek();
    const following = this.#tokens.peekNonSpace();
    if (following.type === "assign" || following.type === "declare") {
      pipe.assigns = following.type === "assign";
      this.#tokens.nextNonSpace();
      this.#declare(pipe, variable);
      return false;
    }
    if (following.type === "character" && following.text === ",") {
      this.#tokens.nextNonSpace();
      this.#declare(pipe, variable);
      if (context === "range" && pipe.variables.length < 2) {
        const { type } = this.#tokens.peekNonSpace();
        if (type === "variable" || type === "rightDelimiter" || type === "rightParen") return true;
        this.#fail("range can only initialize variables");
      }
      this.#fail(`too many declarations in ${context}`);
    }
    // it was no declaration: give back what was read, with the space that separates arguments
    if (adjacent.type === "space") this.#tokens.giveBack(adjacent);
    this.#tokens.giveBack(variable);
    return false;
  }

  #declare(pipe: PipeNode, token: Token): void {
    pipe.variables.push({ kind: "variable", at: token.at, names: token.text.split(".") });
    this.#variables.push(token.text);
  }

  #check(pipe: PipeNode, context: string): void {
    if (pipe.commands.length === 0) this.#fail(`missing value for ${context}`);
    pipe.commands.forEach((command, index) => {
      if (index > 0 && NOT_EXECUTABLE.has(command.arguments[0]!.kind)) {
        this.#fail(`non executable command in pipeline stage ${index + 1}`);
      }
    });
  }

  #command(): CommandNode {
    const command: CommandNode = { kind: "command", at: this.#tokens.peekNonSpace().at, arguments: [] };
    for (;;) {
      this.#tokens.peekNonSpace();
      const operand = this.#operand();
      if (operand !== undefined) command.arguments.push(operand);
      const token = this.#tokens.next();
      if (token.type === "space") continue;
      if (token.type === "rightDelimiter" || token.type === "rightParen") this.#tokens.giveBack(token);
      else if (token.type !== "pipe") this.#unexpected(token, "operand");
      break;
    }
    if (command.arguments.length === 0) this.#fail("empty command");
    return command;
  }

  #operand(): ArgumentNode | undefined {
    const node = this.#term();
    if (node === undefined || this.#tokens.peek().type !== "field") return node;
    const { at } = this.#tokens.peek();
    const names: string[] = [];
    while (this.#tokens.peek().type === "field") names.push(this.#tokens.next().text.slice(1));
    switch (node.kind) {
      case "field":
      case "variable":
        return { kind: node.kind, at, names: [...node.names, ...names] };
      case "bool":
      case "string":
      case "number":
      case "nil":
      case "dot":
        return this.#fail(`unexpected . after term ${quote(nodeText(node))}`);
      case "chain":
      case "identifier":
      case "pipe":
        return { kind: "chain", at, node, names };
    }
  }

  #term(): ArgumentNode | undefined {
    const token = this.#tokens.nextNonSpace();
    const { at, text } = token;
    switch (token.type) {
      case "identifier":
        if (!this.#source.hasFunction(text)) this.#fail(`function ${quote(text)} not defined`);
        return { kind: "identifier", at, name: text };
      case "dot":
      case "nil":
        return { kind: token.type, at };
      case "variable":
        return this.#variable(at, text);
      case "field":
        return { kind: "field", at, names: text.slice(1).split(".") };
      case "bool":
        return { kind: "bool", at, value: text === "true" };
      case "characterConstant":
        return { kind: "number", at, text, constant: this.#guarded(() => parseCharacter(text)) };
      case "complex":
      case "number":
        return { kind: "number", at, text, constant: this.#guarded(() => parseNumber(text)) };
      case "leftParen":
        return this.#parenthesized();
      case "string":
      case "rawString":
        return { kind: "string", at, quoted: text, text: this.#guarded(() => unquote(text)) };
      default:
        this.#tokens.giveBack(token);
        return undefined;
    }
  }

  #parenthesized(): PipeNode {
    if (this.#parenDepth >= MAX_PAREN_DEPTH) this.#fail("max expression depth exceeded");
    this.#parenDepth++;
    const pipe = this.#pipeline("parenthesized pipeline", "rightParen");
    this.#parenDepth--;
    return pipe;
  }

  #variable(at: number, name: string): VariableNode {
    if (!this.#variables.includes(name)) this.#fail(`undefined variable ${quote(name)}`);
    return { kind: "variable", at, names: [name] };
  }
}

const NOT_EXECUTABLE: ReadonlySet<string> = new Set(["bool", "dot", "nil", "number", "string"]);
