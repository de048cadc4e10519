/** `sluice simulate`: a fake inference engine over HTTP, to try Sluice and to test against. */
import { Command, InvalidArgumentError, Option } from "commander";
import { FAULTS, FaultSyntaxError, parseFaultRule } from "../simulate/faults.ts";
import type { SimulatorOptions } from "../simulate/options.ts";
import { startSimulator } from "../simulate/simulator.ts";
import { listenOption } from "./listen-option.ts";

interface Flags {
  readonly listen: { readonly host: string; readonly port: number };
  readonly dialect: "openai" | "anthropic" | "both";
  readonly model: readonly string[];
  readonly apiKey: readonly string[];
  readonly prefill: number;
  readonly decode: number;
  readonly decodeLoad: number;
  readonly concurrency: number;
  readonly queue: number;
  readonly cacheBlocks: number;
  readonly context: number;
  readonly reasoning: "content" | "think";
  readonly errorShape: "openai" | "vllm";
  readonly strict?: true;
  readonly fault: readonly string[];
  readonly record: number;
  readonly fast?: true;
  readonly fastBytes: number;
  readonly fastChunks: number;
  readonly fastChunkMs: number;
}

/** The `simulate` command. */
export function simulateCommand(): Command {
  return new Command("simulate")
    .description("run a fake inference engine that speaks the OpenAI and Anthropic APIs")
    .option("--listen <host:port>", "address to listen on, port 0 for any", listenOption, {
      host: "127.0.0.1",
      port: 8000,
    })
    .addOption(new Option("--dialect <name>", "APIs to offer").choices(["openai", "anthropic", "both"]).default("both"))
    .option("--model <name>", "model that exists (repeatable; default: any name is answered)", collect, [])
    .option("--api-key <key>", "API key that is accepted (repeatable; default: any or none)", collect, [])
    .option("--prefill <tokens/s>", "prompt tokens computed a second", positive, 10_000)
    .option("--decode <ms>", "milliseconds an output token takes", notNegative, 20)
    .option("--decode-load <ms>", "milliseconds each other running request adds to a token", notNegative, 0.2)
    .option("--concurrency <n>", "requests that run at once", positive, 64)
    .option("--queue <n>", "requests that wait at most; further ones get 503", notNegative, 1024)
    .option("--cache-blocks <n>", "blocks of 64 tokens in the prefix cache", notNegative, 16_384)
    .option("--context <tokens>", "tokens of prompt and answer together", positive, 131_072)
    .addOption(
      new Option("--reasoning <style>", "how reasoning is shown").choices(["content", "think"]).default("content"),
    )
    .addOption(
      new Option("--error-shape <name>", "whose words errors have").choices(["openai", "vllm"]).default("openai"),
    )
    .option("--strict", "refuse fields that the OpenAI API does not know")
    .option("--fault <spec>", "commit this fault, name[:value][,option=value…] (repeatable)", collectFault, [])
    .option("--record <n>", "requests to remember for GET /simulate/requests", notNegative, 100)
    .option("--fast", "give every request the same answer, for benchmarks")
    .option("--fast-bytes <n>", "bytes of the fixed answer", positive, 1024)
    .option("--fast-chunks <n>", "chunks of the fixed stream", positive, 100)
    .option("--fast-chunk-ms <ms>", "milliseconds between chunks, 0 for as fast as possible", notNegative, 0)
    .addHelpText("after", help)
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const simulator = await startSimulator(toOptions(flags));
  process.stdout.write(`simulated engine listening on ${simulator.url}\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  await simulator.close();
}

function toOptions(flags: Flags): SimulatorOptions {
  return {
    ...flags.listen,
    dialect: flags.dialect,
    ...(flags.model.length === 0 ? {} : { models: flags.model }),
    ...(flags.apiKey.length === 0 ? {} : { apiKeys: flags.apiKey }),
    prefillTokensPerSecond: flags.prefill,
    decodeMs: flags.decode,
    decodeLoadMs: flags.decodeLoad,
    concurrency: flags.concurrency,
    queueLimit: flags.queue,
    cacheBlocks: flags.cacheBlocks,
    contextTokens: flags.context,
    reasoning: flags.reasoning,
    errorShape: flags.errorShape,
    strict: flags.strict === true,
    faults: flags.fault,
    recordLimit: flags.record,
    ...(flags.fast === true
      ? { fast: { answerBytes: flags.fastBytes, chunks: flags.fastChunks, chunkMs: flags.fastChunkMs } }
      : {}),
  };
}

function help(): string {
  const faults = Object.entries(FAULTS).map(([name, what]) => `  ${name.padEnd(17)} ${what}`);
  return [
    "",
    "A request can ask for behaviour itself: header `x-simulate: reply=lorem&tokens=50`, model `any?calls=2`, or a",
    "first line `/simulate reasoning=think` of the last user message; header `x-simulate-fault: FAULT` for a fault.",
    'GET /simulate/stats, GET /simulate/requests, POST /simulate/reset, POST /simulate/faults {"faults":[…]}.',
    "",
    "Faults (options: times=N, every=N, key=K, model=M, path=P, retry-after=S):",
    ...faults,
  ].join("\n");
}

function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}

function collectFault(value: string, previous: readonly string[]): string[] {
  try {
    parseFaultRule(value);
  } catch (error) {
    if (error instanceof FaultSyntaxError) throw new InvalidArgumentError(error.message);
    throw error;
  }
  return [...previous, value];
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("must be a number above 0");
  return value;
}

function notNegative(text: string): number {
  const value = Number(text);
  if (!(value >= 0)) throw new InvalidArgumentError("must be a number from 0");
  return value;
}
