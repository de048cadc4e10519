/** The answer to an HTTP/2 request: node's, with the ends that are no plain end. */
import { constants, Http2ServerResponse } from "node:http2";
import type { ClientAnswer } from "../engine/client-messages.ts";
import { LAST_EVENT_MS } from "./last-event.ts";

export class Http2Answer extends Http2ServerResponse implements ClientAnswer {
  // node has it, its types do not
  declare readonly flushHeaders: () => void;

  cutOff(): void {
    setTimeout(() => {
      this.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    }, LAST_EVENT_MS);
  }

  endEarly(): void {
    // RFC 9113 section 8.1: an answer that does not need the rest of the request is followed by NO_ERROR
    const { stream } = this;
    stream.once("finish", () => {
      // at once it would overtake a head that nothing follows
      setImmediate(() => {
        stream.close(constants.NGHTTP2_NO_ERROR);
      });
    });
    this.end();
  }
}
