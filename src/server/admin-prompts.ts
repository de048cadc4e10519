/**
 * What the admin port says of prompts: `GET /admin/v1/templates`, `/admin/v1/templates/{name}`, and
 * `/admin/v1/templates/{name}/openapi.json`, which tells callers how a route is called.
 */
import type { PromptCatalogue } from "../engine/prompt-catalogue.ts";
import { type AdminAnswer, jsonAnswer, type LongAnswer, problem } from "./admin-answer.ts";

const ALL = "/admin/v1/templates";
const ONE = /^\/admin\/v1\/templates\/([^/]+)(\/openapi\.json)?$/;
/** The longest that a message repeats of what a client sent. */
const MAX_QUOTED = 100;

/** The path is one of these. */
export function isPromptPath(path: string): boolean {
  return path === ALL || ONE.test(path);
}

/** @param path without the query; `isPromptPath` holds for it */
export async function answerPrompts(
  path: string,
  ask: () => Promise<PromptCatalogue>,
): Promise<AdminAnswer | LongAnswer> {
  const catalogue = await ask();
  const [, text, document] = ONE.exec(path) ?? [];
  if (text === undefined) {
    return { pieces: catalogue.list(openApiUrl) };
  }
  const name = decoded(text);
  const quoted = text.slice(0, MAX_QUOTED);
  if (document === undefined) {
    const pieces = catalogue.one(name, openApiUrl);
    return pieces === undefined ? notFound(`No template and no route's prompt is called ${quoted}.`) : { pieces };
  }
  const openApi = catalogue.openApi(name);
  return openApi === undefined ? notFound(`No route's prompt is called ${quoted}.`) : jsonAnswer(200, openApi);
}

function openApiUrl(route: string): string {
  return `${ALL}/${encodeURIComponent(route)}/openapi.json`;
}

function notFound(message: string): AdminAnswer {
  return problem(404, "template_not_found", `${message} GET ${ALL} names them.`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
