import { SluiceError } from "../lib/errors.ts";
import type { CompiledModel } from "./engine.ts";
import type { Exchange } from "./exchange.ts";
import { mayUse } from "./models.ts";

const MAX_SHOWN = 200;

/**
 * The user model that the caller asks for.
 * @throws SluiceError, the same for models that do not exist and models that the caller may not use: existence is not leaked
 */
export function grantedModel({ engine, caller }: Exchange, asked: string): CompiledModel {
  const model = engine.models.find(asked);
  if (model !== undefined && mayUse(caller?.policy, model, asked)) {
    return model;
  }
  const shown = asked.length > MAX_SHOWN ? `${asked.slice(0, MAX_SHOWN)}…` : asked;
  throw new SluiceError(
    "model_not_found",
    `The model ${JSON.stringify(shown)} does not exist or your key may not use it. GET /v1/models lists those it may use.`,
    { param: "model" },
  );
}
