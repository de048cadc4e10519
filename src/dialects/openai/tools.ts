/** `tools` and `tool_choice`, both ways. Tools that are not functions (custom tools, engines' own) stay opaque. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import { clientPath } from "../client-path.ts";
import type { ChatRequest, Tool, ToolChoice } from "../form.ts";
import { CACHE_MARKER_KEYS, decodeCacheMarker, encodeCacheMarker } from "./cache-marker.ts";
import { FieldReader, invalidType, invalidValue, isObject, objectOf, putBack, stringOf, under } from "./fields.ts";
import type { PartContext } from "./parts-encode.ts";

/** @throws SluiceError `invalid_request` naming the field */
export function decodeTools(reader: FieldReader, request: ChatRequest): void {
  const tools = reader.array("tools");
  if (tools !== undefined)
    request.tools = tools.map((tool, index) => decodeTool(tool, under(reader.at("tools"), index)));
  const choice = decodeToolChoice(reader);
  if (choice !== undefined) request.toolChoice = choice;
  const parallel = reader.boolean("parallel_tool_calls");
  if (parallel !== undefined) request.parallelToolCalls = parallel;
}

function decodeTool(value: JsonValue, path: string): Tool {
  const object = objectOf(value, path);
  const type = stringOf(object["type"], under(path, "type"));
  if (type !== "function") {
    const detail = object[type];
    const name = isObject(detail) ? detail["name"] : object["name"];
    return { kind: "opaque", name: typeof name === "string" ? name : type, dialect: "openai", value: object };
  }
  const reader = new FieldReader(object, path);
  reader.value("type");
  const definition = reader.nested("function");
  const tool: Tool = { kind: "function", name: definition.requiredString("name") };
  if (tool.name === "") throw invalidValue(definition.at("name"), "expected a name");
  const description = definition.string("description");
  if (description !== undefined) tool.description = description;
  const parameters = definition.object("parameters");
  if (parameters !== undefined) tool.parameters = parameters;
  const strict = definition.boolean("strict");
  if (strict !== undefined) tool.strict = strict;
  // a marker stands beside `function`, or in it
  const cacheControl = decodeCacheMarker(reader) ?? decodeCacheMarker(definition);
  if (cacheControl !== undefined) tool.cacheControl = cacheControl;
  return { ...tool, ...reader.extraMember() };
}

/** Forms that only this dialect has (allowed tools, custom tools, engines' words) stay among the reader's fields. */
function decodeToolChoice(reader: FieldReader): ToolChoice | undefined {
  const value = reader.peek("tool_choice");
  if (value === undefined) return undefined;
  if (value === "auto" || value === "none" || value === "required") {
    reader.value("tool_choice");
    return { kind: value };
  }
  if (typeof value === "string") return undefined;
  const path = reader.at("tool_choice");
  if (!isObject(value)) throw invalidType(path, "a string or an object", value);
  if (stringOf(value["type"], under(path, "type")) !== "function") return undefined;
  const definition = objectOf(value["function"], under(path, "function"));
  const name = stringOf(definition["name"], under(path, "function.name"));
  // fields beside the name are an engine's: the whole stays as it is
  if (Object.keys(value).length > 2 || Object.keys(definition).length > 1) return undefined;
  reader.value("tool_choice");
  return { kind: "tool", name };
}

/** @throws SluiceError `unsupported_field` through the report */
export function encodeTools(body: JsonObject, request: ChatRequest, context: PartContext): void {
  const { tools, toolChoice, parallelToolCalls } = request;
  if (tools !== undefined) {
    const encoded = tools.flatMap((tool, index) =>
      encodeTool(tool, clientPath(request.origin, "tools", index), context),
    );
    // servers refuse an empty list
    if (encoded.length > 0 || context.own) body["tools"] = encoded;
  }
  if (toolChoice !== undefined) body["tool_choice"] = encodeToolChoice(toolChoice);
  if (parallelToolCalls !== undefined) body["parallel_tool_calls"] = parallelToolCalls;
}

function encodeTool(tool: Tool, path: string, context: PartContext): JsonObject[] {
  if (tool.kind === "opaque") {
    if (tool.dialect === "openai" && tool.value !== undefined) return [tool.value];
    context.report.unsupported(path, "It is a tool of another vendor; offer a function instead.");
    return [];
  }
  context.report.foreign(tool.extra, path);
  const definition: JsonObject = { name: tool.name };
  if (tool.description !== undefined) definition["description"] = tool.description;
  if (tool.parameters !== undefined) definition["parameters"] = tool.parameters;
  if (tool.strict !== undefined) definition["strict"] = tool.strict;
  const encoded: JsonObject = { type: "function", function: definition };
  encodeCacheMarker(encoded, tool.cacheControl, tool.extra, context.cacheMarkers);
  return [putBack(encoded, tool.extra, CACHE_MARKER_KEYS)];
}

function encodeToolChoice(choice: ToolChoice): JsonValue {
  return choice.kind === "tool" ? { type: "function", function: { name: choice.name } } : choice.kind;
}
