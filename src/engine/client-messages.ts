/**
 * A client's request and the answer to it, as the engine sees them: what our HTTP/1 has in common with node's HTTP/2, in
 * node's words.
 */
import type { IncomingHttpHeaders } from "node:http";

export interface ClientRequest {
  readonly method?: string | undefined;
  /** Target as it came. */
  readonly url?: string | undefined;
  /** `1.0`, `1.1` or `2.0`. */
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  /** All of it has arrived. */
  readonly complete: boolean;
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  on(event: "end", listener: () => void): unknown;
}

export interface ClientAnswer {
  readonly statusCode: number;
  readonly headersSent: boolean;
  /** `end` was called. */
  readonly writableEnded: boolean;
  /** Bytes that the client has not taken. */
  readonly writableLength: number;
  /** The client may send the body that it has announced. */
  writeContinue(): unknown;
  /** @param headers names and values, alternating. @throws if one holds what no header may */
  writeHead(status: number, headers: string[]): unknown;
  /** Sends the head without waiting for the body. */
  flushHeaders(): unknown;
  /** Returns false when the client is slow: then `drain` comes. */
  write(bytes: Buffer | string): boolean;
  end(): unknown;
  end(bytes: Buffer | string): unknown;
  /** Ends the connection (HTTP/2: the stream) after what was written, so that the answer is seen not to be whole. */
  cutOff(): void;
  /**
   * Ends an answer whose bytes are all written while the client still sends. Closing the connection at once would reset
   * it, and take the answer from a client that reads only when it has sent everything.
   */
  endEarly(): void;
  /** `finish`: the system has taken all of the answer. */
  on(event: "finish" | "drain", listener: () => void): unknown;
}
