/** The generating APIs of the OpenAI dialect. */
import type { Surface } from "../surface.ts";
import { headerText } from "../headers.ts";
import { openaiErrors } from "./errors.ts";
import { readChat, readCompletion } from "./read.ts";
import { encodeChat, encodeChatFrames, encodeCompletion, encodeCompletionFrames } from "./write.ts";

export const chatSurface: Surface = {
  ...openaiErrors,
  idPrefix: "chatcmpl-",
  callPrefix: "call_",
  readTask: (body, headers, options) => readChat(body, headerText(headers["x-simulate"]), options),
  encodeAnswer: encodeChat,
  encodeFrames: encodeChatFrames,
};

export const completionsSurface: Surface = {
  ...openaiErrors,
  idPrefix: "cmpl-",
  callPrefix: "call_",
  readTask: (body, headers) => readCompletion(body, headerText(headers["x-simulate"])),
  encodeAnswer: encodeCompletion,
  encodeFrames: encodeCompletionFrames,
};
