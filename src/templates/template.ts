/**
 * Prompt templates in the language of Go's text/template, compiled once and rendered with the JSON of a request.
 *
 * Differences from Go, all of them (docs/templates.md says the same to users):
 * - a missing map key is an error unless `missingKey` says otherwise (Go prints `<no value>`);
 * - data are JSON, so there are no structs, methods, channels or function values; imaginary constants are refused;
 * - an integral JSON number of 64 bits is an int, `1.0` and `1e3` too, any other is a float64;
 * - texts are Unicode: bytes that are no UTF-8 (`"\xff"`, `slice` through a character) become U+FFFD;
 * - `slice` takes positions from the data, which Go refuses (`type interface {}`);
 * - the capacity of a list is its length, which `slice` beyond it shows;
 * - `%p` has no addresses to print and answers as for a bad verb;
 * - parentheses nest 500 deep, not 10,000; templates call each other 100 deep, not 100,000, unless a limit says so;
 * - rendering is bounded (`RenderLimits`), and exceeding a limit is an error that names it.
 */
import { execute } from "./executor.ts";
import type { MissingKey, Program } from "./evaluator.ts";
import { standardFunctions } from "./functions/standard.ts";
import type { RenderLimits } from "./meter.ts";
import { parseTemplate } from "./parser.ts";
import { TemplateError } from "./template-error.ts";
import type { FunctionTable } from "./template-function.ts";
import { templateVariables } from "./template-variables.ts";
import type { Value } from "./values.ts";

/** A compiled template; immutable, to be rendered any number of times. */
export interface Template {
  readonly name: string;
  /** Names of the top-level input fields that the source mentions, sorted; best effort. */
  readonly variables: readonly string[];
  /**
   * @param data parsed JSON; integers beyond 2^53 are exact when given as bigint. Never changed.
   * @throws TemplateError where the template asks for what the data has not, or a limit is exceeded
   */
  render(data: Value, limits?: RenderLimits): string;
}

/** How to compile. */
export interface TemplateOptions {
  /** For error messages. */
  readonly name: string;
  /** Default: `standardFunctions()`. */
  readonly functions?: FunctionTable;
  /** Default `error`. */
  readonly missingKey?: MissingKey;
}

let standard: FunctionTable | undefined;

/**
 * Compiles a template.
 * @throws TemplateError with line and column where the source is at fault
 */
export function compileTemplate(source: string, options: TemplateOptions): Template {
  standard ??= standardFunctions();
  const { name, functions = standard, missingKey = "error" } = options;
  const program: Program = { name, source, functions, missingKey };
  const trees = parseGuarded(program);
  return Object.freeze({
    name,
    variables: Object.freeze(templateVariables(name, trees)),
    render: (data: Value, limits?: RenderLimits) => execute(program, trees, data, limits),
  });
}

function parseGuarded(program: Program): ReturnType<typeof parseTemplate> {
  try {
    return parseTemplate(program.name, program.source, (name) => program.functions.has(name));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = `template: ${program.name}: actions nest too deep: use fewer levels`;
    throw new TemplateError("invalid_configuration", message, {
      templateName: program.name,
      line: 1,
      column: 0,
      limit: "stack",
    });
  }
}
