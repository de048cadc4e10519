/**
 * Finds the domain and the route of a request. Hosts match without regard to case, port or a trailing dot; paths
 * match exactly or by the longest prefix. A path that could mean two things to two readers is refused: no `//`, no
 * dot segments, no encoded slash or dot, no `;`, no backslash, no control characters (RFC 3986 section 6.2.2 would
 * let a server rewrite them; a gateway in front of others must not).
 */

const VALID_HOST = /^(?:[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])$/;
const VALID_PATH = /^\/(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[0-9A-Fa-f]{2}|\/(?!\/))*$/;
const FORBIDDEN_IN_PATH = /^\/\/|\/\.{1,2}(?:\/|$)|%2[ef]|%5c|%00|%3b/i;
/** Raw Host headers and paths whose result is remembered, an engine; longer ones are looked at each time. */
const MAX_CACHED = 4_096;
const MAX_CACHED_LENGTH = 256;

/** The host name of a Host header, or undefined if it is not one. */
export function normaliseHost(header: string): string | undefined {
  const lower = header.toLowerCase();
  const host = lower.replace(/:\d{1,5}$/, "").replace(/\.$/, "");
  return host.length <= 253 && VALID_HOST.test(host) ? host : undefined;
}

/** Where an encoded slash is data: SDKs write the model `meta/llama` so (`/v1/models/meta%2Fllama`). */
const MODEL_ID = /(?<=\/models\/)[^/]+$/;

/** The path of a request target, without its query, or undefined if it is not an unambiguous path. */
export function normalisePath(target: string): string | undefined {
  const query = target.indexOf("?");
  const path = query < 0 ? target : target.slice(0, query);
  if (!VALID_PATH.test(path)) {
    return undefined;
  }
  const checked = path.includes("%") ? path.replace(MODEL_ID, (id) => id.replaceAll(/%2f/gi, "")) : path;
  return FORBIDDEN_IN_PATH.test(checked) ? undefined : path;
}

/** Hosts to values: exact names, `*.example.com` for names below, `*` for any other. */
export class HostTable<Value> {
  readonly #exact = new Map<string, Value>();
  readonly #below = new Map<string, Value>();
  #other: Value | undefined;
  readonly #cache = new Map<string, Value | undefined>();

  add(host: string, value: Value): void {
    if (host === "*") {
      this.#other = value;
    } else if (host.startsWith("*.")) {
      this.#below.set(host.slice(2), value);
    } else {
      this.#exact.set(host, value);
    }
  }

  /** @param header the Host header as it came */
  find(header: string): Value | undefined {
    if (this.#cache.has(header)) {
      return this.#cache.get(header);
    }
    const host = normaliseHost(header);
    const value = host === undefined ? undefined : this.#findHost(host);
    if (this.#cache.size < MAX_CACHED && header.length <= MAX_CACHED_LENGTH) {
      this.#cache.set(header, value);
    }
    return value;
  }

  #findHost(host: string): Value | undefined {
    const exact = this.#exact.get(host);
    if (exact !== undefined) {
      return exact;
    }
    for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
      const below = this.#below.get(host.slice(dot + 1));
      if (below !== undefined) {
        return below;
      }
    }
    return this.#other;
  }
}

/** A route that was found, and what of the path lies below its prefix. */
export interface PathMatch<Value> {
  readonly value: Value;
  readonly path: string;
  /** `/chat/completions` for `/v1/chat/completions` on `/v1/*`; "" for an exact route. */
  readonly rest: string;
}

/** Paths to values: exact ones, and prefixes `/v1/*` (which also match `/v1`); the longest wins. */
export class PathTable<Value> {
  readonly #exact = new Map<string, Value>();
  readonly #prefixes = new Map<string, Value>();
  #longestPrefix = 0;
  readonly #cache = new Map<string, PathMatch<Value> | undefined>();

  add(pattern: string, value: Value): void {
    if (pattern.endsWith("/*")) {
      const prefix = pattern.slice(0, -2);
      this.#prefixes.set(prefix, value);
      this.#longestPrefix = Math.max(this.#longestPrefix, prefix.length);
    } else {
      this.#exact.set(pattern, value);
    }
  }

  /** @param target the request target as it came, query included */
  find(target: string): PathMatch<Value> | undefined {
    if (this.#cache.has(target)) {
      return this.#cache.get(target);
    }
    const path = normalisePath(target);
    const found = path === undefined ? undefined : this.#findPath(path);
    if (found !== undefined && this.#cache.size < MAX_CACHED && target.length <= MAX_CACHED_LENGTH) {
      this.#cache.set(target, found);
    }
    return found;
  }

  #findPath(path: string): PathMatch<Value> | undefined {
    const exact = this.#exact.get(path);
    if (exact !== undefined) {
      return { value: exact, path, rest: "" };
    }
    // a path of many thousand slashes costs no more than one as long as the longest prefix
    const longest = path.length <= this.#longestPrefix ? path.length : path.lastIndexOf("/", this.#longestPrefix);
    for (let end = longest; end >= 0; end = path.lastIndexOf("/", end - 1)) {
      const value = this.#prefixes.get(path.slice(0, end));
      if (value !== undefined) {
        return { value, path, rest: path.slice(end) };
      }
      if (end === 0) {
        break;
      }
    }
    return undefined;
  }
}
