/** Decides what the simulated model says. The same task always gets the same answer (ids apart). */
import { schemaInstance } from "./schema-instance.ts";
import type { Answer, AnswerPart, Finish, Task, TaskTool, TaskUsage } from "./task.ts";
import { countTokens, cutTokens, lorem } from "./tokens.ts";

/** What an image costs, whatever its size. */
export const TOKENS_PER_IMAGE = 85;
const DEFAULT_LOREM_TOKENS = 64;

/**
 * @param tokenLimit what the engine gives at most, if the task asks for no less
 * @param makeCallId makes ids that are unique in one simulator
 */
export function composeAnswers(task: Task, tokenLimit: number, makeCallId: () => string): Answer[] {
  const budget = Math.min(task.maxTokens ?? tokenLimit, tokenLimit);
  return Array.from({ length: task.candidates }, (_, index) => composeAnswer(task, budget, index, makeCallId));
}

function composeAnswer(task: Task, budget: number, candidate: number, makeCallId: () => string): Answer {
  const parts: AnswerPart[] = [];
  if (task.reasoning !== "none" && task.reasoning !== "think") {
    parts.push({ kind: "reasoning", style: task.reasoning, tokens: cutTokens(reasoningText(task)) });
  }
  const calls = toolCalls(task);
  const spoken = calls.length > 0 ? callPreface(task) : spokenText(task, candidate);
  const stopped = cutAtStop(spoken, task.stop);
  const refused = task.directives.finish === "refusal";
  if (stopped.text !== "" || calls.length === 0) {
    parts.push({ kind: refused ? "refusal" : "text", tokens: cutTokens(stopped.text) });
  }
  if (stopped.sequence === undefined) {
    for (const call of calls) parts.push({ kind: "toolCall", id: makeCallId(), ...call });
  }
  const cut = limitTokens(parts, budget);
  const finish = chooseFinish(task, cut.complete, stopped.sequence, calls.length);
  return { parts: cut.parts, finish, stopSequence: finish === "stop_sequence" ? stopped.sequence : undefined };
}

function chooseFinish(task: Task, complete: boolean, sequence: string | undefined, calls: number): Finish {
  if (task.directives.finish !== undefined) return task.directives.finish;
  if (!complete) return "length";
  if (sequence !== undefined) return "stop_sequence";
  return calls > 0 ? "tool_calls" : "stop";
}

function reasoningText(task: Task): string {
  if (task.directives.reasoningTokens !== undefined) return lorem(task.directives.reasoningTokens);
  return `Let me think about: ${task.userText}`;
}

/** With `think`, reasoning is part of the spoken text. */
function spokenText(task: Task, candidate: number): string {
  const text = replyText(task) + (candidate === 0 ? "" : ` (candidate ${candidate + 1})`);
  return task.reasoning === "think" ? `<think>\n${reasoningText(task)}\n</think>\n\n${text}` : text;
}

function callPreface(task: Task): string {
  const text = task.directives.text ?? "";
  return task.reasoning === "think" ? `<think>\n${reasoningText(task)}\n</think>\n\n${text}` : text;
}

function replyText(task: Task): string {
  const { text, reply, tokens } = task.directives;
  if (text !== undefined) return text;
  if (reply === "empty") return "";
  if (reply === "lorem") return lorem(tokens ?? task.maxTokens ?? DEFAULT_LOREM_TOKENS);
  if (task.schema !== undefined) return structuredText(task);
  if (task.toolResults.length > 0) return `tool results: ${task.toolResults.join("; ")}`;
  return task.userText + attachments("image", task.images) + attachments("document", task.documents);
}

function structuredText(task: Task): string {
  const schema = task.schema ?? {};
  if (Object.keys(schema).length === 0) return JSON.stringify({ echo: task.userText });
  return JSON.stringify(schemaInstance(schema, task.userText));
}

function attachments(what: string, count: number): string {
  if (count === 0) return "";
  return ` [${count} ${what}${count === 1 ? "" : "s"}]`;
}

/**
 * A forced choice is obeyed. Left to itself, the model calls the tools that the user names, in the order of their
 * definition, and never calls again once results are there.
 */
function toolCalls(task: Task): { name: string; tokens: string[] }[] {
  if (task.tools.length === 0 || task.toolChoice.kind === "none") return [];
  const chosen = chooseTools(task);
  const wanted = Math.min(task.directives.calls ?? chosen.length, MAX_CALLS);
  const count = task.parallelToolCalls ? wanted : Math.min(wanted, 1);
  const calls: { name: string; tokens: string[] }[] = [];
  for (let index = 0; index < count; index++) {
    const tool = chosen[index % Math.max(chosen.length, 1)] ?? task.tools[index % task.tools.length];
    if (tool !== undefined) calls.push({ name: tool.name, tokens: cutTokens(callArguments(task, tool, index)) });
  }
  return calls;
}

const MAX_CALLS = 64;

function chooseTools(task: Task): TaskTool[] {
  const choice = task.toolChoice;
  if (choice.kind === "tool") return task.tools.filter((tool) => tool.name === choice.name);
  const named = task.tools.filter((tool) => task.userText.includes(tool.name));
  if (choice.kind === "required") return named.length > 0 ? named : task.tools.slice(0, 1);
  return task.toolResults.length > 0 ? [] : named;
}

/** Arguments hold what a careless codec breaks: quotes, escapes, characters beyond the basic plane. */
function callArguments(task: Task, tool: TaskTool, index: number): string {
  const text = `call ${index + 1} "é\\漢😀" ${task.userText}`;
  return JSON.stringify(schemaInstance({ type: "object", ...tool.parameters }, text));
}

function cutAtStop(text: string, stop: readonly string[]): { text: string; sequence: string | undefined } {
  let at = -1;
  let sequence: string | undefined;
  for (const candidate of stop) {
    const found = candidate === "" ? -1 : text.indexOf(candidate);
    if (found >= 0 && (at < 0 || found < at)) {
      at = found;
      sequence = candidate;
    }
  }
  return { text: at < 0 ? text : text.slice(0, at), sequence };
}

function limitTokens(parts: readonly AnswerPart[], budget: number): { parts: AnswerPart[]; complete: boolean } {
  const kept: AnswerPart[] = [];
  let left = budget;
  for (const part of parts) {
    if (part.tokens.length > left) {
      kept.push({ ...part, tokens: part.tokens.slice(0, left) });
      return { parts: kept, complete: false };
    }
    left -= part.tokens.length;
    kept.push(part);
  }
  return { parts: kept, complete: true };
}

/** Tokens of the prompt, images included. */
export function promptTokens(task: Task): number {
  return countTokens(task.prompt) + task.images * TOKENS_PER_IMAGE;
}

/** Counts a finished task; a directive may say what to report instead. */
export function countUsage(
  task: Task,
  answers: readonly Answer[],
  cached: { readonly read: number; readonly write5m: number; readonly write1h: number },
): TaskUsage {
  let completionTokens = 0;
  let reasoningTokens = 0;
  for (const part of answers.flatMap((answer) => answer.parts)) {
    completionTokens += part.tokens.length;
    if (part.kind === "reasoning") reasoningTokens += part.tokens.length;
  }
  return {
    promptTokens: task.directives.promptTokens ?? promptTokens(task),
    cachedTokens: task.directives.cachedTokens ?? cached.read,
    cacheWrite5mTokens: cached.write5m,
    cacheWrite1hTokens: cached.write1h,
    imageTokens: task.images * TOKENS_PER_IMAGE,
    completionTokens: task.directives.completionTokens ?? completionTokens,
    reasoningTokens,
  };
}
