/** From the URLs that people write to the ones that operations' paths are appended to. */
import type { DialectName } from "../dialects/form.ts";

/**
 * The base URL of a node, with the `/v1` that operations' paths go below. OpenAI's base URLs hold it, Anthropic's leave
 * it out, engines' are often given without any path: each is understood as its vendor's own SDK would.
 */
export function nodeUrl(url: string, dialect: DialectName): string {
  const trimmed = url.replace(/\/+$/, "");
  const hasPath = new URL(trimmed).pathname !== "/";
  if (!hasPath || (dialect === "anthropic" && !trimmed.endsWith("/v1"))) {
    return `${trimmed}/v1`;
  }
  return trimmed;
}
