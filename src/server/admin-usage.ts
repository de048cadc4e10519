/** `GET /admin/v1/usage` and `/admin/v1/consumers/{name}/usage`: what is used of everything that is limited. */
import { parseSubjectText, SUBJECT_TYPES, type SubjectType } from "../quotas/bucket.ts";
import { type AdminAnswer, problem } from "./admin-answer.ts";
import type { UsageAnswer, UsageQuestion } from "./messages.ts";
import { LoaderUnavailable } from "./loader-desk.ts";

const ALL = "/admin/v1/usage";
const ONE_CONSUMER = /^\/admin\/v1\/consumers\/([^/]+)\/usage$/;
const PARAMETERS = ["consumer", "model", "type", "subject", "limit", "cursor"] as const;
type Parameter = (typeof PARAMETERS)[number];

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
/** The longest that a message repeats of what a client sent. */
const MAX_QUOTED = 100;

/** The path is one of these two. */
export function isUsagePath(path: string): boolean {
  return path === ALL || ONE_CONSUMER.test(path);
}

/**
 * Answers a question about usage.
 * @param target path and query as they came; `isUsagePath` holds for the path
 * @param ask rejects with LoaderUnavailable
 */
export async function answerUsage(
  target: string,
  ask: (question: UsageQuestion) => Promise<UsageAnswer>,
): Promise<AdminAnswer> {
  try {
    const question = readQuestion(target);
    const answer = await ask(question);
    switch (answer.outcome) {
      case "page":
        return { status: 200, body: answer.body };
      case "consumer_not_found":
        return problem(
          404,
          "consumer_not_found",
          `The configuration has no consumer ${quote(question.of ?? "")}. GET ${ALL} names those that are limited; \`sluice check FILE\` names all.`,
        );
      case "invalid_request":
        throw new QuestionError(answer.message);
      case "failed":
        throw new Error(answer.message);
    }
  } catch (error) {
    if (error instanceof QuestionError) {
      return problem(400, "invalid_request", error.message);
    }
    if (error instanceof LoaderUnavailable) {
      return problem(503, "usage_unavailable", error.message);
    }
    throw error;
  }
}

/** The question is not asked rightly; the message says what is wrong. */
class QuestionError extends Error {
  override readonly name = "QuestionError";
}

function readQuestion(target: string): UsageQuestion {
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const parameters = readParameters(mark < 0 ? "" : target.slice(mark + 1));
  const name = ONE_CONSUMER.exec(path)?.[1];
  if (name !== undefined && parameters.has("consumer")) {
    throw new QuestionError("consumer is in the path already");
  }
  const type = parameters.get("type");
  const subject = parameters.get("subject");
  return {
    ...(name !== undefined && { of: decode(name, "the consumer's name") }),
    ...only("consumer", parameters.get("consumer")),
    ...only("model", parameters.get("model")),
    ...(type !== undefined && { type: readType(type) }),
    ...(subject !== undefined && { subject: readSubject(subject) }),
    ...only("cursor", parameters.get("cursor")),
    limit: readLimit(parameters.get("limit")),
  };
}

function only<Key extends string>(key: Key, value: string | undefined): { readonly [key in Key]?: string } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [key in Key]?: string };
}

function readParameters(query: string): Map<Parameter, string> {
  const parameters = new Map<Parameter, string>();
  for (const pair of query.split("&").filter((part) => part !== "")) {
    const equals = pair.indexOf("=");
    const name = decode(equals < 0 ? pair : pair.slice(0, equals), "the query");
    const known = PARAMETERS.find((parameter) => parameter === name);
    if (known === undefined) {
      throw new QuestionError(`there is no parameter ${quote(name)}; known ones are ${PARAMETERS.join(", ")}`);
    }
    if (parameters.has(known)) {
      throw new QuestionError(`${known} is there twice; give it once`);
    }
    const value = equals < 0 ? "" : decode(pair.slice(equals + 1), known);
    if (value === "") {
      throw new QuestionError(`${known} is empty; give it a value or leave it out`);
    }
    parameters.set(known, value);
  }
  return parameters;
}

/** Percent-encoding as RFC 3986 has it; a `+` is a `+`. */
function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new QuestionError(`${what} is not percent-encoded UTF-8`);
  }
}

function readType(text: string): SubjectType {
  const type = SUBJECT_TYPES.find((known) => known === text);
  if (type === undefined) {
    throw new QuestionError(`type is one of ${SUBJECT_TYPES.join(", ")}, not ${quote(text)}`);
  }
  return type;
}

function readSubject(text: string): string {
  try {
    parseSubjectText(text);
    return text;
  } catch {
    throw new QuestionError(`${quote(text)} names no subject; one looks like consumer:search or grant:search/index`);
  }
}

function readLimit(text: string | undefined): number {
  const limit = text === undefined ? DEFAULT_LIMIT : /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_LIMIT) {
    throw new QuestionError(`limit is a whole number from 1 to ${MAX_LIMIT}`);
  }
  return limit;
}

function quote(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);
}
