/** `response_format`, both ways. Engines' own kinds (grammars, structural tags) stay among the request's extra fields. */
import type { JsonObject } from "../../lib/json.ts";
import type { ChatRequest, ResponseFormat } from "../form.ts";
import { type FieldReader, invalidType, isObject, stringOf } from "./fields.ts";

const SCHEMA_NAME_PATTERN = /[^a-zA-Z0-9_-]/g;
const DEFAULT_SCHEMA_NAME = "response";

/** @throws SluiceError `invalid_request` naming the field */
export function decodeResponseFormat(reader: FieldReader, request: ChatRequest): void {
  const value = reader.peek("response_format");
  if (value === undefined) return;
  const path = reader.at("response_format");
  if (!isObject(value)) throw invalidType(path, "an object", value);
  const type = stringOf(value["type"], `${path}.type`);
  if (type !== "text" && type !== "json_object" && type !== "json_schema") return;
  // json_object with a schema is a schema to some engines; like all that is more than the protocol, it stays whole
  if (type !== "json_schema" && Object.keys(value).length > 1) return;
  const format = reader.nested("response_format");
  format.value("type");
  if (type === "text") request.responseFormat = { kind: "text" };
  else if (type === "json_object") request.responseFormat = { kind: "json" };
  else request.responseFormat = decodeSchema(format.nested("json_schema"));
}

function decodeSchema(reader: FieldReader): ResponseFormat {
  const name = reader.requiredString("name");
  const description = reader.string("description");
  const strict = reader.boolean("strict");
  return {
    kind: "schema",
    name,
    ...(description === undefined ? {} : { description }),
    schema: reader.object("schema") ?? {},
    ...(strict === undefined ? {} : { strict }),
  };
}

/** Writes the format into `body`. A schema from a dialect that names none is called `response`. */
export function encodeResponseFormat(body: JsonObject, format: ResponseFormat | undefined): void {
  if (format === undefined) return;
  if (format.kind !== "schema") {
    body["response_format"] = { type: format.kind === "json" ? "json_object" : "text" };
    return;
  }
  const name = (format.name ?? DEFAULT_SCHEMA_NAME).replace(SCHEMA_NAME_PATTERN, "_");
  const schema: JsonObject = { name, schema: format.schema };
  if (format.description !== undefined) schema["description"] = format.description;
  if (format.strict !== undefined) schema["strict"] = format.strict;
  body["response_format"] = { type: "json_schema", json_schema: schema };
}
