/** Keywords about lists and objects. */
import { isObject, type ExactJson, type ExactObject, type JsonValue } from "../../lib/json.ts";
import { type Check, type Place, type Run } from "./check.ts";
import { identityOf } from "./identity.ts";
import { countOf, entriesOf, type Keyword, listOf, namesOf } from "./keyword.ts";
import { compilePattern } from "./pattern.ts";

/** A keyword about lists: other values pass. */
function ofLists(holds: (list: ExactJson[], place: Place, run: Run) => boolean): Check {
  return (value, place, run) => !Array.isArray(value) || holds(value, place, run);
}

/** A keyword about objects: other values pass. */
function ofObjects(holds: (object: ExactObject, place: Place, run: Run) => boolean): Check {
  return (value, place, run) => !isObject(value) || holds(value, place, run);
}

/** How many a list or an object holds. */
function size(of: "items" | "members", bound: "least" | "most"): Keyword {
  return (value) => {
    const limit = countOf(value);
    const message = `must have at ${bound} ${limit} ${of}`;
    const fits = (count: number): boolean => (bound === "least" ? count >= limit : count <= limit);
    return of === "items"
      ? ofLists((list, place, run) => fits(list.length) || run.fail(place, message))
      : ofObjects((object, place, run) => fits(Object.keys(object).length) || run.fail(place, message));
  };
}

const prefixItems: Keyword = (value, { compile }) => {
  const checks = listOf(value).map((item, index) => compile(item, "prefixItems", index));
  return ofLists((list, place, run) =>
    eachItem(list.slice(0, checks.length), 0, (index) => checks[index]!, place, run),
  );
};

const items: Keyword = (value, { compile, schema }) => {
  if (Array.isArray(value)) throw new Error("must be one schema; those of the first items are `prefixItems`");
  const check = compile(value, "items");
  const { prefixItems: first } = schema;
  const from = Array.isArray(first) ? first.length : 0;
  return ofLists((list, place, run) => eachItem(list, from, () => check, place, run));
};

function eachItem(
  list: readonly ExactJson[],
  from: number,
  checkOf: (index: number) => Check,
  place: Place,
  run: Run,
): boolean {
  let isGood = true;
  for (let index = from; index < list.length; index++) {
    isGood = checkOf(index)(list[index]!, { parent: place, key: index }, run) && isGood;
  }
  return isGood;
}

const uniqueItems: Keyword = (value) => {
  if (typeof value !== "boolean") throw new Error("must be true or false");
  return ofLists((list, place, run) => {
    if (!value) {
      return true;
    }
    const seen = new Set<string>();
    for (const [index, item] of list.entries()) {
      const identity = identityOf(item, run);
      if (seen.has(identity)) {
        return run.fail({ parent: place, key: index }, "is there already");
      }
      seen.add(identity);
    }
    return true;
  });
};

const contains: Keyword = (value, { compile, schema }) => {
  const check = compile(value, "contains");
  const least = countOf(schema["minContains"] ?? 1);
  const most = schema["maxContains"] === undefined ? Infinity : countOf(schema["maxContains"]);
  return ofLists((list, place, run) => {
    const count = list.filter((item) => run.tries(check, item, undefined) === undefined).length;
    if (count >= least && count <= most) {
      return true;
    }
    return run.fail(place, `has ${count} items of a kind of which it must have at least ${least}, at most ${most}`);
  });
};

const properties: Keyword = (value, { compile }) => {
  const checks = entriesOf(value).map(([name, schema]) => [name, compile(schema, "properties", name)] as const);
  return ofObjects((object, place, run) => {
    let isGood = true;
    run.steps(checks.length);
    for (const [name, check] of checks) {
      if (Object.hasOwn(object, name)) {
        isGood = check(object[name]!, { parent: place, key: name }, run) && isGood;
      }
    }
    return isGood;
  });
};

const patternProperties: Keyword = (value, { compile }) => {
  const checks = entriesOf(value).map(
    ([source, schema]) => [compilePattern(source), compile(schema, "patternProperties", source)] as const,
  );
  return ofObjects((object, place, run) => {
    let isGood = true;
    for (const [name, member] of Object.entries(object)) {
      for (const [pattern, check] of checks) {
        run.reads(name);
        if (pattern.test(name, run.patternSteps)) {
          isGood = check(member!, { parent: place, key: name }, run) && isGood;
        }
      }
    }
    return isGood;
  });
};

const additionalProperties: Keyword = (value, { compile, schema }) => {
  const check = compile(value, "additionalProperties");
  const known = new Set(entriesOf(schema["properties"] ?? {}).map(([name]) => name));
  const patterns = entriesOf(schema["patternProperties"] ?? {}).map(([source]) => compilePattern(source));
  return ofObjects((object, place, run) => {
    let isGood = true;
    for (const [name, member] of Object.entries(object)) {
      run.reads(name);
      if (!known.has(name) && !patterns.some((pattern) => pattern.test(name, run.patternSteps))) {
        isGood = check(member!, { parent: place, key: name }, run) && isGood;
      }
    }
    return isGood;
  });
};

const propertyNames: Keyword = (value, { compile }) => {
  const check = compile(value, "propertyNames");
  return ofObjects((object, place, run) => {
    let isGood = true;
    for (const name of Object.keys(object)) {
      const why = run.tries(check, name, undefined);
      if (why !== undefined) {
        isGood = run.fail({ parent: place, key: name }, `its name ${why}`);
      }
    }
    return isGood;
  });
};

function requires(names: readonly string[]): Check {
  return ofObjects((object, place, run) => {
    let isGood = true;
    run.steps(names.length);
    for (const name of names) {
      if (!Object.hasOwn(object, name)) {
        isGood = run.fail({ parent: place, key: name }, "is missing");
      }
    }
    return isGood;
  });
}

/** What holds for objects that have a member of this name. */
function depends(checkOf: (dependent: JsonValue, name: string) => Check, value: JsonValue): Check {
  const checks = entriesOf(value).map(([name, dependent]) => [name, checkOf(dependent, name)] as const);
  return ofObjects((object, place, run) =>
    checks.every(([name, check]) => !Object.hasOwn(object, name) || check(object, place, run)),
  );
}

export const COLLECTION_KEYWORDS: Readonly<Record<string, Keyword>> = {
  minItems: size("items", "least"),
  maxItems: size("items", "most"),
  prefixItems,
  items,
  uniqueItems,
  contains,
  minProperties: size("members", "least"),
  maxProperties: size("members", "most"),
  properties,
  patternProperties,
  additionalProperties,
  propertyNames,
  required: (value) => requires(namesOf(value)),
  dependentRequired: (value) => depends((names) => requires(namesOf(names)), value),
  dependentSchemas: (value, { compile }) => depends((schema, name) => compile(schema, "dependentSchemas", name), value),
};
