/** Where a `$ref` leads. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";

/** @param target a JSON pointer within the schema (`#/$defs/name`) @throws Error where it leads to nothing */
export function resolveReference(root: JsonObject, target: string): JsonValue {
  if (target !== "#" && !target.startsWith("#/")) {
    throw new Error(`must begin with #/, found ${target}`);
  }
  let found: JsonValue | undefined = root;
  for (const part of target.split("/").slice(1)) {
    const name = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    const isThere: boolean = typeof found === "object" && found !== null && Object.hasOwn(found, name);
    found = isThere ? (found as JsonObject)[name] : undefined;
  }
  if (found === undefined) {
    throw new Error(`leads to nothing: ${target}`);
  }
  return found;
}
