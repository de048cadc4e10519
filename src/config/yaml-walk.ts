/**
 * Walks the nodes of a YAML document. This is done here rather than by the `yaml` package's `toJS`: in one pass strings
 * are substituted, duplicate keys found without comparing all with all, and what aliases and merges can blow up is
 * bounded.
 */
import { isAlias, isMap, isNode, isScalar, isSeq } from "yaml";
import type { Alias, Document, Node, Pair, Scalar, YAMLMap } from "yaml";
import type { Findings } from "./findings.ts";
import type { DocumentPath } from "./problem.ts";
import { SubstitutionError } from "./substitute.ts";
import type { Substitutor } from "./substitute.ts";

/** Nesting of maps and lists; configurations need a dozen, filters' options a few more. */
const MAX_DEPTH = 64;
/** Values in the document after aliases and merges are expanded. */
const MAX_VALUES = 5_000_000;
/** YAML's own limit of an implicit key; a longer one is no name of anything. */
const MAX_KEY_LENGTH = 1_024;

/** What a step of a path leads to. */
interface Child {
  /** Null in a list. */
  readonly key: Node | null;
  readonly value: Node | null;
}

/** An anchor's value once it is read; `values` is how much one alias to it adds. */
interface Anchored {
  readonly node: Node;
  readonly value: unknown;
  readonly values: number;
}

/** Thrown when the document expands beyond MAX_VALUES, to leave the recursion. */
class TooLargeError extends Error {
  override readonly name = "TooLargeError";
}

/** Reads the nodes of one document, and finds them again by path. */
export class YamlWalk {
  /** Nodes whose string was substituted. */
  readonly #substituted = new Set<Node>();
  readonly #document: Document.Parsed;
  readonly #substitutor: Substitutor;
  readonly #findings: Findings;
  readonly #anchors = new Map<string, Anchored>();
  readonly #targets = new Map<Alias, Node>();
  /** Maps by key, made when places are looked for. Of a key that is there twice the second counts: it is the one at fault. */
  readonly #entries = new Map<YAMLMap, Map<string, Child>>();
  /** Where the walk is; copied only when something is to be said about it. */
  readonly #path: (string | number)[] = [];
  #values = 0;

  constructor(document: Document.Parsed, substitutor: Substitutor, findings: Findings) {
    this.#document = document;
    this.#substitutor = substitutor;
    this.#findings = findings;
  }

  /** The document as plain data; undefined if it is too large. */
  run(): unknown {
    try {
      return this.#read(this.#document.contents);
    } catch (error) {
      if (!(error instanceof TooLargeError)) {
        throw error;
      }
      this.#findings.add([], `the document holds more than ${MAX_VALUES} values with its aliases expanded`);
      return undefined;
    }
  }

  #count(values: number): void {
    this.#values += values;
    if (this.#values > MAX_VALUES) {
      throw new TooLargeError();
    }
  }

  #read(node: unknown): unknown {
    if (!isNode(node)) {
      return null; // `key:` with nothing after it
    }
    if (isAlias(node)) {
      return this.#readAlias(node);
    }
    const before = this.#values;
    this.#count(1);
    const value = this.#readContent(node);
    if ("anchor" in node && node.anchor !== undefined && node.anchor !== "") {
      this.#anchors.set(node.anchor, { node, value, values: this.#values - before });
    }
    return value;
  }

  #readContent(node: Node): unknown {
    if (isScalar(node)) {
      return this.#readScalar(node);
    }
    if (this.#path.length >= MAX_DEPTH) {
      this.#findings.add([...this.#path], `the document is nested deeper than ${MAX_DEPTH} levels`);
      return null;
    }
    if (isSeq(node)) {
      return node.items.map((item, index) => this.#at(index, item));
    }
    return isMap(node) ? this.#readMap(node) : null;
  }

  #at(step: string | number, node: unknown): unknown {
    this.#path.push(step);
    const value = this.#read(node);
    this.#path.pop();
    return value;
  }

  #readAlias(alias: Alias): unknown {
    const anchored = this.#anchors.get(alias.source);
    if (anchored === undefined) {
      this.#findings.add(
        [...this.#path],
        `there is no finished anchor &${alias.source} before this alias`,
        "Quote the text if no alias is meant.",
      );
      return null;
    }
    this.#targets.set(alias, anchored.node);
    this.#count(anchored.values);
    return anchored.value;
  }

  #readScalar(node: Scalar): unknown {
    const { value } = node;
    if (typeof value === "string") {
      return value.includes("${") ? this.#substitute(value, node) : value;
    }
    if (typeof value === "number" && !Number.isFinite(value)) {
      this.#findings.add([...this.#path], "must be a finite number");
      return null;
    }
    return value;
  }

  #substitute(text: string, node: Node): string {
    this.#substituted.add(node);
    try {
      return this.#substitutor.apply(text);
    } catch (error) {
      if (!(error instanceof SubstitutionError)) {
        throw error;
      }
      this.#findings.add([...this.#path], error.message, error.remedy);
      return text;
    }
  }

  #readMap(node: YAMLMap): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    const merges: Pair[] = [];
    for (const pair of node.items) {
      const key = isScalar(pair.key) ? String(pair.key.value) : "";
      if (key === "<<") {
        merges.push(pair);
      } else if (this.#isUsableKey(key, result)) {
        result[key] = this.#at(key, pair.value);
      } else {
        this.#at(key, pair.value); // anchors inside are still defined
      }
    }
    for (const pair of merges) {
      this.#merge(pair.value, result);
    }
    return result;
  }

  #isUsableKey(key: string, map: Record<string, unknown>): boolean {
    const path = [...this.#path, key];
    if (Object.hasOwn(map, key)) {
      this.#findings.addKey(path, "this key is there twice", "Remove one of them.");
      return false;
    }
    if (key === "__proto__" || key.length > MAX_KEY_LENGTH) {
      this.#findings.addKey(path.slice(0, -1), "has a key that cannot be used");
      return false;
    }
    return true;
  }

  /** `<<: *defaults` or `<<: [*a, *b]`: keys that the map has not got itself; the earlier source wins. */
  #merge(source: unknown, into: Record<string, unknown>): void {
    const merged = this.#at("<<", source);
    const maps: readonly unknown[] = Array.isArray(merged) ? merged : [merged];
    for (const map of maps) {
      if (typeof map !== "object" || map === null || Array.isArray(map)) {
        this.#findings.add([...this.#path, "<<"], "must be a map or a list of maps", "Use an alias of a map.");
        continue;
      }
      for (const [key, value] of Object.entries(map) as [string, unknown][]) {
        this.#count(1);
        if (!Object.hasOwn(into, key)) {
          into[key] = value;
        }
      }
    }
  }

  /** Something was substituted in the string at this path. */
  isSubstituted(path: DocumentPath): boolean {
    let node: Node | null = this.#document.contents;
    for (const step of path) {
      node = this.#child(this.#target(node), step)?.value ?? null;
    }
    const target = this.#target(node);
    return target !== null && this.#substituted.has(target);
  }

  /** Offset of the value (or key) at a path, or of the deepest parent that is there. */
  offsetOf(path: DocumentPath, target: "key" | "value"): number {
    let node: Node | null = this.#document.contents;
    let offset = node?.range?.[0] ?? 0;
    for (const [index, step] of path.entries()) {
      const found = this.#child(this.#target(node), step);
      if (found === undefined) {
        break;
      }
      const wantsKey = target === "key" && index === path.length - 1;
      node = found.value;
      offset = (wantsKey ? found.key : found.value)?.range?.[0] ?? found.key?.range?.[0] ?? offset;
    }
    return offset;
  }

  #target(node: Node | null): Node | null {
    return isAlias(node) ? (this.#targets.get(node) ?? null) : node;
  }

  #child(node: Node | null, step: string | number): Child | undefined {
    if (isSeq(node) && typeof step === "number" && step < node.items.length) {
      const item = node.items[step];
      return { key: null, value: isNode(item) ? item : null };
    }
    if (!isMap(node)) {
      return undefined;
    }
    return this.#entriesOf(node).get(String(step)) ?? this.#mergedChild(node, step);
  }

  /** Many findings may lie in one large map. */
  #entriesOf(map: YAMLMap): ReadonlyMap<string, Child> {
    let entries = this.#entries.get(map);
    if (entries === undefined) {
      entries = new Map();
      for (const { key, value } of map.items) {
        if (isScalar(key)) {
          entries.set(String(key.value), { key, value: isNode(value) ? value : null });
        }
      }
      this.#entries.set(map, entries);
    }
    return entries;
  }

  #mergedChild(map: YAMLMap, step: string | number): Child | undefined {
    for (const { key, value } of map.items) {
      if (!isScalar(key) || String(key.value) !== "<<" || !isNode(value)) {
        continue;
      }
      const source = this.#target(value);
      const maps = isSeq(source) ? source.items : [source];
      for (const item of maps) {
        const found = isNode(item) ? this.#child(this.#target(item), step) : undefined;
        if (found !== undefined) {
          return found;
        }
      }
    }
    return undefined;
  }
}
