/** A filter, as routes (`middlewares`) and targets (`filters`) name it. */
import { z } from "zod";
import { section } from "./section.ts";

/** One filter: its options are checked against the filter's own schema. */
export const middlewareSchema = section({
  name: z.string().min(1).describe("The filter's name"),
  options: z.record(z.string(), z.json()).default({}).describe("The filter's options"),
});

export type MiddlewareDocument = z.output<typeof middlewareSchema>;
