/** A gateway before one raw upstream of each dialect, and calls of every pair of dialects through it. */
import { randomUUID } from "node:crypto";
import type { DialectName } from "../src/dialects/form.ts";
import type { UsageEntry } from "../src/ledger/entry.ts";
import type { JsonObject } from "../src/lib/json.ts";
import { read, type Call, type Reading } from "./client.ts";
import { startGateway, testKey, type Ending, type RunningGateway } from "./harness.ts";
import { startRawUpstream, type RawUpstream, type Script } from "./raw-upstream.ts";

const DIALECTS: readonly DialectName[] = ["openai", "anthropic"];

/** A client's dialect and that of the target which serves it. */
export interface Pair {
  readonly client: DialectName;
  readonly target: DialectName;
}

export const PAIRS: readonly Pair[] = DIALECTS.flatMap((client) => DIALECTS.map((target) => ({ client, target })));

/** Credentials of the upstreams; they must never be seen anywhere else. */
export const RAW_CREDENTIALS = { openai: "raw-credential-openai-7391", anthropic: "raw-credential-anthropic-4406" };

export interface RawWorld {
  readonly gateway: RunningGateway;
  readonly key: string;
  readonly upstreams: Readonly<Record<DialectName, RawUpstream>>;
  /** Makes a call whose upstream request is answered by `script`. */
  call(pair: Pair, stream: boolean, script: Script, call?: Partial<Call>): Promise<RawResult>;
}

export interface RawResult {
  readonly reading: Reading;
  readonly requestId: string;
  /** Upstream requests made for it. */
  readonly hits: number;
  /** Waits for its usage entry. */
  entry(): Promise<UsageEntry>;
}

export interface RawWorldOptions {
  readonly timeouts?: JsonObject;
  readonly server?: JsonObject;
  readonly environment?: Readonly<Record<string, string>>;
  readonly retry?: JsonObject;
  /** Added to every target. */
  readonly target?: JsonObject;
}

/** Models are named for the dialect of their target. */
export async function startRawWorld(t: Ending, options: RawWorldOptions = {}): Promise<RawWorld> {
  const upstreams = { openai: await startRawUpstream(t), anthropic: await startRawUpstream(t) };
  const { key, hash } = testKey("raw");
  const provider = (dialect: DialectName): JsonObject => ({
    name: dialect,
    dialect,
    baseUrl: upstreams[dialect].url + (dialect === "openai" ? "/v1" : ""),
    credentials: [{ name: "main", apiKey: RAW_CREDENTIALS[dialect] }],
    timeouts: { connect: "2s", firstToken: "2s", idle: "2s", total: "8s", ...options.timeouts },
  });
  const gateway = await startGateway(t, {
    config: {
      server: options.server ?? {},
      providers: DIALECTS.map(provider),
      models: DIALECTS.map((dialect) => ({
        name: dialect,
        targets: [{ provider: dialect, model: "vendor-model", ...options.target }],
        retry: options.retry ?? { attempts: 0 },
      })),
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
    ...(options.environment === undefined ? {} : { environment: options.environment }),
  });
  return {
    gateway,
    key,
    upstreams,
    call: async ({ client, target }, stream, script, call = {}) => {
      const requestId = randomUUID();
      upstreams[target].answerTo(requestId, script);
      const reading = await read({
        url: gateway.url,
        key,
        dialect: client,
        model: target,
        content: "hello",
        stream,
        requestId,
        ...call,
      });
      const hits = upstreams[target].hitsOf(requestId);
      return { reading, requestId, hits, entry: async () => gateway.entryOf(requestId) };
    },
  };
}

/** `openai client → anthropic, stream`, for messages. */
export function nameOf({ client, target }: Pair, stream: boolean): string {
  return `${client} client → ${target}, ${stream ? "stream" : "whole"}`;
}
