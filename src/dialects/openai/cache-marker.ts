/**
 * Cache markers in this dialect. OpenAI's own word is `prompt_cache_breakpoint` (newer models); aggregators and
 * some vendors take Anthropic's `cache_control` on parts, messages and tools. Servers of this dialect cache
 * prefixes by themselves, and many refuse fields that they do not know, so a marker from another dialect is
 * written only if the target is said to take it (`ChatRequest.cacheMarkers`); one that came in this dialect
 * goes back as it came.
 */
import type { JsonObject } from "../../lib/json.ts";
import type { CacheControl, Extra } from "../form.ts";
import { type FieldReader, hintsOf, invalidValue } from "./fields.ts";

/** The words for a marker; `putBack` leaves them to this file. */
export const CACHE_MARKER_KEYS: ReadonlySet<string> = new Set(["cache_control", "prompt_cache_breakpoint"]);

/** Reads the marker of a part, message or tool. @throws SluiceError `invalid_request` */
export function decodeCacheMarker(reader: FieldReader): CacheControl | undefined {
  const control = reader.object("cache_control");
  const breakpoint = reader.object("prompt_cache_breakpoint");
  if (breakpoint !== undefined) reader.hint("prompt_cache_breakpoint", breakpoint);
  if (control === undefined) {
    if (breakpoint === undefined) return undefined;
    // 30m and 12h: of Anthropic's two lifetimes, the longer is nearer to both
    return breakpoint["ttl"] === undefined ? {} : { ttl: "1h" };
  }
  reader.hint("cache_control", control);
  const path = reader.at("cache_control");
  if (control["type"] !== "ephemeral") throw invalidValue(`${path}.type`, "expected 'ephemeral'");
  const ttl = control["ttl"] ?? undefined;
  if (ttl === undefined) return {};
  if (ttl !== "5m" && ttl !== "1h") throw invalidValue(`${path}.ttl`, "expected '5m' or '1h'");
  return { ttl };
}

/** Writes the marker of a part, message or tool into `target`. */
export function encodeCacheMarker(
  target: JsonObject,
  control: CacheControl | undefined,
  extra: Extra | undefined,
  word: "cache_control" | "prompt_cache_breakpoint" | undefined,
): void {
  if (control === undefined) return;
  let own = false;
  for (const [key, value] of Object.entries(hintsOf(extra))) {
    if (!CACHE_MARKER_KEYS.has(key) || value === null) continue;
    target[key] = value;
    own = true;
  }
  if (own || word === undefined) return;
  if (word === "cache_control") {
    target[word] = control.ttl === undefined ? { type: "ephemeral" } : { type: "ephemeral", ttl: control.ttl };
  } else {
    target[word] = control.ttl === "1h" ? { mode: "explicit", ttl: "12h" } : { mode: "explicit" };
  }
}
