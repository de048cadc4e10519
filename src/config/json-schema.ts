/** The JSON Schema of the configuration file, for editors. */
import { z } from "zod";
import { rootSchema } from "./schema/root.ts";

/** A JSON Schema object as far as it is read here. */
export interface JsonSchema {
  readonly type?: string;
  /** The name of a type that JSON Schema has not got: duration, size, time. */
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly additionalProperties?: boolean | JsonSchema;
}

/** JSON Schema (draft 2020-12) of what people write: before substitution and defaults. */
export function configJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(rootSchema, { io: "input" });
  return {
    ...(schema as JsonSchema), // the package's own type is wider than what it makes of this schema
    ...{ title: "Sluice configuration" },
  };
}
