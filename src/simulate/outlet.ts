/** How a body gets onto the wire: plainly, or shaped by a fault that leaves the content as it is. */
import type { ServerResponse } from "node:http";
import { constants, createGzip } from "node:zlib";
import { faultNumber, type Fault } from "./faults.ts";

export interface Outlet {
  /** Names and values of headers that this way of writing needs. */
  readonly headers: readonly string[];
  /** A content-length may be announced. */
  readonly framesLength: boolean;
  /** Returns false when the writer should wait for `drain` on the response. */
  write(text: string): boolean;
  end(): void;
}

export function createOutlet(response: ServerResponse, fault: Fault | undefined): Outlet {
  switch (fault?.name) {
    case "gzip":
      return gzipOutlet(response);
    case "split":
      return pacedOutlet(response, Math.max(1, faultNumber(fault, 1)), 0);
    case "trickle":
      return pacedOutlet(response, 1, faultNumber(fault, 1));
    case "crlf":
      return plainOutlet(response, (text) => text.replaceAll("\n", "\r\n"));
    case "until-close":
      response.useChunkedEncodingByDefault = false;
      return { ...plainOutlet(response, (text) => text), framesLength: false };
    default:
      return plainOutlet(response, (text) => text);
  }
}

function plainOutlet(response: ServerResponse, change: (text: string) => string): Outlet {
  return {
    headers: [],
    framesLength: true,
    write: (text) => response.write(change(text)),
    end: () => {
      response.end();
    },
  };
}

/** Every write is flushed, so that events are not held back. */
function gzipOutlet(response: ServerResponse): Outlet {
  const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
  gzip.on("data", (chunk: Buffer) => response.write(chunk));
  gzip.on("end", () => response.end());
  return {
    headers: ["content-encoding", "gzip"],
    framesLength: false,
    write: (text) => {
      gzip.write(text);
      return true;
    },
    end: () => {
      gzip.end();
    },
  };
}

/** Each piece is a write of its own, in a turn of its own. */
function pacedOutlet(response: ServerResponse, bytes: number, delayMs: number): Outlet {
  let queue: Buffer = Buffer.alloc(0);
  let ended = false;
  let pumping = false;
  const pump = (): void => {
    if (response.destroyed) return;
    if (queue.length === 0) {
      pumping = false;
      if (ended) response.end();
      return;
    }
    response.write(queue.subarray(0, bytes));
    queue = queue.subarray(bytes);
    if (delayMs > 0) setTimeout(pump, delayMs);
    else setImmediate(pump);
  };
  const start = (): void => {
    if (pumping) return;
    pumping = true;
    pump();
  };
  return {
    headers: [],
    framesLength: true,
    write: (text) => {
      queue = Buffer.concat([queue, Buffer.from(text)]);
      start();
      return true;
    },
    end: () => {
      ended = true;
      start();
    },
  };
}
