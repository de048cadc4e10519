/**
 * `think_tags`: for engines that write their thinking into the answer as `<think>…</think>`. Clients get it as
 * reasoning (`reasoning_content`, thinking blocks …), streaming or not; what clients send back of it becomes
 * tagged text again.
 */
import { z } from "zod";
import type { ModelFilterDefinition } from "../../contract.ts";
import { splitAnswer } from "./answer.ts";
import { createEventFilter } from "./events.ts";
import { rewriteHistory } from "./history.ts";

const MAX_TAG_CHARACTERS = 64;
const tag = z
  .string()
  .min(1)
  .max(MAX_TAG_CHARACTERS)
  .refine((text) => text.trim() === text, "must not begin or end with white space");

const schema = z.strictObject({
  /** The words that open and close the thinking. */
  tags: z
    .strictObject({ open: tag, close: tag })
    .refine(({ open, close }) => open !== close, "open and close must differ")
    .default({ open: "<think>", close: "</think>" }),
  /** The chat template puts the opening tag into the prompt, so answers begin inside the thinking. */
  startsInside: z.boolean().default(false),
  /** What becomes of reasoning in the assistant messages of a request: tagged text, nothing, or left as it is. */
  history: z.enum(["tags", "drop", "keep"]).default("tags"),
});

export const thinkTags: ModelFilterDefinition<z.infer<typeof schema>> = {
  name: "think_tags",
  kind: "model",
  schema,
  create({ tags, startsInside, history }) {
    const starts = startsInside ? "inside" : "outside";
    return {
      request(request) {
        request.messages = rewriteHistory(request.messages, tags, history);
      },
      answer(answer) {
        splitAnswer(answer, tags, starts);
      },
      createEventFilter: () => createEventFilter(tags, starts),
    };
  },
};
