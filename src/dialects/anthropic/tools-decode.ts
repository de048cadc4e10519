/** `tools` and `tool_choice` of a request, from the wire to the form. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { ChatRequest, Tool } from "../form.ts";
import {
  arrayOf,
  cacheControlOf,
  extraOf,
  invalidField,
  objectOf,
  optionalBoolean,
  optionalString,
  stringOf,
  under,
} from "./fields.ts";

const TOOL_KEYS = new Set(["type", "name", "description", "input_schema", "strict", "cache_control"]);
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/;

/** Reads both members into `request`. @throws SluiceError `invalid_request` naming the field */
export function decodeTools(body: JsonObject, request: ChatRequest): void {
  const tools = body["tools"] ?? undefined;
  if (tools !== undefined) {
    request.tools = arrayOf(tools, "tools").map((tool, index) => decodeTool(tool, under("tools", index)));
  }
  const choice = body["tool_choice"] ?? undefined;
  if (choice !== undefined) decodeToolChoice(objectOf(choice, "tool_choice"), request);
}

function decodeTool(value: JsonValue, path: string): Tool {
  const object = objectOf(value, path);
  const type = optionalString(object, "type", path) ?? "custom";
  if (type !== "custom") {
    // a tool of Anthropic's own; toolsets have no name
    const name = optionalString(object, "name", path) ?? type;
    return { kind: "opaque", name, dialect: "anthropic", value: object };
  }
  const name = stringOf(object["name"], under(path, "name"));
  if (!TOOL_NAME.test(name)) {
    throw invalidField(under(path, "name"), "must be 1 to 128 letters, digits, underscores and hyphens");
  }
  const tool: Tool = {
    kind: "function",
    name,
    parameters: objectOf(object["input_schema"], under(path, "input_schema")),
  };
  const description = optionalString(object, "description", path);
  if (description !== undefined) tool.description = description;
  const strict = optionalBoolean(object, "strict", path);
  if (strict !== undefined) tool.strict = strict;
  const cacheControl = cacheControlOf(object, path);
  if (cacheControl !== undefined) tool.cacheControl = cacheControl;
  const extra = extraOf(object, TOOL_KEYS);
  // `custom` says what an absent type says
  const hints = object["type"] === "custom" ? { ...extra?.hints, type: "custom" } : extra?.hints;
  if (extra !== undefined || hints !== undefined) {
    tool.extra = { dialect: "anthropic", fields: extra?.fields ?? {}, ...(hints === undefined ? {} : { hints }) };
  }
  return tool;
}

function decodeToolChoice(choice: JsonObject, request: ChatRequest): void {
  const disableParallel = optionalBoolean(choice, "disable_parallel_tool_use", "tool_choice");
  if (disableParallel !== undefined) request.parallelToolCalls = !disableParallel;
  switch (choice["type"]) {
    case "auto":
      request.toolChoice = { kind: "auto" };
      return;
    case "any":
      request.toolChoice = { kind: "required" };
      return;
    case "none":
      request.toolChoice = { kind: "none" };
      return;
    case "tool":
      request.toolChoice = { kind: "tool", name: stringOf(choice["name"], "tool_choice.name") };
      return;
    default:
      throw invalidField("tool_choice.type", "must be 'auto', 'any', 'tool' or 'none'");
  }
}
