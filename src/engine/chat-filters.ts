/** Lets the filters of a route change a chat request before a model is called: only the members that they change are written anew. */
import type { Operation } from "../dialects/contract.ts";
import { type BodyScan, readBody } from "../lib/json-body.ts";
import { setMembers, splice } from "../lib/json-splice.ts";
import { stringifyExactJson } from "../lib/json-parse.ts";
import type { ExactJson, ExactObject } from "../lib/json.ts";
import type { Exchange } from "./exchange.ts";

/** What filters see of the body. */
const MEMBERS = ["messages", "system", "metadata"] as const;

/** The body as the filters want it; the same bytes if there are none. @throws SluiceError for the caller's mistakes */
export function applyChatFilters(exchange: Exchange, operation: Operation, body: Buffer): Buffer {
  const filters = exchange.route?.chat ?? [];
  const { caller } = exchange;
  if (filters.length === 0 || caller === undefined || (operation !== "chat" && operation !== "count_tokens")) {
    return body;
  }
  const scan = readBody(body, ["model", ...MEMBERS]);
  const asked = scan.get("model");
  if (typeof asked !== "string") {
    return body; // who looks for the model complains
  }
  const view = {
    requestId: exchange.requestId,
    method: exchange.method,
    path: exchange.path,
    host: exchange.host,
    headers: exchange.headers,
    dialect: exchange.dialect.name,
    asked,
    model: exchange.engine.models.find(asked)?.name ?? asked,
    consumer: exchange.services.name(caller.consumerId),
    key: exchange.services.name(caller.keyId),
  };
  const members = membersOf(scan);
  const changes = new Map<string, string>();
  for (const filter of filters) {
    for (const [member, value] of Object.entries(filter(view, members))) {
      setMember(members, member, value);
      changes.set(member, stringifyExactJson(value!));
    }
  }
  return changes.size === 0 ? body : splice(body, setMembers(scan.scan, changes));
}

/** A member is parsed when a filter first looks at it: most requests are not for most filters. */
function membersOf(scan: BodyScan): ExactObject {
  const members: ExactObject = {};
  for (const name of MEMBERS) {
    Object.defineProperty(members, name, {
      configurable: true,
      enumerable: true,
      get: () => setMember(members, name, scan.getExact(name)),
    });
  }
  return members;
}

function setMember(members: ExactObject, name: string, value: ExactJson | undefined): ExactJson | undefined {
  Object.defineProperty(members, name, { configurable: true, enumerable: true, value });
  return value;
}
