/** Routes behind which a prompt stands: the client's plain JSON becomes a chat request, and then is one like any other. */
import type { Snapshot } from "../config/snapshot.ts";
import type { Sticky } from "../config/sticky.ts";
import type { PromptHook, PromptReference, RequestFilter } from "../filters/contract.ts";
import { SluiceError } from "../lib/errors.ts";
import { readBody } from "../lib/json-body.ts";
import type { ExactObject } from "../lib/json.ts";
import { answerFormOf, type AnswerForm } from "./answer-form.ts";
import type { Exchange } from "./exchange.ts";
import { grantedModel } from "./granted-model.ts";
import { userModelOf } from "./prompt-models.ts";
import { pickByWeight, promptVariants } from "./prompt-variants.ts";
import { callerOf, pickByCaller } from "./sticky.ts";

/** One prompt, and the user model that it is for. */
interface PromptVariant {
  readonly model: string;
  readonly render: PromptHook["render"];
  readonly output: PromptHook["output"];
  /** Undefined: the model's whole answer. */
  readonly answerForm: AnswerForm | undefined;
  /** `name@version`; "" if it stands in the route. */
  readonly template: string;
  /** The name-table id of that; 0 for "". */
  readonly templateId: number;
  readonly weight: number;
}

/** The prompts that share a route's requests. */
export interface PromptRoute {
  readonly variants: readonly PromptVariant[];
  readonly sticky: Sticky | undefined;
}

/** The prompts of a route's filters. @throws Error if a template is not there */
export function promptOf(
  filters: readonly RequestFilter[],
  snapshot: Snapshot,
  names: { nameId(name: string): number },
): PromptRoute | undefined {
  const prompt = filters.find((filter) => filter.prompt !== undefined)?.prompt;
  return prompt && compilePrompts(prompt, snapshot, names);
}

/** @throws Error if it is a reference that leads nowhere */
export function compilePrompts(
  prompt: PromptHook | PromptReference,
  snapshot: Snapshot,
  names: { nameId(name: string): number },
): PromptRoute {
  const { variants, sticky } = promptVariants(prompt, snapshot);
  const compiled = variants.map(({ hook, template, weight }) => ({
    model: userModelOf(hook.provider, hook.model, snapshot),
    render: hook.render,
    output: hook.output,
    answerForm: answerFormOf(hook.output),
    template,
    templateId: template === "" ? 0 : names.nameId(template),
    weight,
  }));
  return { variants: compiled, sticky };
}

/** The chat request that the client's JSON becomes. @throws SluiceError for the caller's mistakes */
export function renderPrompt(exchange: Exchange, route: PromptRoute, body: Buffer): Buffer {
  return renderInput(exchange, route, readBody(body, []).exact(), wantsStream(exchange));
}

/** The chat request of one of these prompts. @throws SluiceError for the caller's mistakes */
export function renderInput(exchange: Exchange, route: PromptRoute, input: ExactObject, isStream: boolean): Buffer {
  const { model, render, output, answerForm, templateId } = pickVariant(exchange, route, input);
  exchange.entry.template(templateId);
  // what a prompt takes is nobody's business who may not call it, nor is it worth the work
  grantedModel(exchange, model);
  if (isStream && output.kind === "json") {
    const message = "This prompt answers with checked JSON, which cannot be streamed; ask for the whole answer.";
    throw new SluiceError("invalid_request", message, { param: "stream" });
  }
  const request = { ...render(input), model };
  exchange.answerForm = answerForm;
  return Buffer.from(JSON.stringify(isStream ? { ...request, stream: true } : request));
}

function pickVariant(exchange: Exchange, { variants, sticky }: PromptRoute, input: ExactObject): PromptVariant {
  const caller = sticky && variants.length > 1 ? callerOf(sticky, exchange, input) : undefined;
  return caller === undefined ? pickByWeight(variants, Math.random()) : pickByCaller(variants, caller);
}

/** The JSON is input and nothing else: a stream is asked for beside it, by `?stream=true` or by what is accepted. */
function wantsStream({ target, headers: { accept } }: Exchange): boolean {
  const mark = target.indexOf("?");
  const asked = mark < 0 ? null : new URLSearchParams(target.slice(mark)).get("stream");
  switch (asked) {
    case null:
      return accept?.toLowerCase().includes("text/event-stream") === true;
    case "true":
    case "false":
      return asked === "true";
    default:
      throw new SluiceError("invalid_request", "`?stream=` is true or false.", { param: "stream" });
  }
}
