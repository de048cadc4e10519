/**
 * Fills the defaults of a schema in: those of `properties`, in the whole and in what `properties`, `items`, `prefixItems`,
 * `allOf` and `$ref` lead to. What stands in alternatives (`anyOf`, `oneOf`, `if`) has none: which one fits is not known yet.
 */
import { isObject, type ExactJson, type ExactObject, type JsonObject } from "../../lib/json.ts";
import { type Run } from "./check.ts";
import { resolveReference } from "./reference.ts";

/** Returns the value with defaults; the same object where none is missing. @throws TooMuchWork */
export type Fill = (value: ExactJson, run: Run) => ExactJson;

const NOTHING: Fill = (value) => value;

/** @param schema one that `compileSchema` takes */
export function compileDefaults(schema: JsonObject): Fill {
  const references = new Map<string, Fill | undefined>();

  const fillOf = (part: ExactJson | undefined): Fill => {
    if (!isObject(part)) {
      return NOTHING;
    }
    const { $ref, allOf, properties, prefixItems, items } = part;
    const fills: Fill[] = [];
    if (typeof $ref === "string") {
      if (!references.has($ref)) {
        references.set($ref, undefined);
        references.set($ref, fillOf(resolveReference(schema, $ref)));
      }
      fills.push((value, run) => references.get($ref)!(value, run));
    }
    for (const inner of Array.isArray(allOf) ? allOf : []) fills.push(fillOf(inner));
    if (isObject(properties)) fills.push(ofMembers(properties, fillOf));
    if (items !== undefined || Array.isArray(prefixItems)) {
      fills.push(ofItems((Array.isArray(prefixItems) ? prefixItems : []).map(fillOf), fillOf(items)));
    }
    const needed = fills.filter((fill) => fill !== NOTHING);
    return needed.length === 0 ? NOTHING : inTurn(needed);
  };

  return fillOf(schema);
}

function inTurn(fills: readonly Fill[]): Fill {
  return (value, run) => {
    run.steps(1);
    return fills.reduce((filled, fill) => fill(filled, run), value);
  };
}

function ofMembers(properties: ExactObject, fillOf: (schema: ExactJson | undefined) => Fill): Fill {
  const members = Object.entries(properties)
    .map(([name, schema]) => ({
      name,
      fill: fillOf(schema),
      fallback: isObject(schema) ? schema["default"] : undefined,
    }))
    .filter(({ fill, fallback }) => fill !== NOTHING || fallback !== undefined);
  if (members.length === 0) {
    return NOTHING;
  }
  return (value, run) => {
    if (!isObject(value)) {
      return value;
    }
    const object: ExactObject = value;
    const filled: ExactObject = {};
    run.steps(members.length);
    for (const { name, fill, fallback } of members) {
      const given = Object.hasOwn(object, name) ? object[name] : undefined;
      const member = given === undefined ? fallback : fill(given, run);
      if (member !== given) {
        filled[name] = member;
      }
    }
    return Object.keys(filled).length === 0 ? object : { ...object, ...filled };
  };
}

function ofItems(first: readonly Fill[], rest: Fill): Fill {
  if (rest === NOTHING && first.every((fill) => fill === NOTHING)) {
    return NOTHING;
  }
  return (value, run) => {
    if (!Array.isArray(value)) {
      return value;
    }
    const filled = value.map((item, index) => (first[index] ?? rest)(item, run));
    return filled.every((item, index) => item === value[index]) ? value : filled;
  };
}
