/** What a simulator can be told when it starts. */
import type { FaultRule } from "./faults.ts";
import type { EngineSpeed } from "./engine.ts";

export interface SimulatorOptions extends Partial<EngineSpeed> {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Which APIs are there. Default both. */
  readonly dialect?: "openai" | "anthropic" | "both";
  /** Model names that exist. Default: every name is answered, and `simulated` is listed. */
  readonly models?: readonly string[];
  /** API keys that are accepted. Default: any or none. */
  readonly apiKeys?: readonly string[];
  /** Blocks of 64 tokens in the prefix cache. Default 16,384 (about a million tokens); 0 for no cache. */
  readonly cacheBlocks?: number;
  /** Tokens of prompt and answer together. Default 1,000,000. */
  readonly contextTokens?: number;
  /** Tokens of one answer at most. Default 65,536. */
  readonly maxAnswerTokens?: number;
  /** How reasoning is shown in the OpenAI dialect when a request asks for it. Default content (`reasoning_content`). */
  readonly reasoning?: "content" | "think";
  /** Refuses fields that the OpenAI API does not know, as its vendor does; engines ignore them. Default false. */
  readonly strict?: boolean;
  /** Shape of OpenAI-dialect errors about the context's length. Default openai. */
  readonly errorShape?: "openai" | "vllm";
  /** Faults from the start. Default none. */
  readonly faults?: readonly (FaultRule | string)[];
  /** Requests that are remembered, the last ones. Default 100. */
  readonly recordLimit?: number;
  /** Bytes of a request body. Default 256 MiB. */
  readonly maxBodyBytes?: number;
  /** Dimensions of an embedding when the request does not say. Default 64. */
  readonly embeddingDimensions?: number;
  /** Answers every POST the same without looking at it: for benchmarks. Default off. */
  readonly fast?: FastOptions;
}

/** The fixed answers of a simulator that feeds a benchmark. */
export interface FastOptions {
  /** Bytes of a JSON answer. Default 1,024. */
  readonly answerBytes?: number;
  /** Chunks of a stream. Default 100. */
  readonly chunks?: number;
  /** Bytes of text in a chunk. Default 4. */
  readonly chunkTextBytes?: number;
  /** Milliseconds between two chunks of one stream; 0 as fast as the reader takes them. Default 0. */
  readonly chunkMs?: number;
}

/** The options with every default filled in. */
export type ResolvedOptions = Required<Omit<SimulatorOptions, "fast" | "models" | "apiKeys">> &
  Pick<SimulatorOptions, "fast" | "models" | "apiKeys">;

export function resolveOptions(options: SimulatorOptions): ResolvedOptions {
  return {
    host: "127.0.0.1",
    port: 0,
    dialect: "both",
    cacheBlocks: 16_384,
    contextTokens: 1_000_000,
    maxAnswerTokens: 65_536,
    reasoning: "content",
    strict: false,
    errorShape: "openai",
    faults: [],
    recordLimit: 100,
    maxBodyBytes: 256 * 1024 * 1024,
    embeddingDimensions: 64,
    prefillTokensPerSecond: Number.POSITIVE_INFINITY,
    decodeMs: 0,
    decodeLoadMs: 0,
    concurrency: Number.POSITIVE_INFINITY,
    queueLimit: Number.POSITIVE_INFINITY,
    ...options,
  };
}
