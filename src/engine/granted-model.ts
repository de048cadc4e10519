import { SluiceError } from "../lib/errors.ts";

/** The one error for models that do not exist and models that the caller may not use: existence is not leaked. */
export function modelNotFound(name: string): SluiceError {
  const shown = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  return new SluiceError(
    "model_not_found",
    `The model ${JSON.stringify(shown)} does not exist or your key may not use it. GET /v1/models lists those it may use.`,
    { param: "model" },
  );
}
