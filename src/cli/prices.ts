/** `sluice prices`: what the targets of each model cost, and who says so. */
import { Command } from "commander";
import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { zeroConfig } from "../config/zero-config.ts";
import { MODEL_FILTERS, REQUEST_FILTERS } from "../filters/builtin.ts";
import { CATALOGUE } from "../ledger/prices/catalogue.ts";
import { describeModelPrices, modelPricesToJson } from "./describe-price.ts";
import { ModelPriceList, type ModelPrices } from "./model-prices.ts";
import { print } from "./print.ts";

/** Nobody calls. */
const NO_KEY = "0".repeat(64);

interface Flags {
  readonly config?: string;
  readonly json?: true;
}

/** Exit status 0; 1 if the configuration is not valid or a model is not in it. */
export function pricesCommand(): Command {
  return new Command("prices")
    .description("print what models cost, and where their prices come from")
    .argument("[model...]", "names that clients ask for; all models if left out")
    .option("-c, --config <file>", "YAML file; the built-in configuration if left out")
    .option("--json", "print JSON")
    .action((names: string[], flags: Flags) => {
      process.exitCode = prices(names, flags);
    });
}

function prices(names: readonly string[], { config, json }: Flags): number {
  const snapshot = load(config);
  if (snapshot === undefined) {
    return 1;
  }
  const list = new ModelPriceList(snapshot);
  const models: ModelPrices[] = names.length === 0 ? list.all() : names.flatMap((name) => list.find(name) ?? []);
  const missing = names.filter((name) => list.find(name) === undefined);
  print(json === true ? toJson(models) : toText(models));
  for (const name of missing) {
    process.stderr.write(`there is no model "${name}"; \`sluice prices\` without names shows all\n`);
  }
  return missing.length === 0 ? 0 : 1;
}

function load(file: string | undefined): Snapshot | undefined {
  if (file === undefined) {
    return zeroConfig({ environment: process.env, keyHash: NO_KEY }).snapshot;
  }
  try {
    return loadConfig(file, { filters: { request: REQUEST_FILTERS, model: MODEL_FILTERS } }).snapshot;
  } catch (error) {
    if (!(error instanceof ConfigError)) {
      throw error;
    }
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
}

function toText(models: readonly ModelPrices[]): string {
  const head = `USD per million tokens; catalogue ${CATALOGUE.version} of ${CATALOGUE.date}`;
  return `${[head, ...models.flatMap((model) => ["", ...describeModelPrices(model)])].join("\n")}\n`;
}

function toJson(models: readonly ModelPrices[]): string {
  return `${JSON.stringify({ catalogue: CATALOGUE, models: models.map(modelPricesToJson) }, null, 2)}\n`;
}
