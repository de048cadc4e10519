/** `sluice check FILE`: says what is wrong with a configuration, or what it would run. */
import { Command } from "commander";
import { loadConfig } from "../config/load.ts";
import { ConfigError, formatProblem } from "../config/problem.ts";
import { MODEL_FILTERS, REQUEST_FILTERS } from "../filters/builtin.ts";
import { describeSnapshot } from "./describe-snapshot.ts";
import { print } from "./print.ts";
import { warnOfUnpriced } from "./unpriced-models.ts";

/** Exit status 0 if the file can run, 1 if not. */
export function checkCommand(): Command {
  return new Command("check")
    .description("check a configuration file and print what it would run")
    .argument("<file>", "YAML or JSON")
    .option("--quiet", "print only errors and warnings")
    .action((file: string, { quiet }: { readonly quiet?: true }) => {
      process.exitCode = check(file, quiet === true ? "problems" : "everything");
    });
}

function check(file: string, verbosity: "problems" | "everything"): number {
  try {
    const { snapshot, warnings } = loadConfig(file, { filters: { request: REQUEST_FILTERS, model: MODEL_FILTERS } });
    for (const warning of warnings) {
      process.stderr.write(`warning: ${formatProblem(warning)}\n`);
    }
    for (const warning of warnOfUnpriced(snapshot)) {
      process.stderr.write(`warning: ${file}: ${warning}\n`);
    }
    if (verbosity === "everything") {
      print(`${file} is valid.\n\n${describeSnapshot(snapshot)}`);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) {
      throw error;
    }
    process.stderr.write(`${error.message}\n\n${file} is not valid: ${count(error.total, "problem")}.\n`);
    return 1;
  }
}

function count(total: number, what: string): string {
  return `${total} ${what}${total === 1 ? "" : "s"}`;
}
