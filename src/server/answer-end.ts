/** The ends of answers that are no plain end: cut off in the midst, or whole while the client still sends. */
import type { ServerResponse } from "node:http";
import { constants, type Http2ServerResponse, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/**
 * The time that a client gets for the last event before its connection ends. One that learns of both at once may drop
 * the event: fetch, and with it the vendors' SDKs, discards what it has not handed out yet when a body breaks.
 */
export const LAST_EVENT_MS = 250;
/** Bytes that are still taken of a request which was answered before its end; `server.requestTimeout` bounds the time. */
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024;

/** Ends the connection (HTTP/2: the stream) after what was written, so that the answer is seen not to be whole. */
export function cutOff(response: ServerResponse): void {
  const end = (): void => {
    setTimeout(() => {
      cutOffNow(response);
    }, LAST_EVENT_MS);
  };
  if (http2Stream(response) !== undefined || response.socket !== null) {
    end();
  } else {
    // of pipelined requests those before still have to be answered
    response.once("socket", end);
  }
}

function cutOffNow(response: ServerResponse): void {
  const stream = http2Stream(response);
  if (stream !== undefined) {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  } else if (response.req.httpVersion === "1.0") {
    // an HTTP/1.0 answer ends with its connection: only a reset shows that it is not whole
    abort(response.socket);
  } else {
    response.req.socket.destroySoon();
  }
}

function abort(socket: Socket | null): void {
  if (socket instanceof TLSSocket) {
    // it cannot be reset; an end without TLS's own (RFC 8446, section 6.1) says the same
    socket.destroy();
  } else {
    socket?.resetAndDestroy();
  }
}

/**
 * Ends an answer whose bytes are all written while the client still sends. Closing the connection at once would reset
 * it, and take the answer from a client that reads only when it has sent everything: our side is closed, and the rest
 * is read and thrown away first.
 */
export function endEarly(response: ServerResponse): void {
  const stream = http2Stream(response);
  if (stream !== undefined) {
    // RFC 9113 section 8.1: an answer that does not need the rest of the request is followed by NO_ERROR
    stream.once("finish", () => {
      // at once it would overtake a head that nothing follows
      setImmediate(() => {
        stream.close(constants.NGHTTP2_NO_ERROR);
      });
    });
    response.end();
    return;
  }
  const { req: request } = response;
  const { socket } = request;
  let discarded = 0;
  request.on("data", (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > MAX_DISCARDED_BYTES) {
      socket.destroy();
    }
  });
  // of pipelined requests those before may still have to be answered: node ends the connection when this one's turn is over
  const isFirst = response.socket !== null;
  request.once("end", () => {
    if (isFirst) {
      socket.destroySoon();
    } else {
      response.end();
    }
  });
  if (isFirst) {
    socket.end();
  }
}

/** The HTTP/2 stream of an answer; undefined on HTTP/1.1. */
export function http2Stream(response: ServerResponse | Http2ServerResponse): ServerHttp2Stream | undefined {
  return "stream" in response ? response.stream : undefined;
}
