/** What a request on a route's path asks for: the dialect's operation, found by method and the path below the mount. */
import type { Dialect, Operation } from "../dialects/contract.ts";

/** An operation that a request names. */
export interface OperationMatch {
  readonly dialect: Dialect;
  readonly operation: Operation;
  /** What a `*` in the operation's path matched, percent-decoded (the id of `/models/*`). */
  readonly argument: string;
}

interface Entry {
  readonly dialect: Dialect;
  readonly operation: Operation;
  readonly method: string;
}

/** The operations of the dialects that answer on one route. */
export class OperationTable {
  readonly #exact = new Map<string, Entry[]>();
  readonly #prefixes = new Map<string, Entry[]>();

  constructor(dialects: readonly Dialect[]) {
    for (const dialect of dialects) {
      for (const { operation, method, path } of dialect.client.operations) {
        const wildcard = path.endsWith("/*");
        const table = wildcard ? this.#prefixes : this.#exact;
        const key = wildcard ? path.slice(0, -2) : path;
        const entries = table.get(key) ?? [];
        entries.push({ dialect, operation, method });
        table.set(key, entries);
      }
    }
  }

  /**
   * @param rest the path below the route's mount; a leading `/v1` is optional, so that a base URL with or without it works
   * @param prefersAnthropic decides where two dialects have the same path (`/models`)
   * @returns the methods that the path allows when it is known and the method is not
   */
  find(rest: string, method: string, prefersAnthropic: boolean): OperationMatch | readonly string[] | undefined {
    const path = rest.startsWith("/v1/") ? rest.slice(3) : rest;
    const exact = this.#exact.get(path);
    if (exact !== undefined) {
      return choose(exact, method, prefersAnthropic, "");
    }
    for (const [prefix, entries] of this.#prefixes) {
      if (path.startsWith(`${prefix}/`) && path.length > prefix.length + 1) {
        const argument = decoded(path.slice(prefix.length + 1));
        return argument === undefined ? undefined : choose(entries, method, prefersAnthropic, argument);
      }
    }
    return undefined;
  }

  /** The operation path that an exact route (`/v1/messages`) stands for: the longest that the route's path ends in. */
  suffixOf(path: string): string | undefined {
    let longest: string | undefined;
    for (const operationPath of this.#exact.keys()) {
      if (path.endsWith(operationPath) && operationPath.length > (longest?.length ?? 0)) {
        longest = operationPath;
      }
    }
    return longest;
  }
}

function choose(
  entries: readonly Entry[],
  method: string,
  prefersAnthropic: boolean,
  argument: string,
): OperationMatch | readonly string[] {
  const fitting = entries.filter((entry) => entry.method === method);
  const preferred = fitting.find((entry) => (entry.dialect.name === "anthropic") === prefersAnthropic) ?? fitting[0];
  if (preferred === undefined) {
    return [...new Set(entries.map((entry) => entry.method))];
  }
  return { dialect: preferred.dialect, operation: preferred.operation, argument };
}

/** The text that a path percent-encodes; undefined if it is not UTF-8. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
