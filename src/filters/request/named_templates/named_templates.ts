/**
 * `named_templates`: chat calls may name a template instead of bringing messages, in the forms that clients of other
 * gateways write: Kong's `"messages": "{template://name}"` with `properties`, and APISIX's `template_name` beside its values.
 */
import { z } from "zod";
import type { RequestFilterDefinition } from "../../contract.ts";

const MAX_TEMPLATES = 10_000;

const schema = z.strictObject({
  /** Which of `templates` may be named, and what a name stands for: `name`, `name@label` or `name@version`. */
  templates: z.array(z.string().min(1)).min(1).max(MAX_TEMPLATES),
  /** Refuses calls that bring messages of their own. */
  required: z.boolean().default(false),
});

export const namedTemplates: RequestFilterDefinition<z.infer<typeof schema>> = {
  name: "named_templates",
  kind: "request",
  schema,
  create: ({ templates, required }) => ({
    namedPrompts: { templates: templates.map((template) => ({ template })), required },
  }),
};
