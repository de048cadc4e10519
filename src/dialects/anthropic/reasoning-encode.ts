/**
 * How much the model shall think, from the form to `thinking` and `output_config.effort`.
 *
 * From another dialect: models since Claude 4.6 get `adaptive` thinking and an effort (`minimal` is `low`; a
 * level that the model lacks becomes the next lower one). Older ones, and other vendors', get a budget: the
 * share of `max_tokens` that stands in BUDGET_SHARES, at least 1,024 and less than `max_tokens`. `none` is
 * `disabled` where the model would think by itself.
 */
import type { JsonObject } from "../../lib/json.ts";
import type { FieldReport } from "../field-report.ts";
import type { ReasoningSettings } from "../form.ts";
import { isObject } from "./fields.ts";
import type { Effort, ModelTraits } from "./model-traits.ts";

/** The least `budget_tokens` that Anthropic takes. */
const MIN_BUDGET_TOKENS = 1024;
const BUDGET_SHARES: ReadonlyMap<string, number> = new Map([
  ["minimal", 0.1],
  ["low", 0.2],
  ["medium", 0.5],
  ["high", 0.8],
  ["xhigh", 0.95],
  ["max", 0.95],
]);
const EFFORTS: readonly Effort[] = ["low", "medium", "high", "xhigh", "max"];

/** The two members of a request. */
export interface EncodedReasoning {
  readonly thinking?: JsonObject;
  readonly effort?: string;
}

/** Writes the settings of one request. @throws SluiceError `unsupported_field` through the report */
export function encodeReasoning(
  settings: ReasoningSettings,
  traits: ModelTraits,
  maxTokens: number,
  report: FieldReport,
): EncodedReasoning {
  if (settings.extra?.dialect === "anthropic") return encodeOwn(settings, settings.extra.fields);
  const { effort, budgetTokens } = settings;
  if (!settings.enabled || effort === "none") {
    return traits.thinksByDefault ? { thinking: { type: "disabled" } } : {};
  }
  if (effort !== undefined && !BUDGET_SHARES.has(effort)) {
    report.unsupported("reasoning_effort", "It takes none, minimal, low, medium, high, xhigh and max.");
    return {};
  }
  if (traits.thinking === "adaptive") {
    const level = effort ?? (budgetTokens === undefined ? undefined : effortOfBudget(budgetTokens));
    const thinking = { type: "adaptive" };
    return level === undefined ? { thinking } : { thinking, effort: fitEffort(level, traits.efforts) };
  }
  const share = BUDGET_SHARES.get(effort ?? "medium") ?? 0.5;
  const wanted = Math.max(MIN_BUDGET_TOKENS, budgetTokens ?? Math.floor(maxTokens * share));
  const budget = Math.min(wanted, maxTokens - 1);
  if (budget < MIN_BUDGET_TOKENS) {
    report.unsupported("reasoning_effort", `Thinking needs a limit of more than ${MIN_BUDGET_TOKENS} output tokens.`);
    return {};
  }
  return { thinking: { type: "enabled", budget_tokens: budget } };
}

/** Anthropic's own words go back as they came, with what filters changed. */
function encodeOwn(settings: ReasoningSettings, fields: JsonObject): EncodedReasoning {
  const encoded: { thinking?: JsonObject; effort?: string } = {};
  if (settings.effort !== undefined) encoded.effort = settings.effort;
  const { thinking } = fields;
  if (!isObject(thinking)) return encoded;
  if (!settings.enabled) {
    encoded.thinking = thinking["type"] === "disabled" ? thinking : { type: "disabled" };
  } else if (settings.budgetTokens === undefined) {
    encoded.thinking = thinking;
  } else {
    encoded.thinking = { ...thinking, budget_tokens: settings.budgetTokens };
  }
  return encoded;
}

function fitEffort(level: string, accepted: readonly Effort[]): Effort {
  const wanted = Math.max(
    0,
    EFFORTS.findIndex((effort) => effort === level),
  );
  for (let index = wanted; index >= 0; index--) {
    const effort = EFFORTS[index];
    if (effort !== undefined && accepted.includes(effort)) return effort;
  }
  return "low";
}

/** A budget said to a model that takes none: small ones mean a quick answer. */
function effortOfBudget(budgetTokens: number): Effort {
  if (budgetTokens < 4096) return "low";
  return budgetTokens < 16_384 ? "medium" : "high";
}
