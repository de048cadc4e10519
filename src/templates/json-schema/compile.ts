/**
 * JSON Schema (2020-12), compiled to functions. What of it is not understood refuses the schema: nothing that a schema
 * says is passed over in silence, except annotations.
 */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import { allOf, type Check } from "./check.ts";
import { COLLECTION_KEYWORDS } from "./collections.ts";
import { type Keyword, listOf, textOf } from "./keyword.ts";
import { resolveReference } from "./reference.ts";
import { SCALAR_KEYWORDS } from "./scalars.ts";

/** Why these keywords cannot be used. Any other that is not known is an annotation. */
const REFUSED: Readonly<Record<string, string>> = {
  $dynamicRef: "use $ref",
  $recursiveRef: "use $ref",
  additionalItems: "use items, beside prefixItems",
  dependencies: "use dependentRequired or dependentSchemas",
  nullable: "add null to the type",
  unevaluatedItems: "use items",
  unevaluatedProperties: "use additionalProperties",
};

const anyOf: Keyword = (value, { compile }) => {
  const checks = listOf(value).map((schema, index) => compile(schema, "anyOf", index));
  return (given, place, run) => {
    const reasons: string[] = [];
    for (const check of checks) {
      const why = run.tries(check, given, place);
      if (why === undefined) {
        return true;
      }
      reasons.push(why);
    }
    return run.fail(place, noneFits(reasons));
  };
};

const oneOf: Keyword = (value, { compile }) => {
  const checks = listOf(value).map((schema, index) => compile(schema, "oneOf", index));
  return (given, place, run) => {
    const reasons = checks.map((check) => run.tries(check, given, place)).filter((why) => why !== undefined);
    const fitting = checks.length - reasons.length;
    return (
      fitting === 1 ||
      run.fail(place, fitting === 0 ? noneFits(reasons) : `fits ${fitting} of the alternatives, and must fit one`)
    );
  };
};

const MAX_REASONS = 3;

function noneFits(reasons: readonly string[]): string {
  return `fits none of the alternatives: ${reasons.slice(0, MAX_REASONS).join(", or ")}`;
}

const not: Keyword = (value, { compile }) => {
  const check = compile(value, "not");
  return (given, place, run) =>
    run.tries(check, given, place) !== undefined || run.fail(place, "must not be like this");
};

/** With `then` and `else`, which mean nothing alone. */
const conditional: Keyword = (value, { compile, schema }) => {
  const condition = compile(value, "if");
  const then = compile(schema["then"] ?? true, "then");
  const otherwise = compile(schema["else"] ?? true, "else");
  return (given, place, run) =>
    (run.tries(condition, given, place) === undefined ? then : otherwise)(given, place, run);
};

const KEYWORDS: ReadonlyMap<string, Keyword> = new Map(
  Object.entries({
    ...SCALAR_KEYWORDS,
    ...COLLECTION_KEYWORDS,
    $ref: (value, { reference }) => reference(textOf(value)),
    allOf: (value, { compile }) => allOf(listOf(value).map((schema, index) => compile(schema, "allOf", index))),
    anyOf,
    oneOf,
    not,
    if: conditional,
  } satisfies Record<string, Keyword>),
);

/** @throws Error that says what of the schema cannot be used, and where it is */
export function compileSchema(schema: JsonObject): Check {
  return new Compiler(schema).check(schema, "#");
}

class Compiler {
  readonly #root: JsonObject;
  /** By where they are: a schema may refer to itself. */
  readonly #checks = new Map<string, Check | undefined>();

  constructor(root: JsonObject) {
    this.#root = root;
  }

  /** @param at its JSON pointer */
  check(schema: JsonValue, at: string): Check {
    if (typeof schema === "boolean") {
      return schema ? () => true : (_, place, run) => run.fail(place, "must not be here");
    }
    if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
      throw new Error(`${at}: must be a schema`);
    }
    const checks: Check[] = [];
    for (const [name, value] of Object.entries(schema)) {
      if (Object.hasOwn(REFUSED, name)) {
        throw new Error(`${at}: ${name} cannot be used here; ${REFUSED[name]}`);
      }
      if (name === "$id" && at !== "#") {
        throw new Error(`${at}: $id cannot be used within a schema`);
      }
      const keyword = KEYWORDS.get(name);
      if (keyword !== undefined) {
        checks.push(this.#keyword(keyword, name, value!, schema, at));
      }
    }
    const all = allOf(checks);
    return (value, place, run) => {
      run.steps(1);
      return all(value, place, run);
    };
  }

  #keyword(keyword: Keyword, name: string, value: JsonValue, schema: JsonObject, at: string): Check {
    let within: string | undefined;
    try {
      return keyword(value, {
        schema,
        compile: (inner, ...path) => {
          within = [at, ...path].join("/");
          const check = this.check(inner, within);
          within = undefined;
          return check;
        },
        reference: (target) => this.#reference(target),
      });
    } catch (error) {
      // what is wrong further inside has its place already
      throw within === undefined && error instanceof Error ? new Error(`${at}: ${name} ${error.message}`) : error;
    }
  }

  #reference(target: string): Check {
    if (!this.#checks.has(target)) {
      this.#checks.set(target, undefined);
      this.#checks.set(target, this.check(resolveReference(this.#root, target), target));
    }
    // looked up when it is used: of a schema that refers to itself there is no check yet
    return (value, place, run) => this.#checks.get(target)!(value, place, run);
  }
}
