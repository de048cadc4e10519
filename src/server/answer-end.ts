/** The ends of answers that are no plain end: cut off in the midst, or whole while the client still sends. */
import { constants, type Http2ServerResponse, type ServerHttp2Stream } from "node:http2";
import type { ClientAnswer } from "../engine/client-messages.ts";
import { Http1Answer, LAST_EVENT_MS } from "./http1/http1-answer.ts";

/** Ends the connection (HTTP/2: the stream) after what was written, so that the answer is seen not to be whole. */
export function cutOff(answer: ClientAnswer): void {
  if (answer instanceof Http1Answer) {
    answer.cutOff();
    return;
  }
  setTimeout(() => {
    http2Stream(answer).close(constants.NGHTTP2_INTERNAL_ERROR);
  }, LAST_EVENT_MS);
}

/**
 * Ends an answer whose bytes are all written while the client still sends. Closing the connection at once would reset
 * it, and take the answer from a client that reads only when it has sent everything.
 */
export function endEarly(answer: ClientAnswer): void {
  if (answer instanceof Http1Answer) {
    answer.endEarly();
    return;
  }
  // RFC 9113 section 8.1: an answer that does not need the rest of the request is followed by NO_ERROR
  const stream = http2Stream(answer);
  stream.once("finish", () => {
    // at once it would overtake a head that nothing follows
    setImmediate(() => {
      stream.close(constants.NGHTTP2_NO_ERROR);
    });
  });
  answer.end();
}

/** There are two kinds of answers. */
function http2Stream(answer: ClientAnswer): ServerHttp2Stream {
  return (answer as Pick<Http2ServerResponse, "stream"> & ClientAnswer).stream;
}
