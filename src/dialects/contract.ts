/**
 * What a dialect gives to the gateway: pure functions and stream codecs, no I/O. One folder a dialect;
 * `client.ts` is how clients speak it to us, `target.ts` how we speak it to a provider.
 */
import type { JsonObject } from "../lib/json.ts";
import type { SluiceError } from "../lib/errors.ts";
import type { ChatAnswer, ChatEvent, ChatRequest, DialectName, Usage } from "./form.ts";

/** What a client can ask for, whatever the dialect. */
export type Operation = "chat" | "completions" | "embeddings" | "count_tokens" | "models.list" | "models.get";

/** One method and path (below the route's mount, without the `/v1`) that a dialect's clients call. */
export interface OperationPath {
  readonly operation: Operation;
  readonly method: "GET" | "POST";
  /** `/chat/completions`; a last segment `*` takes the rest, percent-decoded (`/models/*`). */
  readonly path: string;
}

/** A model as a list shows it. */
export interface ModelInfo {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly ownedBy: string;
  /** The model that this name stands for; absent if it is no alias, or that is not to be shown. */
  readonly aliasOf?: string;
}

/** An HTTP answer ready to send. */
export interface EncodedAnswer {
  readonly status: number;
  readonly body: JsonObject;
}

/** An upstream's error answer, understood. */
export interface UpstreamError {
  readonly status: number;
  /** The vendor's own words. */
  readonly message: string;
  readonly type: string;
  readonly code: string | null;
  readonly param: string | null;
  readonly requestId?: string;
}

/** Turns internal events into the bytes of a client's stream. One object a stream. */
export interface StreamEncoder {
  /** SSE text for one event; may be empty (nothing to say yet) or hold several SSE events. */
  encode(event: ChatEvent): string;
}

/** What a client's dialect needs to know to word an answer. */
export interface AnswerContext {
  readonly requestId: string;
  /** The user model as the client named it; answers say this name. */
  readonly model: string;
  /** The client asked for a usage chunk (OpenAI `stream_options.include_usage`). */
  readonly includeUsage: boolean;
}

/** How clients speak this dialect to Sluice. */
export interface ClientDialect {
  readonly operations: readonly OperationPath[];
  /**
   * Reads a chat request (`count_tokens` takes the same form).
   * @throws SluiceError `invalid_request` naming the field in `param`.
   */
  decodeChatRequest(body: JsonObject): ChatRequest;
  encodeChatAnswer(answer: ChatAnswer, context: AnswerContext): JsonObject;
  createStreamEncoder(context: AnswerContext): StreamEncoder;
  /** An error of Sluice's own, in this dialect's words. */
  encodeError(error: SluiceError, requestId: string): EncodedAnswer;
  /** An upstream's error (of any dialect), keeping status, code and retryability. */
  encodeUpstreamError(error: UpstreamError, requestId: string): EncodedAnswer;
  /** The SSE text that ends a stream which cannot go on. */
  encodeStreamError(error: SluiceError | UpstreamError, requestId: string): string;
  encodeModelList(models: readonly ModelInfo[]): JsonObject;
  encodeModel(model: ModelInfo): JsonObject;
  encodeTokenCount(tokens: number): JsonObject;
}

/** Turns a provider's SSE events into internal events. One object a stream. */
export interface StreamDecoder {
  /**
   * @param event the SSE `event:` field, "" if none
   * @param data the SSE `data:` field
   * Appends to `out`; unknown event types are ignored or passed as `opaque`.
   * @throws SluiceError `upstream_invalid_answer` if the data is not what the dialect allows.
   */
  decode(event: string, data: string, out: ChatEvent[]): void;
  /** The protocol's own end was seen ([DONE], message_stop …), or all that a lenient reader may take for it. */
  readonly complete: boolean;
}

/** What one raw SSE event of a pass-through stream means to the gateway. Bits of a mask. */
export const WATCH = {
  /** Carries what the user waits for (text, reasoning, tool call): the first one ends the retry window. */
  content: 1,
  /** `usage` of the watch was updated. */
  usage: 2,
  /** The protocol's end, or all that a lenient reader may take for it. */
  complete: 4,
  /** The upstream reports an error inside the stream; `error` of the watch says which. */
  error: 8,
  /** Holds only the usage that we asked for and the client did not: remove it if it was injected. */
  usageOnly: 16,
  /** The protocol's own end: nothing that matters follows. Always together with `complete`. */
  end: 32,
} as const;

/**
 * Watches a stream whose bytes pass through. It is called for every event of every stream, so it looks
 * at bytes and parses only the few events that matter.
 */
export interface StreamWatch {
  /** `buffer[start, end)` is one whole SSE event, terminator included. Returns a mask of WATCH bits. */
  event(buffer: Buffer, start: number, end: number): number;
  readonly usage: Usage | undefined;
  readonly error: UpstreamError | undefined;
  /** Content events so far: with one token an event, as engines send, the tokens seen. */
  readonly contentEvents: number;
}

/** An encoded upstream request body, and what had to be left out to make it. */
export interface EncodedRequest {
  readonly body: JsonObject;
  /** Fields (client's words) that the target cannot take; empty unless dropping is allowed. */
  readonly dropped: readonly string[];
}

/** Headers of a provider's answer, by their names in lower case. */
export type VendorHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What is left of one of a provider's own limits. */
export interface Remaining {
  readonly amount: number;
  /** Milliseconds until there is more; undefined if the provider does not say. */
  readonly resetMs: number | undefined;
}

/** What a provider says is left of its own limits of a credential. */
export interface VendorLimits {
  readonly requests: Remaining | undefined;
  readonly tokens: Remaining | undefined;
}

/** How Sluice speaks this dialect to a provider. */
export interface TargetDialect {
  /** Path below the provider's base URL (`https://api.openai.com/v1`); null if the dialect has no such operation. */
  path(operation: Operation, upstreamModel: string, stream: boolean): string | null;
  /**
   * Header names and values, alternating, that carry the credential and the protocol version. A client's header
   * that is forwarded (below) takes the place of one of these of the same name. Without a key ("") only the
   * protocol's own headers are left: servers that need no credential still want those.
   */
  credentialHeaders(apiKey: string): readonly string[];
  /** Client headers (lower case) that are part of this protocol and go through to a target of the same dialect. */
  readonly forwardedHeaders: readonly string[];
  /** Upstream answer headers (lower case) worth passing on to a client of the same dialect. */
  readonly returnedHeaders: readonly string[];
  /**
   * @param dropUnsupported when false, a field that cannot be mapped throws SluiceError `unsupported_field` naming it
   */
  encodeChatRequest(request: ChatRequest, dropUnsupported: boolean): EncodedRequest;
  /** The same for `count_tokens`; absent where the dialect has no such operation. */
  encodeTokenCountRequest?(request: ChatRequest, dropUnsupported: boolean): EncodedRequest;
  /** @throws SluiceError `upstream_invalid_answer` */
  decodeChatAnswer(body: JsonObject): ChatAnswer;
  createStreamDecoder(): StreamDecoder;
  createStreamWatch(): StreamWatch;
  /** Usage of a whole (non-stream) answer, read without parsing all of it where possible. */
  readUsage(body: Buffer): Usage | undefined;
  /** Reads an error answer: JSON in the vendor's shape, another vendor's shape, HTML, or nothing at all. */
  decodeError(status: number, body: Buffer): UpstreamError;
  /** What the headers of an answer say is left of the credential's limits. @param now milliseconds since the epoch */
  readRateLimits(headers: VendorHeaders, now: number): VendorLimits | undefined;
  /** A 2xx body that is an error all the same; undefined for a real answer. */
  decodeDisguisedError(body: Buffer): UpstreamError | undefined;
}

/** A wire protocol, both sides of it. */
export interface Dialect {
  readonly name: DialectName;
  readonly client: ClientDialect;
  readonly target: TargetDialect;
}
