/** The prompts that a name on the command line means. */
import type { Snapshot } from "../config/snapshot.ts";
import { parseTemplateReference } from "../config/template-reference.ts";
import { findPromptUses } from "../engine/prompt-uses.ts";
import { promptVariants, templateVersionName, type WeightedPrompt } from "../engine/prompt-variants.ts";
import { REQUEST_FILTERS } from "../filters/builtin.ts";
import type { JsonObject } from "../lib/json.ts";
import { runAtOnce } from "../lib/slices.ts";

/** A prompt, and what it is made of. */
export interface FoundPrompt extends WeightedPrompt {
  /** `summary@3`, or what was asked for, where it stands in a route. */
  readonly name: string;
  /** As they stand in the file. */
  readonly options: JsonObject;
}

/**
 * @param name `summary`, `summary@production`, `summary@3`, or a route with a prompt: its path, or its name on the admin port
 * @throws Error if there is no such thing
 */
export function findPrompts(snapshot: Snapshot, name: string): FoundPrompt[] {
  const sources = new Map(
    snapshot.templates.flatMap((template) =>
      template.versions.map(({ version, options }) => [templateVersionName(template.name, version), options]),
    ),
  );
  const found = ({ variants }: ReturnType<typeof promptVariants>, own: JsonObject): FoundPrompt[] =>
    variants.map((variant) => ({
      ...variant,
      name: variant.template || name,
      options: sources.get(variant.template) ?? own,
    }));
  if (snapshot.templates.some((template) => template.name === parseTemplateReference(name).name)) {
    return found(promptVariants({ template: name }, snapshot), {});
  }
  const { routes } = runAtOnce(findPromptUses(snapshot));
  const { middleware } = routes.get(name) ?? [...routes.values()].find(({ path }) => path === name) ?? {};
  const prompt = REQUEST_FILTERS.find((filter) => filter.name === middleware?.name)?.create(middleware!.options).prompt;
  if (prompt === undefined) {
    throw new Error(
      `there is no template and no route with a prompt called ${name}; \`sluice check\` shows what there is`,
    );
  }
  return found(promptVariants(prompt, snapshot), middleware!.options);
}
