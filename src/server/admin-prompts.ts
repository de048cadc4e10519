/** `GET /admin/v1/templates` and `/admin/v1/templates/{name}/openapi.json`: routes with prompts, and how they are called. */
import type { PromptCatalogue } from "../engine/prompt-catalogue.ts";
import { type AdminAnswer, jsonAnswer, problem } from "./admin-answer.ts";

const ALL = "/admin/v1/templates";
const ONE = /^\/admin\/v1\/templates\/([^/]+)\/openapi\.json$/;
/** The longest that a message repeats of what a client sent. */
const MAX_QUOTED = 100;

/** The path is one of these two. */
export function isPromptPath(path: string): boolean {
  return path === ALL || ONE.test(path);
}

/** @param path without the query; `isPromptPath` holds for it */
export async function answerPrompts(path: string, ask: () => Promise<PromptCatalogue>): Promise<AdminAnswer> {
  const catalogue = await ask();
  const name = ONE.exec(path)?.[1];
  if (name === undefined) {
    return jsonAnswer(
      200,
      catalogue.list((route) => `${ALL}/${encodeURIComponent(route)}/openapi.json`),
    );
  }
  const document = catalogue.openApi(decoded(name));
  return document === undefined
    ? problem(
        404,
        "template_not_found",
        `No route's prompt is called ${name.slice(0, MAX_QUOTED)}. GET ${ALL} names them.`,
      )
    : jsonAnswer(200, document);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
