/** The prompts that may answer on a route: one, or the versions of a template that share its requests. */
import type { Snapshot, TemplateConfig, TemplateVersionConfig } from "../config/snapshot.ts";
import { parseSticky, type Sticky } from "../config/sticky.ts";
import { parseTemplateReference, sharesOf } from "../config/template-reference.ts";
import { REQUEST_FILTERS } from "../filters/builtin.ts";
import type { PromptHook, PromptReference } from "../filters/contract.ts";

/** One prompt with its share of the requests. */
export interface WeightedPrompt {
  readonly hook: PromptHook;
  /** `name@version`; "" for a prompt that stands in its route. */
  readonly template: string;
  readonly weight: number;
}

type WithTemplates = Pick<Snapshot, "templates">;

const FILTER = REQUEST_FILTERS.find(({ name }) => name === "prompt_template")!;

/** Many routes may use one template: it is compiled once. */
const hooks = new WeakMap<TemplateVersionConfig, PromptHook>();
const templatesByName = new WeakMap<WithTemplates, ReadonlyMap<string, TemplateConfig>>();

/** What usage entries call a version. */
export function templateVersionName(name: string, version: number): string {
  return `${name}@${version}`;
}

/** Those that share requests, and how it is chosen among them. */
export interface PromptVariants {
  readonly variants: readonly WeightedPrompt[];
  /** Undefined: drawn for each request. */
  readonly sticky: Sticky | undefined;
}

/** @throws Error if the reference leads nowhere */
export function promptVariants(prompt: PromptHook | PromptReference, snapshot: WithTemplates): PromptVariants {
  if ("render" in prompt) {
    return { variants: [{ hook: prompt, template: "", weight: 1 }], sticky: undefined };
  }
  const { name, at } = parseTemplateReference(prompt.template);
  const template = templatesOf(snapshot).get(name);
  const shares = template && sharesOf(template, at);
  if (template === undefined || shares === undefined) {
    throw new Error(`there is no template ${prompt.template}`);
  }
  const variants = shares.map(({ version, weight }) => ({
    hook: hookOf(template, version),
    template: templateVersionName(name, version),
    weight,
  }));
  return { variants, sticky: template.sticky === undefined ? undefined : parseSticky(template.sticky) };
}

/** One of them, each as often as its weight says. @param random from 0 to 1, 1 excluded */
export function pickByWeight<Item extends { readonly weight: number }>(items: readonly Item[], random: number): Item {
  let rest = random * items.reduce((sum, { weight }) => sum + weight, 0);
  return items.find(({ weight }) => (rest -= weight) < 0) ?? items.at(-1)!;
}

function templatesOf(snapshot: WithTemplates): ReadonlyMap<string, TemplateConfig> {
  let byName = templatesByName.get(snapshot);
  if (byName === undefined) {
    byName = new Map(snapshot.templates.map((template) => [template.name, template]));
    templatesByName.set(snapshot, byName);
  }
  return byName;
}

function hookOf(template: TemplateConfig, version: number): PromptHook {
  const config = template.versions.find((candidate) => candidate.version === version);
  const known = config && hooks.get(config);
  if (known !== undefined) {
    return known;
  }
  const prompt = config && FILTER.create(config.options).prompt;
  if (config === undefined || prompt === undefined || !("render" in prompt)) {
    throw new Error(`template ${template.name} has no version ${version} that is a prompt`);
  }
  hooks.set(config, prompt);
  return prompt;
}
