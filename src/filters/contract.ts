/**
 * The filter contract. A filter is a definition with a schema for its options; `create` runs at compile
 * time and returns an object with only the hooks that it needs. The pipeline is composed once: a hook
 * nobody has costs nothing. A short circuit (denial, preflight, cache hit) is a return value.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { ZodType } from "zod";
import type { Operation } from "../dialects/contract.ts";
import type { ChatAnswer, ChatEvent, ChatRequest, DialectName } from "../dialects/form.ts";
import type { ExactJson, ExactObject, JsonObject } from "../lib/json.ts";

/** What a request filter sees of a client's request. */
export interface RequestView {
  readonly requestId: string;
  readonly method: string;
  /** Normalised path, without the query. */
  readonly path: string;
  readonly host: string;
  readonly headers: IncomingHttpHeaders;
}

/** What a request filter sees of a chat request, besides its messages. */
export interface ChatView extends RequestView {
  readonly dialect: DialectName;
  /** The model as the client named it, and the user model that it is (the same, if it is unknown). */
  readonly asked: string;
  readonly model: string;
  readonly consumer: string;
  /** The name of the API key. */
  readonly key: string;
}

/** A whole answer that a request filter gives instead of the upstream. */
export interface ShortCircuit {
  readonly status: number;
  /** Names and values, alternating. */
  readonly headers: readonly string[];
  readonly body: string;
}

/** Acts on the client's request and on what goes back to the client. */
export interface RequestFilter {
  /** Runs before authentication; the body has not been read. Throws SluiceError to refuse. */
  beforeAuthentication?(request: RequestView): ShortCircuit | undefined;
  /** Adds to the headers (names and values, alternating) of whatever is answered, errors included. */
  answerHead?(request: RequestView, headers: string[]): void;
  /** Lowers (or raises) the body limit of this route, in bytes. */
  readonly maxBodyBytes?: number;
  /**
   * Changes a chat request (also one whose tokens are counted) before a model is called, in the client's dialect. Having
   * it means that `messages`, `system` and `metadata` are parsed; other members stay bytes.
   * @returns the members of `messages` and `system` that change @throws SluiceError to refuse
   */
  chat?(request: ChatView, members: Readonly<ExactObject>): ExactObject;
  /** What chat calls in OpenAI's dialect may name instead of bringing messages. */
  readonly namedPrompts?: { readonly templates: readonly PromptReference[]; readonly required: boolean };
  /** What answers here: a prompt. At most one filter of a route has it. */
  readonly prompt?: PromptHook | PromptReference;
}

/** A prompt that stands in the configuration's `templates`. */
export interface PromptReference {
  /** `name`, `name@label` or `name@version`. */
  readonly template: string;
}

/** Makes a chat request of a client's plain JSON. */
export interface PromptHook {
  /** A provider, of which `model` is the upstream model; without it `model` is a user model. */
  readonly provider?: string;
  readonly model: string;
  /** The request in OpenAI's form, without `model`. @throws SluiceError for the caller's mistakes */
  readonly render: (input: ExactObject) => JsonObject;
  readonly output: PromptOutput;
  /** What there is to say of it to those who call. */
  readonly shape: PromptShape;
}

/** What a prompt takes, and what it answers with. */
export interface PromptShape {
  /** Names of the input that the templates mention, sorted. */
  readonly variables: readonly string[];
  readonly defaults?: JsonObject;
  /** JSON Schemas of the input, and of checked JSON answers. */
  readonly input?: JsonObject;
  readonly outputSchema?: JsonObject;
}

/** What a prompt's client gets: the model's whole answer, its text, or the JSON in it, once a check has passed it. */
export type PromptOutput =
  | { readonly kind: "full" | "text" }
  | {
      readonly kind: "json";
      readonly check?: (value: ExactJson) => OutputCheck;
      /** So often may the model be told what is wrong with its answer. */
      readonly repairs: number;
    };

/** The value with defaults, or what is wrong with it. */
export type OutputCheck =
  | { readonly ok: true; readonly value: ExactJson }
  | { readonly ok: false; readonly message: string };

/** Handles one stream: called for each event, passes on what should go further. */
export type EventFilter = (event: ChatEvent, emit: (event: ChatEvent) => void) => void;

/** Acts when a request is forwarded to one target, and on that target's answer. */
export interface ModelFilter {
  /** Changes the request's internal form. Having it means that the body is parsed. */
  request?(request: ChatRequest): void;
  /** Changes the body as it will be sent, in the target's dialect. Having it means that the body is parsed. */
  wireRequest?(body: JsonObject, operation: Operation): void;
  /** Changes a whole answer. Having it means that answers are parsed. */
  answer?(answer: ChatAnswer): void;
  /** Makes the filter of one stream. Having it means that stream events are parsed. */
  createEventFilter?(): EventFilter;
}

interface DefinitionBase<Options> {
  /** As YAML names it. */
  readonly name: string;
  readonly schema: ZodType<Options>;
}

export interface RequestFilterDefinition<Options> extends DefinitionBase<Options> {
  readonly kind: "request";
  create(options: Options): RequestFilter;
}

export interface ModelFilterDefinition<Options> extends DefinitionBase<Options> {
  readonly kind: "model";
  create(options: Options): ModelFilter;
}
