/** `sluice templates`: what a prompt makes of an input, and how two versions differ, without calling a model. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { stringify } from "yaml";
import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { MODEL_FILTERS, REQUEST_FILTERS } from "../filters/builtin.ts";
import { isSluiceError } from "../lib/errors.ts";
import { readBody } from "../lib/json-body.ts";
import type { ExactObject } from "../lib/json.ts";
import { findPrompts } from "./find-prompts.ts";
import { lineDiff } from "./line-diff.ts";
import { print } from "./print.ts";
import { messageOf } from "../lib/thrown.ts";

interface Flags {
  readonly config: string;
  readonly input: string;
}

/** Exit status 0; 1 if the configuration is not valid, there is no such prompt, or the input is not what it takes. */
export function templatesCommand(): Command {
  const command = new Command("templates").description("try prompt templates out, without calling a model");
  command
    .command("render")
    .description("print the chat request that a prompt makes of an input")
    .argument("<name>", "`summary`, `summary@production`, `summary@3`, or the path of a route with a prompt")
    .requiredOption("-c, --config <file>", "YAML file")
    .option("-i, --input <json>", "the input; `@file` reads it from a file", "{}")
    .action((name: string, { config, input }: Flags) => {
      run(config, (snapshot) => render(snapshot, name, readInput(input)));
    });
  command
    .command("diff")
    .description("print what is different between two versions")
    .argument("<from>", "`summary`, `summary@production`, `summary@3`, or the path of a route with a prompt")
    .argument("<to>", "the same")
    .requiredOption("-c, --config <file>", "YAML file")
    .action((from: string, to: string, { config }: Flags) => {
      run(config, (snapshot) => lineDiff(sourceOf(snapshot, from), sourceOf(snapshot, to)));
    });
  return command;
}

function run(file: string, work: (snapshot: Snapshot) => string): void {
  let snapshot: Snapshot;
  try {
    ({ snapshot } = loadConfig(file, { filters: { request: REQUEST_FILTERS, model: MODEL_FILTERS } }));
  } catch (error) {
    if (!(error instanceof ConfigError)) {
      throw error;
    }
    complain(error.message);
    return;
  }
  try {
    print(work(snapshot));
  } catch (error) {
    // here the author asks, who may see what the template says
    const reason = isSluiceError(error) ? (error.cause ?? error) : error;
    complain(messageOf(reason));
  }
}

function complain(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}

function readInput(text: string): ExactObject {
  const bytes = text.startsWith("@") ? readFileSync(text.slice(1)) : Buffer.from(text);
  try {
    return readBody(bytes, []).exact();
  } catch (error) {
    throw isSluiceError(error) ? new Error(`the input cannot be read: ${error.message}`) : error;
  }
}

/** One JSON document for each version that shares the name's requests. */
function render(snapshot: Snapshot, name: string, input: ExactObject): string {
  const documents = findPrompts(snapshot, name).map(({ name: prompt, weight, hook }) => {
    const { provider, model } = hook;
    return { prompt, weight, ...(provider !== undefined && { provider }), model, request: hook.render(input) };
  });
  return documents.map((document) => `${JSON.stringify(document, null, 2)}\n`).join("");
}

/** @throws Error if several versions share the name's requests */
function sourceOf(snapshot: Snapshot, name: string): string {
  const prompts = findPrompts(snapshot, name);
  if (prompts.length > 1) {
    throw new Error(`${name} is ${prompts.map((prompt) => prompt.name).join(" and ")}: name one of them`);
  }
  return stringify(prompts[0]?.options ?? {}, { lineWidth: 0 }).trimEnd();
}
