/** Lets the filters of a route change a chat request before a model is called: only the members that they change are written anew. */
import type { Operation } from "../dialects/contract.ts";
import { readBody } from "../lib/json-body.ts";
import { setMembers, splice } from "../lib/json-splice.ts";
import { stringifyExactJson } from "../lib/json-parse.ts";
import type { ExactObject } from "../lib/json.ts";
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
  const members: ExactObject = {};
  for (const member of MEMBERS) {
    members[member] = scan.getExact(member);
  }
  const changes = new Map<string, string>();
  for (const filter of filters) {
    for (const [member, value] of Object.entries(filter(view, members))) {
      members[member] = value;
      changes.set(member, stringifyExactJson(value!));
    }
  }
  return changes.size === 0 ? body : splice(body, setMembers(scan.scan, changes));
}
