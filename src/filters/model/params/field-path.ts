/** Members of a request body by dotted path (`chat_template_kwargs.enable_thinking`). A dot always separates. */
import { isObject, type JsonObject, type JsonValue } from "../../../lib/json.ts";

/** The names on the way to a member; at least one. */
export type FieldPath = readonly [string, ...string[]];

/** Names that no path may hold: on them objects are built. */
const FORBIDDEN: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Reads a dotted path; undefined if it is none. */
export function parsePath(text: string): FieldPath | undefined {
  const [first, ...rest] = text.split(".");
  if (first === undefined || [first, ...rest].some((name) => name === "" || FORBIDDEN.has(name))) return undefined;
  return [first, ...rest];
}

function ownMember(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** The object that holds the member; undefined if the way does not lead there. */
function holderOf(body: JsonObject, path: FieldPath): JsonObject | undefined {
  let holder = body;
  for (const name of path.slice(0, -1)) {
    const next = ownMember(holder, name);
    if (!isObject(next)) return undefined;
    holder = next;
  }
  return holder;
}

function lastName(path: FieldPath): string {
  return path.at(-1) ?? path[0];
}

/** The member's value, undefined if there is none. */
export function getMember(body: JsonObject, path: FieldPath): JsonValue | undefined {
  const holder = holderOf(body, path);
  return holder === undefined ? undefined : ownMember(holder, lastName(path));
}

/** Sets the member; objects on the way are made, and what stands in the way is replaced. */
export function setMember(body: JsonObject, path: FieldPath, value: JsonValue): void {
  let holder = body;
  for (const name of path.slice(0, -1)) {
    const next = ownMember(holder, name);
    if (isObject(next)) {
      holder = next;
    } else {
      const made: JsonObject = {};
      holder[name] = made;
      holder = made;
    }
  }
  holder[lastName(path)] = value;
}

/** Removes the member, if there is one. Objects on the way stay, even if that leaves them empty. */
export function deleteMember(body: JsonObject, path: FieldPath): void {
  const holder = holderOf(body, path);
  if (holder !== undefined) delete holder[lastName(path)];
}
