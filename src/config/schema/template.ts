/** `templates`: prompts with a name, in versions, of which labels say what is in use. */
import { z } from "zod";
import { STICKY } from "../sticky.ts";
import { flag, integer, name, weight } from "./scalars.ts";
import { section } from "./section.ts";

const MAX_VERSION = 1_000_000;
const version = integer(1, MAX_VERSION);

const shareSchema = section({
  version: version.describe("A version's number"),
  weight: weight.prefault(1).describe("Its share of requests among those of this list"),
});

/** One version, or several that share the requests. */
const release = z
  .union([version, z.array(shareSchema).min(1).max(100)], {
    error: "must be the number of a version, or a list of versions with weights",
  })
  .transform((value) => (Array.isArray(value) ? value : [{ version: value, weight: 1 }]))
  .meta({ title: "version, or list of versions" });

const label = name.refine((text) => !/^\d+$/.test(text), "must not be a number: that would be a version");

const sticky = z.string().regex(STICKY, "must be `consumer`, `key`, `header:name` (lower case) or `input:field`");

const versionSchema = section({
  version: version.describe("Its number"),
  draft: flag.prefault(false).describe("Only routes that name this very version may use it"),
  prompt: z.record(z.string(), z.json()).describe("The options of `prompt_template`"),
});

/** One template. */
export const templateSchema = section({
  name: name.describe("What routes call it"),
  published: release.optional().describe("What a route gets that names no label and no version"),
  labels: z.record(label, release).default({}).describe("What a route gets that names this label"),
  sticky: sticky.optional().describe("What keeps a caller on one version where several share the requests"),
  versions: z.array(versionSchema).min(1, "must not be empty").max(1_000).describe("Its versions"),
});

export type TemplateDocument = z.output<typeof templateSchema>;
