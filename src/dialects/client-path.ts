/** Names a field of a request as the client's own dialect would in an error: `messages[2].content` or `messages.2.content`. */
import type { ChatRequest, DialectName } from "./form.ts";

/** One step of a path: a member's name or an element's index. */
export type PathStep = string | number;

/** Appends steps to a path, in the notation of the client's dialect. */
export function clientPath(origin: DialectName | undefined, path: string, ...steps: readonly PathStep[]): string {
  let result = path;
  for (const step of steps) {
    if (typeof step === "number" && origin !== "anthropic") result += `[${step}]`;
    else result += result === "" ? String(step) : `.${step}`;
  }
  return result;
}

/** The path of `request.messages[index]`: Anthropic's `system` parameter is the form's first message. */
export function messagePath(request: ChatRequest, index: number): string {
  if (request.origin !== "anthropic") return clientPath(request.origin, "messages", index);
  const systemFirst = request.messages[0]?.role === "system";
  if (systemFirst && index === 0) return "system";
  return clientPath(request.origin, "messages", systemFirst ? index - 1 : index);
}

/** The path of `request.messages[index].content[part]`. */
export function partPath(request: ChatRequest, index: number, part: number): string {
  const path = messagePath(request, index);
  return path === "system" ? clientPath(request.origin, path, part) : clientPath(request.origin, path, "content", part);
}
