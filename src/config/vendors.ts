/** Vendors whose usual environment variable makes them available without configuration, and their documented URLs. */
import type { DialectName } from "../dialects/form.ts";

/** A vendor's cloud. */
export interface Vendor {
  /** Provider name, and the beginning of its user models: `openai/*`. */
  readonly name: string;
  readonly dialect: DialectName;
  /** The variables that may hold its API key; the first that is set counts. */
  readonly keyVariables: readonly string[];
  readonly baseUrl: string;
  /** The variable by which its SDK lets the URL be changed. */
  readonly baseUrlVariable?: string;
}

export const VENDORS: readonly Vendor[] = [
  {
    name: "openai",
    dialect: "openai",
    keyVariables: ["OPENAI_API_KEY"],
    baseUrl: "https://api.openai.com/v1",
    baseUrlVariable: "OPENAI_BASE_URL",
  },
  {
    name: "anthropic",
    dialect: "anthropic",
    keyVariables: ["ANTHROPIC_API_KEY"],
    baseUrl: "https://api.anthropic.com",
    baseUrlVariable: "ANTHROPIC_BASE_URL",
  },
  { name: "deepseek", dialect: "openai", keyVariables: ["DEEPSEEK_API_KEY"], baseUrl: "https://api.deepseek.com/v1" },
  {
    name: "gemini",
    dialect: "openai",
    keyVariables: ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    baseUrl: "https://generativelanguage.googleapis.com/v1beta/openai",
  },
  { name: "groq", dialect: "openai", keyVariables: ["GROQ_API_KEY"], baseUrl: "https://api.groq.com/openai/v1" },
  { name: "mistral", dialect: "openai", keyVariables: ["MISTRAL_API_KEY"], baseUrl: "https://api.mistral.ai/v1" },
  {
    name: "openrouter",
    dialect: "openai",
    keyVariables: ["OPENROUTER_API_KEY"],
    baseUrl: "https://openrouter.ai/api/v1",
  },
  { name: "together", dialect: "openai", keyVariables: ["TOGETHER_API_KEY"], baseUrl: "https://api.together.ai/v1" },
  { name: "xai", dialect: "openai", keyVariables: ["XAI_API_KEY"], baseUrl: "https://api.x.ai/v1" },
];
