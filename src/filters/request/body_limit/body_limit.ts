/** `body_limit`: another limit for request bodies on one route than the server's. */
import { z } from "zod";
import type { RequestFilterDefinition } from "../../contract.ts";

const schema = z.strictObject({
  /** Bytes; a body beyond is answered 413 before it is read. */
  maxBytes: z.int().min(1).max(1_073_741_824),
});

export const bodyLimit: RequestFilterDefinition<z.infer<typeof schema>> = {
  name: "body_limit",
  kind: "request",
  schema,
  create: (options) => ({ maxBodyBytes: options.maxBytes }),
};
