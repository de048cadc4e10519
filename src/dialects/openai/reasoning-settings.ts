/**
 * How much the model shall think. OpenAI says `reasoning_effort`; OpenRouter's `reasoning` and the `thinking` of
 * LiteLLM, DeepSeek and GLM are read as well and go back as they came, with what filters changed.
 *
 * From another dialect: an effort is taken as it is; a budget becomes an effort (below 4,096 tokens `low`, below
 * 16,384 `medium`, else `high`); `disabled` becomes the least effort that the model is known to take, and nothing
 * where it is not known to take any, as engines differ in how thinking is switched off.
 */
import type { JsonObject } from "../../lib/json.ts";
import type { ChatRequest, ReasoningSettings } from "../form.ts";
import { fieldsOf, type FieldReader, isObject } from "./fields.ts";
import type { ModelTraits } from "./model-traits.ts";

/** Reads the settings into `request`. @throws SluiceError `invalid_request` naming the field */
export function decodeReasoningSettings(reader: FieldReader, request: ChatRequest): void {
  const own: JsonObject = {};
  const settings: ReasoningSettings = { enabled: true };
  const effort = reader.string("reasoning_effort");
  if (effort !== undefined) {
    own["reasoning_effort"] = effort;
    settings.effort = effort;
  }
  const reasoning = reader.object("reasoning");
  if (reasoning !== undefined) {
    own["reasoning"] = reasoning;
    if (reasoning["enabled"] === false) settings.enabled = false;
    if (typeof reasoning["effort"] === "string") settings.effort ??= reasoning["effort"];
    setBudget(settings, reasoning["max_tokens"]);
  }
  const thinking = reader.object("thinking");
  if (thinking !== undefined) {
    own["thinking"] = thinking;
    if (thinking["type"] === "disabled") settings.enabled = false;
    setBudget(settings, thinking["budget_tokens"]);
  }
  if (Object.keys(own).length === 0) return;
  if (settings.effort === "none") settings.enabled = false;
  settings.extra = { dialect: "openai", fields: own };
  request.reasoning = settings;
}

function setBudget(settings: ReasoningSettings, tokens: unknown): void {
  if (typeof tokens === "number" && Number.isSafeInteger(tokens) && tokens >= 0) settings.budgetTokens ??= tokens;
}

/** Writes the settings into `body`. */
export function encodeReasoningSettings(
  body: JsonObject,
  settings: ReasoningSettings | undefined,
  traits: ModelTraits,
): void {
  if (settings === undefined) return;
  if (settings.extra?.dialect === "openai") {
    encodeOwn(body, settings);
    return;
  }
  const effort = settings.enabled ? (settings.effort ?? effortOfBudget(settings.budgetTokens)) : traits.leastEffort;
  if (effort !== undefined) body["reasoning_effort"] = effort;
}

function encodeOwn(body: JsonObject, settings: ReasoningSettings): void {
  const { effort, budgetTokens } = settings;
  const { reasoning_effort: wordedEffort, reasoning, thinking } = fieldsOf(settings.extra);
  if (wordedEffort !== undefined && effort !== undefined) body["reasoning_effort"] = effort;
  if (isObject(reasoning)) {
    const encoded: JsonObject = { ...reasoning };
    // beside reasoning_effort the object's own effort has not been read
    if (wordedEffort === undefined) replace(encoded, "effort", effort);
    replace(encoded, "max_tokens", budgetTokens);
    body["reasoning"] = encoded;
  }
  if (isObject(thinking)) {
    const encoded: JsonObject = { ...thinking };
    if (!isObject(reasoning)) replace(encoded, "budget_tokens", budgetTokens);
    body["thinking"] = encoded;
  }
  const worded = wordedEffort !== undefined || isObject(reasoning);
  if (!worded && effort !== undefined) body["reasoning_effort"] = effort;
}

function replace(target: JsonObject, key: string, value: string | number | undefined): void {
  if (value !== undefined && typeof target[key] === typeof value) target[key] = value;
}

function effortOfBudget(budgetTokens: number | undefined): string | undefined {
  if (budgetTokens === undefined) return undefined;
  if (budgetTokens < 4096) return "low";
  return budgetTokens < 16_384 ? "medium" : "high";
}
