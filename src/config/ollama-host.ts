/** `OLLAMA_HOST`, which Ollama's own programs read leniently: a host, a port, both, or a URL. */
import { isIPv6 } from "node:net";

const DEFAULT_PORT = 11_434;

/**
 * The base URL that the value names (without `/v1`), or undefined if it names none. As Ollama reads it: a URL without
 * port means the scheme's port, anything else 11434; `0.0.0.0` and `::`, meant for its server, are reached on loopback.
 */
export function ollamaUrl(value: string): string | undefined {
  const text = value
    .trim()
    .replace(/^["']|["']$/g, "")
    .trim();
  const [, scheme, rest = ""] = /^(?:(https?):\/\/)?(.*)$/i.exec(text) ?? [];
  const authority = isIPv6(rest) ? `[${rest}]` : rest.replace(/^:/, "127.0.0.1:");
  const url = URL.parse(`${scheme ?? "http"}://${authority === "" ? "127.0.0.1" : authority}`);
  if (url === null || url.username !== "" || url.search !== "" || url.hash !== "") {
    return undefined;
  }
  // A URL object forgets a port that is the scheme's own, so the text says whether there was one.
  if (scheme === undefined && !/:\d+(?:\/|$)/.test(authority.replace(/^\[.*\]/, ""))) {
    url.port = String(DEFAULT_PORT);
  }
  if (url.hostname === "0.0.0.0") {
    url.hostname = "127.0.0.1";
  } else if (url.hostname === "[::]") {
    url.hostname = "[::1]";
  }
  return url.href.replace(/\/+$/, "");
}
