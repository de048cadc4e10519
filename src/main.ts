#!/usr/bin/env node
/** The `sluice` command. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { checkCommand } from "./cli/check.ts";
import { keysCommand } from "./cli/keys.ts";
import { limitsCommand } from "./cli/limits.ts";
import { pricesCommand } from "./cli/prices.ts";
import { schemaCommand } from "./cli/schema.ts";
import { serveCommand } from "./cli/serve.ts";
import { simulateCommand } from "./cli/simulate.ts";
import { templatesCommand } from "./cli/templates.ts";
import { usageCommand } from "./cli/usage.ts";

/** The version of the package that this file is part of, be it run from `src` or from `dist`. */
function readVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}

const program = new Command("sluice")
  .description("An AI gateway: one place through which a company's programs reach every model they use.")
  .version(readVersion())
  .showHelpAfterError()
  .addCommand(serveCommand())
  .addCommand(checkCommand())
  .addCommand(schemaCommand())
  .addCommand(keysCommand())
  .addCommand(pricesCommand())
  .addCommand(usageCommand())
  .addCommand(templatesCommand())
  .addCommand(limitsCommand())
  .addCommand(simulateCommand());

await program.parseAsync();
