/** Chat calls that name a template: what they send becomes its input, and from there on they are a prompt's. */
import type { Snapshot } from "../config/snapshot.ts";
import { parseTemplateReference } from "../config/template-reference.ts";
import type { RequestFilter } from "../filters/contract.ts";
import { SluiceError } from "../lib/errors.ts";
import { readBody } from "../lib/json-body.ts";
import type { ExactObject } from "../lib/json.ts";
import type { Exchange } from "./exchange.ts";
import { compilePrompts, renderInput, type PromptRoute } from "./prompt-route.ts";

/** What calls on a route may name. */
export interface NamedPrompts {
  readonly byName: ReadonlyMap<string, PromptRoute>;
  /** Calls that name none are refused. */
  readonly required: boolean;
}

const NAMED = /^\{template:\/\/([^{}]{1,128})\}$/;
/** Of a body in APISIX's form: what is no value of the template. */
const OWN_MEMBERS: ReadonlySet<string> = new Set(["template_name", "model", "stream", "stream_options"]);

/** @throws Error if a template is not there */
export function namedPromptsOf(
  filters: readonly RequestFilter[],
  snapshot: Snapshot,
  names: { nameId(name: string): number },
): NamedPrompts | undefined {
  const all = filters.flatMap(({ namedPrompts }) => namedPrompts ?? []);
  if (all.length === 0) {
    return undefined;
  }
  const entries = all.flatMap(({ templates }) =>
    templates.map((reference): [string, PromptRoute] => [
      parseTemplateReference(reference.template).name,
      compilePrompts(reference, snapshot, names),
    ]),
  );
  return { byName: new Map(entries), required: all.some(({ required }) => required) };
}

/** The chat request of a call that names a template; the same bytes of one that does not. @throws SluiceError */
export function renderNamed(exchange: Exchange, { byName, required }: NamedPrompts, body: Buffer): Buffer {
  const scan = readBody(body, ["messages", "template_name", "properties", "stream"]);
  const messages = scan.get("messages");
  const inMessages = typeof messages === "string" ? NAMED.exec(messages)?.[1] : undefined;
  const byMember = scan.get("template_name");
  if (inMessages === undefined && byMember === undefined) {
    if (required) {
      const message = "Name a template here: `template_name`, or `messages` as `{template://name}`.";
      throw new SluiceError("invalid_request", message, { param: "template_name" });
    }
    return body;
  }
  const param = inMessages === undefined ? "template_name" : "messages";
  const prompts = byName.get(String(inMessages ?? byMember));
  if (prompts === undefined) {
    const message = "There is no template of this name on this route.";
    throw new SluiceError("invalid_request", message, { param });
  }
  const whole = scan.exact();
  const input = inMessages === undefined ? valuesBeside(whole) : propertiesOf(whole);
  return renderInput(exchange, prompts, input, scan.get("stream") === true);
}

function valuesBeside(body: ExactObject): ExactObject {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !OWN_MEMBERS.has(name)));
}

function propertiesOf({ properties }: ExactObject): ExactObject {
  if (properties === undefined || properties === null) {
    return {};
  }
  if (typeof properties !== "object" || Array.isArray(properties)) {
    throw new SluiceError("invalid_request", "`properties` must be an object.", { param: "properties" });
  }
  return properties;
}
