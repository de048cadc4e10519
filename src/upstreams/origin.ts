/**
 * An origin: one scheme, host and port that requests are sent to, with its connection pool behind it.
 * The engine knows only this interface; what speaks HTTP below it can be replaced.
 */
import type { IncomingHttpHeaders } from "node:http";
import { messageOf } from "../lib/thrown.ts";

/** One HTTP request as it will be sent. */
export interface UpstreamRequest {
  readonly method: "GET" | "POST";
  /** Path and query. */
  readonly path: string;
  /**
   * Names and values, alternating: the same list for every request to an endpoint, so that it is made into text only
   * once. Content-Length is added by the pool.
   */
  readonly fixedHeaders: readonly string[];
  /** Names and values, alternating: those of this request. */
  readonly headers: readonly string[];
  readonly body: Buffer | null;
}

/**
 * Why a call failed. `connect`: no connection could be made (nothing was sent). `connectTimeout`: the same, by the
 * clock. `reset`: the connection broke. `protocol`: what came was not HTTP, or not what its head promised.
 */
export type UpstreamFailureKind = "connect" | "connectTimeout" | "reset" | "protocol";

/** A call that failed for a reason of the network or the peer; never one we aborted ourselves. */
export class UpstreamFailure extends Error {
  override readonly name = "UpstreamFailure";
  readonly kind: UpstreamFailureKind;

  constructor(kind: UpstreamFailureKind, cause: unknown) {
    super(messageOf(cause), { cause });
    this.kind = kind;
  }
}

/** Receives one answer. After `onEnd`, `onFailure` or an abort, nothing more comes. */
export interface UpstreamHandler {
  /** The request is being written to a connection. */
  onSent(): void;
  onHead(status: number, headers: IncomingHttpHeaders): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
  onFailure(failure: UpstreamFailure): void;
}

/** A call under way. */
export interface UpstreamCall {
  /** Ends the call at once; the connection is closed, since an answer may be in the midst of it. */
  abort(): void;
  /** Stops reading from the peer until `resume` (backpressure). */
  pause(): void;
  resume(): void;
}

export interface Origin {
  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall;
  /** Lets running calls finish, then closes the connections. */
  close(): Promise<void>;
}

/** The URL of the origin that answers inside the gateway, without network. */
export const OFFLINE_URL = "offline:";

/** What distinguishes one pool from another to the same address. */
export interface OriginOptions {
  /** `https://api.openai.com` */
  readonly url: string;
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
}
