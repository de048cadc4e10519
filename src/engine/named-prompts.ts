/** Chat calls that name a template: what they send becomes its input, and from there on they are a prompt's. */
import type { Snapshot } from "../config/snapshot.ts";
import type { Operation } from "../dialects/contract.ts";
import { parseTemplateReference } from "../config/template-reference.ts";
import type { RequestFilter } from "../filters/contract.ts";
import { SluiceError } from "../lib/errors.ts";
import { type BodyScan, readBody } from "../lib/json-body.ts";
import type { ExactObject, JsonValue } from "../lib/json.ts";
import type { Exchange } from "./exchange.ts";
import { compilePrompts, renderInput, type PromptRoute } from "./prompt-route.ts";

/** What calls on a route may name. */
export interface NamedPrompts {
  readonly byName: ReadonlyMap<string, PromptRoute>;
  /** Calls that bring a prompt of their own are refused, whatever they are. */
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
export function renderNamed(
  exchange: Exchange,
  { byName, required }: NamedPrompts,
  operation: Operation,
  body: Buffer,
): Buffer {
  const scan = readBody(body, ["messages", "template_name", "properties", "stream"]);
  const reference = exchange.dialect.name === "openai" && operation === "chat" ? referenceIn(scan) : undefined;
  if (reference === undefined) {
    if (required && (operation === "chat" || operation === "completions")) {
      const message =
        "Name a template here, in a chat call of OpenAI's form: `template_name`, or `messages` as `{template://name}`.";
      throw new SluiceError("invalid_request", message, { param: "template_name" });
    }
    return body;
  }
  const { param, name } = reference;
  const prompts = typeof name === "string" ? byName.get(name) : undefined;
  if (prompts === undefined) {
    const message = "There is no template of this name on this route.";
    throw new SluiceError("invalid_request", message, { param });
  }
  const stream = scan.get("stream") ?? false;
  if (typeof stream !== "boolean") {
    throw new SluiceError("invalid_request", "`stream` must be true or false.", { param: "stream" });
  }
  const whole = scan.exact();
  const input = param === "messages" ? propertiesOf(whole) : valuesBeside(whole);
  return renderInput(exchange, prompts, input, stream);
}

/** Which member names a template, and what it says. */
function referenceIn(scan: BodyScan): { param: "messages" | "template_name"; name: JsonValue } | undefined {
  // a list of messages, which most calls bring, is not parsed for this
  const inMessages = scan.isText("messages") ? NAMED.exec(String(scan.get("messages")))?.[1] : undefined;
  if (inMessages !== undefined) {
    return { param: "messages", name: inMessages };
  }
  const name = scan.get("template_name");
  return name === undefined ? undefined : { param: "template_name", name };
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
