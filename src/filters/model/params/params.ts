/**
 * `params`: request parameters for an engine's quirks. It works on the body as it will be sent, in the target's
 * words, by dotted paths. In this order, whatever the order in the configuration:
 *
 * 1. `rename` moves members, all at once (so two may swap names); one that is there under the new name already
 *    wins, and the old one goes.
 * 2. `drop` removes members.
 * 3. `default` sets those that are missing or null.
 * 4. `clamp` moves numbers into their bounds, defaults too; what is no number stays.
 * 5. `force` sets members, whatever was there.
 *
 * `cacheMarkers` says by which word a target of the openai dialect takes the cache markers of other dialects.
 */
import { z } from "zod";
import type { JsonObject, JsonValue } from "../../../lib/json.ts";
import type { ModelFilter, ModelFilterDefinition } from "../../contract.ts";
import { deleteMember, type FieldPath, getMember, parsePath, setMember } from "./field-path.ts";

const MAX_ENTRIES = 64;
const MAX_PATH_CHARACTERS = 200;
/** The gateway itself decides on these, and on what it does with the answer. */
const GATEWAYS_OWN: ReadonlySet<string> = new Set(["model", "stream"]);

const path = z
  .string()
  .max(MAX_PATH_CHARACTERS)
  .refine(
    (text) => parsePath(text) !== undefined,
    "must be names joined by dots, such as chat_template_kwargs.enable_thinking",
  )
  .refine((text) => !GATEWAYS_OWN.has(text.split(".", 1)[0] ?? ""), "model and stream are set by the gateway");

const bounds = z
  .strictObject({ min: z.number().optional(), max: z.number().optional() })
  .refine(({ min, max }) => min !== undefined || max !== undefined, "needs min or max")
  .refine(({ min, max }) => min === undefined || max === undefined || min <= max, "min must not exceed max");

function table<Value extends z.ZodType>(value: Value) {
  return z
    .record(path, value)
    .refine((entries) => Object.keys(entries).length <= MAX_ENTRIES, `at most ${MAX_ENTRIES} entries`)
    .default({});
}

const schema = z.strictObject({
  rename: table(path),
  default: table(z.json()),
  force: table(z.json()),
  drop: z.array(path).max(MAX_ENTRIES).default([]),
  clamp: table(bounds),
  /** Which requests it works on; counting tokens takes few parameters, so it is not among them by itself. */
  operations: z
    .array(z.enum(["chat", "completions", "embeddings", "count_tokens"]))
    .default(["chat", "completions", "embeddings"]),
  cacheMarkers: z.enum(["cache_control", "prompt_cache_breakpoint"]).optional(),
});

type Options = z.infer<typeof schema>;

/** Changes a body. */
type Step = (body: JsonObject) => void;

function compile(text: string): FieldPath {
  const parsed = parsePath(text);
  if (parsed === undefined) throw new TypeError(`params: ${JSON.stringify(text)} is not a path`);
  return parsed;
}

function renameStep(moves: readonly (readonly [from: FieldPath, to: FieldPath])[]): Step {
  return (body) => {
    const values = moves.map(([from]) => getMember(body, from));
    moves.forEach(([from], index) => {
      if (values[index] !== undefined) deleteMember(body, from);
    });
    moves.forEach(([, to], index) => {
      const value = values[index];
      if (value !== undefined && getMember(body, to) === undefined) setMember(body, to, value);
    });
  };
}

function defaultStep(to: FieldPath, value: JsonValue): Step {
  return (body) => {
    if ((getMember(body, to) ?? undefined) === undefined) setMember(body, to, structuredClone(value));
  };
}

function clampStep(at: FieldPath, { min = -Infinity, max = Infinity }: z.infer<typeof bounds>): Step {
  return (body) => {
    const value = getMember(body, at);
    if (typeof value === "number" && (value < min || value > max)) setMember(body, at, value < min ? min : max);
  };
}

function stepsOf(options: Options): Step[] {
  const moves = Object.entries(options.rename).map(([from, to]) => [compile(from), compile(to)] as const);
  return [
    ...(moves.length === 0 ? [] : [renameStep(moves)]),
    ...options.drop.map(compile).map((at): Step => (body) => {
      deleteMember(body, at);
    }),
    ...Object.entries(options.default).map(([to, value]) => defaultStep(compile(to), value)),
    ...Object.entries(options.clamp).map(([at, limits]) => clampStep(compile(at), limits)),
    ...Object.entries(options.force).map(([text, value]): Step => {
      const to = compile(text);
      return (body) => {
        // filters after this one may change what they find
        setMember(body, to, structuredClone(value));
      };
    }),
  ];
}

export const params: ModelFilterDefinition<Options> = {
  name: "params",
  kind: "model",
  schema,
  create(options) {
    const steps = stepsOf(options);
    const operations: ReadonlySet<string> = new Set(options.operations);
    const filter: ModelFilter = {};
    if (steps.length > 0) {
      filter.wireRequest = (body, operation) => {
        if (operations.has(operation)) for (const step of steps) step(body);
      };
    }
    const { cacheMarkers } = options;
    if (cacheMarkers !== undefined) {
      filter.request = (request) => {
        request.cacheMarkers = cacheMarkers;
      };
    }
    return Object.freeze(filter);
  },
};
