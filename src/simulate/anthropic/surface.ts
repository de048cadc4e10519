/** The Messages API. */
import type { Surface } from "../surface.ts";
import { anthropicErrors } from "./errors.ts";
import { readMessagesRequest } from "./read.ts";
import { encodeMessage, encodeMessageFrames } from "./write.ts";

export const messagesSurface: Surface = {
  ...anthropicErrors,
  idPrefix: "msg_",
  callPrefix: "toolu_",
  readTask: (body, headers) => readMessagesRequest(body, headers, "create"),
  encodeAnswer: encodeMessage,
  encodeFrames: encodeMessageFrames,
};
