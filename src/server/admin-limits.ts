/** `/admin/v1/limits` and `/admin/v1/limits/{kind}/{name}`: limits that are set at run time instead of the file's. */
import type { IncomingMessage } from "node:http";
import { SUBJECT_PARTS, SUBJECT_TYPES, type NamedSubject, type SubjectType } from "../quotas/bucket.ts";
import { type AdminAnswer, problem } from "./admin-answer.ts";
import type { LimitsAuthor, LimitsChange } from "./limits-desk.ts";
import { LimitsNotStored } from "./limits-desk.ts";
import { LoaderUnavailable } from "./loader-desk.ts";
import type { LimitsAnswer, LimitsRefusal } from "./messages.ts";

const ALL = "/admin/v1/limits";
const ONE = `${ALL}/`;
const MAX_BODY_BYTES = 65_536;

/** Limits that are set at run time. */
export interface AdminLimits {
  all(): Promise<LimitsAnswer>;
  one(subject: NamedSubject): Promise<LimitsAnswer>;
  change(change: LimitsChange, author: LimitsAuthor): Promise<LimitsAnswer>;
}

const STATUS: Readonly<Record<LimitsRefusal, number>> = {
  subject_not_found: 404,
  limits_not_set: 404,
  invalid_limits: 400,
  too_many_limits: 409,
};

/** The path is one of these two. */
export function isLimitsPath(path: string): boolean {
  return path === ALL || path.startsWith(ONE);
}

/** The methods that there are for the path, which `isLimitsPath` holds for. */
export function limitsMethods(path: string): string {
  return path === ALL ? "GET, HEAD" : "GET, HEAD, PUT, DELETE";
}

/**
 * Answers one request; its method is one of `limitsMethods`.
 * @param path without the query @param by name of the token that it came with, "" for none
 */
export async function answerLimits(
  request: IncomingMessage,
  path: string,
  by: string,
  limits: AdminLimits,
): Promise<AdminAnswer> {
  try {
    if (path === ALL) {
      return answerOf(await limits.all());
    }
    const subject = readSubject(path.slice(ONE.length));
    if (subject === undefined) {
      return problem(404, "subject_not_found", FORMS);
    }
    const author = { by, from: request.socket.remoteAddress ?? "" };
    switch (request.method) {
      case "PUT": {
        const text = await readBody(request);
        return text === undefined
          ? problem(413, "request_too_large", `Limits take no more than ${MAX_BODY_BYTES} bytes.`)
          : answerOf(await limits.change({ ask: "set", subject, text }, author));
      }
      case "DELETE":
        return answerOf(await limits.change({ ask: "remove", subject }, author));
      default:
        return answerOf(await limits.one(subject));
    }
  } catch (error) {
    if (error instanceof LoaderUnavailable) {
      return problem(503, "limits_unavailable", error.message);
    }
    if (error instanceof LimitsNotStored) {
      return problem(503, "store_unavailable", error.message);
    }
    throw error;
  }
}

const FORMS = `Say whose limits: ${SUBJECT_TYPES.map((type) => `${ONE}${type}/${SUBJECT_PARTS[type].map((part) => `{${part}}`).join("/")}`).join(", ")}.`;

function answerOf(answer: LimitsAnswer): AdminAnswer {
  switch (answer.outcome) {
    case "found":
      return { status: 200, body: answer.body };
    case "refused":
      return problem(STATUS[answer.reason], answer.reason, answer.message);
    case "failed":
      throw new Error(answer.message);
    default:
      throw new Error(`an answer about limits is ${answer.outcome}, which is none`);
  }
}

/** What the rest of a path names: `consumer/search`, `grant/search/fast`. Slashes too many belong to the last part. */
function readSubject(rest: string): NamedSubject | undefined {
  const [kind, ...segments] = rest.split("/");
  const type: SubjectType | undefined = SUBJECT_TYPES.find((known) => known === kind);
  const count = type === undefined ? 0 : SUBJECT_PARTS[type].length;
  if (type === undefined || segments.length < count) {
    return undefined;
  }
  const last = segments.slice(count - 1).join("/");
  try {
    const names = [...segments.slice(0, count - 1), last].map(decodeURIComponent);
    return names.includes("") ? undefined : { type, names };
  } catch {
    return undefined;
  }
}

/** Undefined if there is more than may be; the rest is then not read. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // the connection is still needed for the answer
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) {
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
